# The two commands that do everything: `make run` and `make test`. The rest is for daily work.
AGENCIES ?= 5

.PHONY: help run test bench build deps install deb clean

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 24

run: build ## a raffle on this machine: server and five agencies on loopback
	@tools/run-lottery.sh $(AGENCIES)

test: deps ## builds and runs every test (gcc release, clang with sanitizers)
	@tools/run-tests.sh

bench: deps ## figures beside the floor of sockets and disk; see tests/bench/bench.py, options in BENCH=...
	@cmake --preset bench > build-bench.log 2>&1 && \
	    cmake --build --preset bench -- -j$$(nproc) --no-print-directory >> build-bench.log 2>&1 \
	    || { cat build-bench.log; exit 1; }
	@rm -f build-bench.log
	@/usr/bin/python3 -B tests/bench/bench.py $(BENCH)
	@/usr/bin/python3 -B tests/bench/instructions.py --check

build: deps ## both programs, optimized, into build/bin
	@cmake --preset release > build-release.log 2>&1 || { cat build-release.log; exit 1; }
	@cmake --build --preset release -- -j$$(nproc) --no-print-directory >> build-release.log 2>&1 \
	    || { cat build-release.log; exit 1; }
	@rm -f build-release.log

deps:
	@tools/install-deps.sh

install: build ## into /usr/local, or $(DESTDIR)
	@cmake --install build

deb: build ## a Debian package, into build/
	@cd build && cpack

clean: ## everything that was built
	@rm -rf build build-asan build-debug build-tsan
