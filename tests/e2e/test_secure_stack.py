"""A stack with certificates: who gets in, who does not, and other certificates while the server runs."""
import shutil

from engine import docker
from stack import Case, exit_status, lines, state, wait_line, wait_until

WINNERS = (1, 2, 0, 4, 3)
CLIENTS = [f"client{agency}" for agency in range(1, 6)]
AUTHORITY = "the peer's certificate is of another authority"
REVOKED = "the peer's certificate is revoked"


class Tls(Case):
    def make_certs(self, *options, folder="certs"):
        self.stack.run("tools/make-certs.sh", folder, 5, *options)

    def reload(self):
        """The running stack gets the files that are in certs/ now."""
        seen = len(lines("server", "recarga", "success"))
        self.stack.compose("up", "certs")
        self.stack.compose("kill", "-s", "HUP", "server")
        wait_line("server", "recarga", "success", count=seen + 1)

    def assert_winners(self, agency, count=1):
        line = wait_line(f"client{agency}", "consulta_ganadores", "success", count=count)
        self.assertEqual(str(WINNERS[agency - 1]), line.details["cant_ganadores"])
        self.assertEqual(exit_status(f"client{agency}"), 0)

    def assert_refused(self, agency, reason):
        """The agency is started again, and the server says why it does not come in."""
        docker("start", f"client{agency}")
        line = wait_line("server", "tls_handshake", "fail", reason=reason)
        self.assertEqual(f"lottery:agency:{agency}", line.details["certificate"])
        wait_line(f"client{agency}", "connect", "in_progress")
        docker("stop", "-t", "20", f"client{agency}")

    def assert_private(self):
        """Each sees its own files, reads them without being root, and nobody sees the authority's
        key. All copies are of the files that only root can read."""
        self.assertEqual(docker("exec", "server", "ls", "/tls").split(),
                         ["ca.crl", "ca.crt", "server.crt", "server.key"])
        copied = self.stack.compose("run", "--rm", "--no-deps", "-T", "--entrypoint", "ls", "client1",
                                    "/tls")
        self.assertEqual(copied.split(), ["agency-1.crt", "agency-1.key", "ca.crt"])
        for container in ("server", *CLIENTS):
            user = docker("inspect", "--format", "{{.Config.User}}", container).strip()
            self.assertEqual(user, "999:999")
        certs = self.stack.compose("ps", "-a", "-q", "certs").strip()
        self.assertNotIn("ca.key", docker("inspect", certs))
        self.assertEqual(docker("logs", certs), "")

    def test_five_agencies(self):
        """Five bet and get their winners, and the health check gets in. Then, without an end of the
        server: a certificate of another authority, a revoked one, and other ones for all."""
        self.stack.make_data("--agencies", 5, "--bets", 500, "--winners", ",".join(map(str, WINNERS)))
        self.stack.generate(5, "--tls")
        self.stack.compose("up", "-d")
        for agency in range(1, 6):
            self.assert_winners(agency)
        self.assert_no_failure("server", *CLIENTS)
        for container in ("server", "client1"):
            config, = lines(container, "config", "success")
            self.assertEqual("on", config.details["tls"])
            self.assertEqual(len(lines(container, "tls", "success")), 1)
        docker("exec", "server", "/server", "--config", "/config.ini", "--health")
        wait_until(lambda: state("server", "Health.Status") == "healthy", "health", 60)
        self.assert_private()

        started = state("server", "StartedAt")
        self.make_certs("--revoke", 2)
        self.make_certs(folder="others")
        for name in ("agency-1.crt", "agency-1.key"):
            shutil.copy(self.stack.root / "others" / name, self.stack.root / "certs")
        self.reload()
        self.assert_refused(1, AUTHORITY)
        self.assert_refused(2, REVOKED)

        self.make_certs("--renew")
        self.reload()
        for agency in (1, 2, 3):
            docker("start", f"client{agency}")
            self.assert_winners(agency, count=2)
        docker("exec", "server", "/server", "--config", "/config.ini", "--health")
        self.assertEqual(state("server", "StartedAt"), started)
