"""The make targets, and compose files that are only read."""
import subprocess

from engine import docker
from stack import COMPOSE, Case, exit_status, lines


class Make(Case):
    def test_one_command(self):
        """From nothing to a draw; existing files are kept; the logs; and down."""
        self.stack.run("make", "docker-compose-up", "CLIENTS=2", seconds=600)
        for client in ("client1", "client2"):
            self.assertEqual(exit_status(client), 0)
            self.assertEqual(len(lines(client, "consulta_ganadores", "success")), 1)
        self.assertEqual(["agency-1.csv", "agency-2.csv"],
                         sorted(path.name for path in (self.stack.root / ".data").iterdir()))
        compose = (self.stack.root / COMPOSE).read_bytes()
        self.stack.run("make", "docker-compose-up", seconds=600)
        self.assertEqual(compose, (self.stack.root / COMPOSE).read_bytes())

        logs = subprocess.Popen(["make", "docker-compose-logs"], cwd=self.stack.root, text=True,
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.DEVNULL)
        with logs.stdout:
            self.assertTrue(any("action: sorteo | result: success" in line for line in logs.stdout))
        self.stack.run("make", "docker-compose-down")
        logs.wait(timeout=30)
        self.assertEqual("", docker("ps", "--all", "--quiet", "--filter", "name=^server$"))

    def test_help_names_them(self):
        text = self.stack.run("make", "help").stdout
        for target in ("build", "docker-image", "docker-compose-up", "docker-compose-down",
                       "docker-compose-logs"):
            self.assertRegex(text, f"(?m)^{target} ")

    def test_compose_takes_every_file(self):
        """Of every kind and size."""
        for agencies in (0, 1, 1000):
            for options in ((), ("--mode", "bet"), ("--mode", "echo", "--persist")):
                with self.subTest(agencies=agencies, options=options):
                    self.stack.generate(agencies, *options)
                    services = self.stack.compose("config", "--services").split()
                    self.assertEqual(len(services), agencies + 1)
