# The two commands that do everything: `make run` and `make test`. The rest is for daily work.
AGENCIES ?= 5
SECONDS ?= 600
COMPOSE := docker-compose-dev.yaml
# What `build` installs first; targets that need more say so. Tests need everything.
DEPS := --build

.PHONY: help run test test-releases course-tests chaos bench build deps install deb clean again \
    docker-image docker-compose-up docker-compose-down docker-compose-logs

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 24

run: DEPS := --run
run: build ## a draw on this machine: server and five agencies on loopback
	@tools/run-lottery.sh $(AGENCIES)

test: deps ## builds and runs every test (gcc release, clang with sanitizers)
	@tools/run-tests.sh

test-releases: ## make test on a bare Debian 12 and 13, in containers; see tools/test-releases.py
	@/usr/bin/python3 -B tools/test-releases.py

chaos: deps build ## kills, stops and cuts everything for ten minutes (or SECONDS=N), and looks for lost bets; options in CHAOS=...
	@/usr/bin/python3 -B tests/chaos/chaos.py --seconds $(SECONDS) $(CHAOS)

bench: deps ## speed, compared with bare sockets and a bare disk; see tests/bench/bench.py, options in BENCH=...
	@cmake --preset bench > build-bench.log 2>&1 && \
	    cmake --build --preset bench -- -j$$(nproc) --no-print-directory >> build-bench.log 2>&1 \
	    || { cat build-bench.log; exit 1; }
	@rm -f build-bench.log
	@/usr/bin/python3 -B tests/bench/bench.py $(BENCH)
	@/usr/bin/python3 -B tests/bench/instructions.py --check

course-tests: ## the assignment's public tests, a copy of which is in TESTS=DIR, on branches ej1 to ej8
	@/usr/bin/python3 -B tests/e2e/course_tests.py "$(TESTS)"

build: ## both programs, optimized, into build/bin
	@tools/install-deps.sh $(DEPS)
	@cmake --preset release > build-release.log 2>&1 || { cat build-release.log; exit 1; }
	@cmake --build --preset release -- -j$$(nproc) --no-print-directory >> build-release.log 2>&1 \
	    || { cat build-release.log; exit 1; }
	@rm -f build-release.log

deps:
	@tools/install-deps.sh

install: build ## into /usr/local, or $(DESTDIR)
	@cmake --install build

deb: ## a Debian package with services, into build/
	@tools/install-deps.sh --package
	@tools/make-deb.sh

docker-image: ## the images server:latest and client:latest
	docker build -f ./server/Dockerfile -t server:latest .
	docker build -f ./client/Dockerfile -t client:latest .
	docker build -f ./client/Dockerfile --target netcat -t lottery-netcat:latest .

docker-compose-up: docker-image $(COMPOSE) ## server and five agencies (or CLIENTS=N) in containers
	@tools/make-data.sh $$(grep -c 'source: ./.data/agency-' $(COMPOSE))
	@chmod a+r server/config.ini client/config.yaml # containers read them as another user
	docker compose -f $(COMPOSE) up -d --remove-orphans

docker-compose-down: ## stops the containers within ten seconds, and removes them
	@[ -e $(COMPOSE) ] || { echo "there is no $(COMPOSE), so there is nothing to stop"; exit 1; }
	docker compose -f $(COMPOSE) stop -t 10
	docker compose -f $(COMPOSE) down --remove-orphans

docker-compose-logs: ## follows the containers' log lines
	@[ -e $(COMPOSE) ] || { echo "there is no $(COMPOSE), so there are no logs to follow"; exit 1; }
	docker compose -f $(COMPOSE) logs -f

# Made where it is missing, and made again when CLIENTS or LOTTERY_MODE is given.
$(COMPOSE): $(if $(CLIENTS)$(LOTTERY_MODE),again)
	./generar-compose.sh $@ $(or $(CLIENTS),5)

again:

clean: ## everything that was built
	@rm -rf build build-*
