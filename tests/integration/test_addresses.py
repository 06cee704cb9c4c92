"""Where the server listens: SERVER_IP, and IPv6 from end to end."""
import os
import pathlib
import socket
import subprocess
import time
import unittest

from programs import BIN, Case, Program, environment_with, main


def has_ipv6():
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
        return True
    except OSError:
        return False


class ServerIp(Case):
    def write(self, value):
        (self.folder / "config.ini").write_text(f"[DEFAULT]\nSERVER_PORT = 0\nSERVER_IP = {value}\n")

    def run_refused(self, **environment):
        return subprocess.run([BIN / "lottery-server"], cwd=self.folder, text=True, timeout=30,
                              capture_output=True, env=environment_with(environment))

    def test_what_is_no_address_is_refused(self):
        """Status 2, with file, line, key and reason; nothing listens."""
        for value, reason in (
                ("127.0.0.1 # this machine only", 'a comment after a value begins with ";"'),
                ("127.0.0.256", "is neither an IP address nor a name"),
                ("127.0.0.1:12345", "the port has a setting of its own, SERVER_PORT"),
                ('"127.0.0.1"', "it needs no quotes"),
                ("::1%", "is neither an IP address nor a name")):
            with self.subTest(value):
                self.write(value)
                result = self.run_refused()
                self.assertEqual(result.returncode, 2, result.stdout)
                self.assertIn(f'config.ini:3: SERVER_IP: "{value}" is neither', result.stdout)
                self.assertIn(reason, result.stdout)
                self.assertNotIn("action: listen", result.stdout)
        result = self.run_refused(SERVER_IP="1.2.3.4.5")
        self.assertEqual(result.returncode, 2, result.stdout)
        self.assertIn('environment: SERVER_IP: "1.2.3.4.5" is neither', result.stdout)

    def test_a_name_that_is_not_found(self):
        """A letter for a digit: status 2."""
        self.write("127.0.0.l")
        result = self.run_refused(**self.names("central.test=127.0.0.3"))
        self.assertEqual(result.returncode, 2, result.stdout)
        self.assertIn('config.ini:3: SERVER_IP: "127.0.0.l" cannot be looked up: ', result.stdout)

    def test_the_listen_line_shows_the_address(self):
        """An address is that address, a name is looked up, and the default is all."""
        cases = [("127.0.0.1", "127.0.0.1"), ("0.0.0.0", "0.0.0.0"),
                 ("central.test", "127.0.0.3"), ("127.0.0.1 ; this machine only", "127.0.0.1")]
        if has_ipv6():
            cases += [("::1", "::1"), ("::", "::"), ("server", "::")]
        for value, ip in cases:
            with self.subTest(value):
                self.write(value)
                server = Program("lottery-server", [], self.names("central.test=127.0.0.3"),
                                 self.folder)
                self.programs.append(server)
                line = server.wait_line("listen", "success")
                self.assertEqual(line.details["ip"], ip)
                with socket.create_connection((ip.replace("0.0.0.0", "127.0.0.1"),
                                               int(line.details["port"])), timeout=20):
                    server.wait_line("accept_connections", "success")
                self.assertEqual(server.stop(), 0, server.output())

    def test_sigterm_while_the_name_is_looked_up(self):
        """The name service does not answer: the server ends within a second all the same."""
        self.write("slow.test")
        server = Program("lottery-server", [], self.names("slow.test=wait"), self.folder)
        self.programs.append(server)
        time.sleep(0.5)  # it has begun by then; the outcome would be the same
        since = time.monotonic()
        self.assertEqual(server.stop(), 0, server.output())
        self.assertLess(time.monotonic() - since, 5)
        self.assertEqual([line.action for line in server.lines()], ["exit"])

    def test_health_while_the_name_is_looked_up(self):
        """The check says so after its two seconds, and does not wait for the name service."""
        since = time.monotonic()
        result = subprocess.run([BIN / "lottery-server", "--health"], cwd=self.folder, text=True,
                                timeout=30, capture_output=True, env=environment_with({
                                    "SERVER_IP": "slow.test", **self.names("slow.test=wait")}))
        self.assertEqual(result.returncode, 1, result.stderr)
        self.assertIn("slow.test:12345: no connection within 2 s", result.stderr)
        self.assertLess(time.monotonic() - since, 10)

    def names(self, table):
        library = os.environ.get("LOTTERY_FAKE_NAMES", "")
        if not pathlib.Path(library).is_file():
            self.skipTest("the library of names for tests is not built")
        return {"LD_PRELOAD": library, "LOTTERY_TEST_NAMES": table,
                "ASAN_OPTIONS": "verify_asan_link_order=0:detect_leaks=0"}


