"""compose/: what Compose makes of each stack and fragment, and the echo stack at work."""
import http.client
import json
import os
import re

from engine import docker, run
from stack import COMPOSE, Case, exit_status, lines, wait_until

STACKS = {"compose/echo.yaml": ("echo", 2), "compose/five-agencies.yaml": ("lottery", 5)}
PERSIST = "compose/persist.yaml"
MONITOR = "compose/monitor.yaml"
VOLUME = "tp0_server_data"


class ComposeFiles(Case):
    def compose_with(self, files, *arguments):
        names = [part for file in files for part in ("-f", file)]
        return self.stack.run("docker", "compose", *names, *arguments).stdout

    def config(self, *files):
        """What Compose understands."""
        return json.loads(self.compose_with(files, "config", "--format", "json"))

    def data_mounts(self, config):
        return [mount["source"] for mount in config["services"]["server"]["volumes"]
                if mount["target"] == "/data"]

    def assert_paths_exist(self, config):
        """All mounted files exist, are within the project, and are mounted read-only."""
        for service in config["services"].values():
            for mount in service["volumes"]:
                if mount["type"] == "bind":
                    run("test", "-f", mount["source"])
                    self.assertTrue(mount["source"].startswith(f"{self.stack.root}/"))
                    self.assertTrue(mount["read_only"])

    def test_stacks(self):
        """Whole by themselves: services, modes, and paths that lead to the project's files."""
        self.stack.make_data("--agencies", 5, "--bets", 5)
        for file, (mode, agencies) in STACKS.items():
            with self.subTest(file):
                config = self.config(file)
                self.assertEqual("tp0", config["name"])
                clients = {f"client{agency}" for agency in range(1, agencies + 1)}
                self.assertEqual({"server", *clients}, set(config["services"]))
                for client in clients:
                    self.assertEqual(mode, config["services"][client]["environment"]["CLI_MODE"])
                self.assert_paths_exist(config)
                self.assertEqual([], self.data_mounts(config))

    def test_persist_goes_with_every_stack(self):
        """The generated one and those of the folder; once more on top of --persist is the same."""
        self.stack.make_data("--agencies", 5, "--bets", 5)
        self.stack.generate(3)
        for file in (COMPOSE, *STACKS):
            with self.subTest(file):
                config = self.config(file, PERSIST)
                self.assertEqual(["server_data"], self.data_mounts(config))
                self.assertEqual({"name": VOLUME}, config["volumes"]["server_data"])
                self.assert_paths_exist(config)
        combined = self.config(COMPOSE, PERSIST)
        self.stack.generate(3, "--persist")
        for files in ((COMPOSE,), (COMPOSE, PERSIST)):
            persisted = self.config(*files)
            for config in (combined, persisted):
                config["services"]["server"]["volumes"].sort(key=lambda mount: mount["target"])
            self.assertEqual(combined, persisted)

    def test_down_keeps_the_volume_unless_it_is_told(self):
        """`down` keeps the volume of --persist, `down -v` removes it."""
        self.stack.generate(0, "--persist")
        self.stack.compose("up", "-d")
        self.stack.compose("down")
        self.assertIn(VOLUME, docker("volume", "ls", "--format", "{{.Name}}").split())
        self.stack.compose("up", "-d")
        self.stack.compose("down", "-v")
        self.assertNotIn(VOLUME, docker("volume", "ls", "--format", "{{.Name}}").split())

    @staticmethod
    def get(port, path):
        """(status, text) of the observer's answer; None while nobody listens."""
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        except OSError:
            return None
        finally:
            connection.close()

    def test_monitor_at_work(self):
        """The observer answers on this machine's loopback, and has seen the bets of all agencies. Its port
        is any free one, by the variable that the fragment has for it."""
        files = self.stack.make_data("--agencies", 2, "--bets", 100)
        bets = sum(file.read_bytes().count(b"\n") for file in files)
        self.stack.generate(2)
        self.stack.run("docker", "compose", "-f", COMPOSE, "-f", MONITOR, "up", "-d",
                       env={**os.environ, "MONITOR_PORT": "0"})
        address, _, port = docker("port", "server", "9090/tcp").strip().rpartition(":")
        self.assertEqual(address, "127.0.0.1")
        wait_until(lambda: self.get(port, "/readyz") == (200, "ready\n"), "the server to be ready")
        for client in ("client1", "client2"):
            self.assertEqual(exit_status(client), 0)
        status, metrics = self.get(port, "/metrics")
        self.assertEqual(status, 200)
        self.assertEqual(int(re.search(r"^lottery_bets_stored_total (\d+)$", metrics, re.M)[1]), bets)
        self.assertRegex(self.get(port, "/")[1], "(?i)^<!doctype html>")
        self.assert_no_failure("server", "client1", "client2")

    def test_echo_stack(self):
        """Up from its own file: both clients get all their messages back, and so does the check."""
        self.stack.write_settings("", 'loop:\n  amount: 2\n  period: "100ms"\n')
        file = ["compose/echo.yaml"]
        self.addCleanup(self.compose_with, file, "down", "--timeout", "5")
        self.compose_with(file, "up", "-d")
        for client in ("client1", "client2"):
            self.assertEqual(exit_status(client), 0)
            self.assertEqual(len(lines(client, "receive_message", "success")), 2)
        self.assertEqual(len(lines("server", "receive_message", "success")), 4)
        self.assertEqual("action: test_echo_server | result: success\n",
                         self.stack.run("sh", "validar-echo-server.sh").stdout)
        self.assert_no_failure("server", "client1", "client2")
