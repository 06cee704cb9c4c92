"""Mode lottery in containers: the whole draw, and what survives when containers end."""
import shutil

from engine import docker, run
from stack import Case, exit_status, lines, server_file, state, wait_line, wait_until
from test_real_data import REAL_BETS, REAL_DATA, REAL_WINNERS

MANY = 300_000  # bets that take seconds in batches of 5


class Raffle(Case):
    def put_data(self):
        """Uses the real bets if they are there, otherwise as many made-up ones with as many winners."""
        if REAL_DATA.is_dir():
            shutil.copytree(REAL_DATA, self.stack.root / ".data")
        else:
            self.stack.make_data("--agencies", 5, "--bets", REAL_BETS,
                                 "--winners", ",".join(map(str, REAL_WINNERS)))

    def test_five_agencies(self):
        """They start before the server; every winner is sent; the log adds up; a restart continues,
        a new container starts from scratch."""
        self.put_data()
        self.stack.generate(5)
        clients = [f"client{agency}" for agency in range(1, 6)]
        self.stack.compose("create")
        docker("start", *clients)
        wait_line("client1", "connect", "in_progress")
        self.stack.compose("up", "-d")
        for client, winners in zip(clients, REAL_WINNERS):
            self.assertEqual(exit_status(client), 0)
            answer, = lines(client, "consulta_ganadores")
            self.assertEqual(("success", str(winners)),
                             (answer.result, answer.details["cant_ganadores"]))
        self.assert_no_failure("server", *clients)
        self.assertEqual(len(lines("server", "sorteo", "success")), 1)

        batches = lines("server", "apuesta_recibida", "success")
        self.assertEqual(sum(int(line.details["cantidad"]) for line in batches), REAL_BETS)
        logged = [line for line in self.stack.compose("logs").splitlines()
                  if "apuesta_recibida" in line]
        self.assertEqual(len(logged), len(batches))

        wait_until(lambda: state("server", "Health.Status") == "healthy", "health", 60)
        for container in ("server", *clients):
            user = docker("inspect", "--format", "{{.Config.User}}", container).strip()
            self.assertNotIn(user, ("", "0", "root"))
        self.assertEqual(docker("exec", "server", "cat", "/proc/1/comm").strip(), "server")

        self.stack.compose("restart", "server")
        wait_line("server", "recover_store", "success", bets=REAL_BETS, draw="yes")
        docker("start", "client2")
        wait_line("client2", "consulta_ganadores", "success", count=2,
                  cant_ganadores=REAL_WINNERS[1])

        self.stack.compose("down")
        self.stack.compose("up", "-d", "server")
        wait_line("server", "recover_store", "success", bets=0, draw="no")

    def test_persist(self):
        """With the volume, a new container continues."""
        self.stack.make_data("--agencies", 1, "--bets", 500, "--winners", 4)
        self.stack.generate(1, "--persist")
        self.stack.compose("up", "-d")
        self.assertEqual(exit_status("client1"), 0)
        self.stack.compose("down")
        self.stack.compose("up", "-d")
        wait_line("server", "recover_store", "success", bets=500, draw="yes")
        wait_line("client1", "consulta_ganadores", "success", cant_ganadores=4)

    def read_batches(self, container, count):
        """Returns when the running server has logged this many more batches."""
        run("timeout", "60", "sh", "-c", f"docker logs --follow --tail 0 {container} | "
            f"grep --line-buffered apuesta_recibida | head -n {count} >/dev/null")

    def test_stopped_killed_removed(self):
        """In the middle of an agency's bets: the agency is stopped, the server is stopped, the
        server is killed, the agency's container is removed. Nothing is lost, nothing doubled."""
        files = self.stack.make_data("--agencies", 2, "--bets", f"{MANY},1000", "--winners", "6,2")
        self.stack.write_settings("", "batch:\n  maxAmount: 5\n")
        self.stack.generate(2)
        # The second agency comes last, so that the draw cannot be held too soon.
        self.stack.compose("up", "-d", "server", "client1")

        self.read_batches("server", 50)
        docker("stop", "-t", "20", "client1")
        self.assert_stopped("client1", "connection", "file")
        docker("start", "client1")

        self.read_batches("server", 50)
        docker("stop", "-t", "20", "server")
        self.assert_stopped("server", "listener", "connection", "file", "process")
        docker("start", "server")

        self.read_batches("server", 50)
        docker("kill", "-s", "KILL", "server")
        self.assertEqual(exit_status("server"), 137)
        self.assertEqual(state("client1", "Status"), "running")
        docker("start", "server")

        self.read_batches("server", 50)
        docker("rm", "-f", "client1")
        self.assertLess(len(server_file("bets.csv").splitlines()), MANY)
        self.stack.compose("up", "-d")

        for client, winners in (("client1", 6), ("client2", 2)):
            wait_line(client, "consulta_ganadores", "success", cant_ganadores=winners)
            self.assertEqual(exit_status(client), 0)
        self.assert_no_failure("server", "client1", "client2")
        stored = {1: [], 2: []}
        for row in server_file("bets.csv").splitlines():
            agency, bet = row.split(",", 1)
            stored[int(agency)].append(bet)
        for agency, file in enumerate(files, 1):
            self.assertEqual(stored[agency], file.read_text(encoding="utf-8").splitlines())