@unittest.skipUnless(has_ipv6(), "this machine has no ::1")
class Ipv6(Case):
    def agency_at(self, address, number, **settings):
        path = self.folder / f"{number}.csv"
        path.write_text("Ana,Paz,30904465,1999-03-17,7574\r\n" * 30)
        return self.agency(number, 0, path, CLI_SERVER_ADDRESS=address, level="DEBUG", **settings)

    def health(self, server, **settings):
        return subprocess.run([BIN / "lottery-server", "--health"], text=True, timeout=30,
                              cwd=self.folder, capture_output=True, env=environment_with({
                                  "SERVER_PORT": str(server.port), **settings}))

    def test_a_draw(self):
        """One agency comes by IPv6 alone; the logs of both sides show the address."""
        server = self.server(1, SERVER_IP="::1")
        self.assertEqual(server.lines("listen")[0].details["ip"], "::1")
        agency = self.agency_at(f"[::1]:{server.port}", 1)
        self.assertEqual(agency.wait(), 0, agency.output())
        self.assertTrue(agency.lines("consulta_ganadores", "success", cant_ganadores=30))
        self.assertTrue(agency.lines("connect", "success", address="::1", port=server.port))
        self.assertTrue(server.lines("accept_connections", "success", ip="::1"))
        server.wait_line("close_connection", "success", ip="::1")
        self.assertEqual(self.health(server, SERVER_IP="::1").returncode, 0)
        result = self.health(server, SERVER_IP="127.0.0.1")
        self.assertEqual(result.returncode, 1)
        self.assertIn("127.0.0.1:", result.stderr)
        self.assertEqual(server.stop(), 0)

    def test_all_addresses(self):
        """With the default, one agency comes by IPv4 and one by IPv6; IPv4 is shown as ever."""
        server = self.server(2, SERVER_IP="server")
        agencies = [self.agency_at(f"127.0.0.1:{server.port}", 1),
                    self.agency_at(f"[::1]:{server.port}", 2)]
        for agency in agencies:
            self.assertEqual(agency.wait(), 0, agency.output())
        self.assertTrue(server.lines("accept_connections", "success", ip="127.0.0.1"))
        self.assertTrue(server.lines("accept_connections", "success", ip="::1"))
        self.assertEqual(self.health(server, SERVER_IP="server").returncode, 0)

    def test_echo(self):
        """Messages by IPv6."""
        server = self.server(mode="echo", SERVER_IP="::1")
        agency = self.agency_at(f"[::1]:{server.port}", 1, mode="echo", CLI_LOOP_PERIOD="10ms",
                                CLI_LOOP_AMOUNT="2")
        self.assertEqual(agency.wait(), 0, agency.output())
        self.assertEqual(len(server.lines("receive_message", "success", ip="::1")), 2)

    def test_limit_of_one_address(self):
        """Connections over the limit are turned away, by IPv6 as well."""
        server = self.server(1, SERVER_IP="::1", SERVER_MAX_CONNECTIONS_PER_IP="3")
        held = []
        for _ in range(3):
            held.append(socket.create_connection(("::1", server.port), timeout=20))
            self.addCleanup(held[-1].close)
        server.wait_line("accept_connections", "success", count=3)
        with socket.create_connection(("::1", server.port), timeout=20) as turned_away:
            self.assertEqual(turned_away.recv(1), b"")
        server.wait_line("accept_connections", "fail", ip="::1",
                         reason="too many connections from this address")


if __name__ == "__main__":
    main()
