"""validar-echo-server.sh against servers that are not ours."""
import os
import signal
import subprocess

from engine import ROOT, docker, inventory
from stack import NETWORK, Case, wait_until

SERVER = ROOT / "tests" / "e2e" / "foreign_server.pl"


def everything():
    """What the engine has, images and their names too."""
    images = docker("images", "--all", "--format", "{{.ID}} {{.Repository}}:{{.Tag}}")
    return inventory(), set(images.splitlines())


class EchoCheck(Case):
    def setUp(self):
        super().setUp()
        docker("network", "create", NETWORK)
        self.addCleanup(docker, "network", "rm", NETWORK)

    def serve(self, manner):
        docker("run", "--detach", "--rm", "--name", "server", "--network", NETWORK,
               "--volume", f"{SERVER}:/server.pl:ro", "debian:bookworm-slim",
               "perl", "/server.pl", manner)
        self.addCleanup(docker, "rm", "--force", "server", check=False)
        # perl prints nothing; /proc/net/tcp has port 12345 once it listens.
        wait_until(lambda: ":3039 " in docker("exec", "server", "cat", "/proc/net/tcp"), "listening")

    def check(self):
        """What the script prints, and that nothing of it is left."""
        before = everything()
        done = self.stack.run("sh", "validar-echo-server.sh", check=False)
        self.assertEqual(before, everything())
        return done.returncode, done.stdout

    def test_foreign_servers(self):
        """Only a server that sends back exactly what was sent passes; no server fails, too."""
        fail = (1, "action: test_echo_server | result: fail\n")
        for manner, expected in (("right", (0, "action: test_echo_server | result: success\n")),
                                 ("wrong", fail), ("close", fail), ("hang", fail)):
            with self.subTest(manner):
                self.serve(manner)
                try:
                    self.assertEqual(self.check(), expected)
                finally:
                    docker("rm", "--force", "server")
        with self.subTest("nobody"):
            self.assertEqual(self.check(), fail)

    def test_interrupted(self):
        """Interrupted while it waits for an answer, it leaves nothing running and prints nothing."""
        self.serve("hang")
        before = everything()
        for number in (signal.SIGINT, signal.SIGTERM):
            check = subprocess.Popen(["sh", "validar-echo-server.sh"], cwd=self.stack.root, text=True,
                                     stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
            wait_until(lambda: docker("ps", "--quiet", "--filter", "name=validar-echo-server"),
                       "its container runs")
            os.kill(check.pid, number)
            self.assertEqual(check.communicate(timeout=30)[0], "")
            self.assertEqual(check.returncode, 128 + number)
            self.assertEqual(before, everything())
