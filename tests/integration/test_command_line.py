"""What people say on the command line, and in variables that are not quite right."""
import subprocess
import unittest

from programs import BIN, Case, environment_with
from wire import Peer, bet


class CommandLine(Case):
    def run_to_end(self, name, *arguments, **environment):
        return subprocess.run([BIN / name, *map(str, arguments)], cwd=self.folder, text=True,
                              stdin=subprocess.DEVNULL, env=environment_with(environment),
                              capture_output=True, timeout=60)

    def assert_refused(self, done, reason):
        self.assertEqual(done.returncode, 2, done.stdout + done.stderr)
        self.assertIn(reason, done.stdout + done.stderr)

    def test_agency_goes_before_variables(self):
        """Id, server, mode and file of the command line count, not those of the environment."""
        server = self.server(agencies=2)
        (self.folder / "mine.csv").write_text("Ana,Paz,1,1999-03-17,7574\r\n")
        with Peer(server.port, 2) as other:
            other.bets([bet()])
            other.send_finished(1)
            done = self.run_to_end("lottery-agency", "--id", 1, "--server",
                                   f"localhost:{server.port}", "--mode=lottery", "mine.csv",
                                   CLI_ID="2", CLI_SERVER_ADDRESS="localhost:1", CLI_MODE="echo",
                                   CLI_BETS_FILE="none.csv")
            self.assertEqual(done.returncode, 0, done.stdout)
        self.assertIn("action: consulta_ganadores | result: success | cant_ganadores: 1", done.stdout)
        self.assertIn(b"1,Ana,Paz,1,1999-03-17,7574", server.bets())

    def test_server_goes_before_variables(self):
        folder = self.folder / "other"
        folder.mkdir()
        server = self.server(arguments=["--mode", "lottery", "--agencies", "1", "--data-dir",
                                        str(folder), "--port", "0"],
                             mode="echo", agencies=7)
        server.wait_line("config", "success", mode="lottery", agencies=1, data_dir=folder)
        with Peer(server.port) as peer:
            peer.bets([bet()])
            self.assertEqual(peer.finish(1), ["30904465"])
        self.assertTrue((folder / "winners.csv").exists())

    def test_bad_options(self):
        for arguments, reason in (
                (["--id", "0"], 'command line: --id: "0" is not a number of 1..4294967295'),
                (["--id", "1", "--server", "h"], 'command line: --server: "h" is not host:port'),
                (["--id", "1", "--mode", "bets"], 'command line: --mode: "bets" is not one of'),
                (["--id", "1", ""], 'command line: FILE: "" is not a text'),
                (["a.csv", "b.csv"], "unexpected argument 'b.csv'")):
            with self.subTest(arguments):
                self.assert_refused(self.run_to_end("lottery-agency", *arguments), reason)
        for arguments, reason in (
                (["--port", "65536"], 'command line: --port: "65536" is not a number of 0..65535'),
                (["--agencies", "x"], 'command line: --agencies: "x" is not a number'),
                (["--mode", "bet"], 'command line: --mode: "bet" is not one of lottery/echo'),
                (["--data-dir", ""], 'command line: --data-dir: "" is not a text'),
                (["data"], "unexpected argument 'data'")):
            with self.subTest(arguments):
                self.assert_refused(self.run_to_end("lottery-server", *arguments), reason)

    def test_file_that_was_named_must_exist(self):
        """The default one may be absent."""
        for name in ("lottery-agency", "lottery-server"):
            self.assert_refused(self.run_to_end(name, "--config", "none"),
                                "none: No such file or directory")
        self.assert_refused(self.run_to_end("lottery-agency"), "config.yaml: id: missing")

    def test_unknown_variables(self):
        """One warning for each of them, and none for those of other programs."""
        done = self.run_to_end("lottery-agency", "none.csv", CLI_ID="1", CLI_SEVER_ADDRESS="here:1",
                               CLI_OF_SOMETHING_ELSE="1", SERVER_PORTS="1", CLIENT="1")
        warnings = [line for line in done.stdout.splitlines() if " WARNING " in line]
        self.assertEqual(len(warnings), 2, done.stdout)
        self.assertIn("variable: CLI_SEVER_ADDRESS | reason: unknown variable: is it "
                      "CLI_SERVER_ADDRESS?", done.stdout)
        self.assertIn("variable: CLI_OF_SOMETHING_ELSE | reason: unknown variable\n", done.stdout)
        server = self.server(SERVER_PROT="1", LOTTERY_AGENCY="2", TLS_CLR="a", CLI_IDS="1")
        server.wait_line("listen", "success")
        self.assertEqual([(line.details["variable"], line.details["reason"])
                          for line in sorted(server.lines("config", "success")[1:],
                                             key=lambda line: line.text)],
                         [("LOTTERY_AGENCY", "unknown variable: is it LOTTERY_AGENCIES?"),
                          ("SERVER_PROT", "unknown variable: is it SERVER_PORT?"),
                          ("TLS_CLR", "unknown variable: is it TLS_CRL?")])

    def test_a_short_time_is_not_never(self):
        """Half a millisecond without a server: the agency gives up at once."""
        (self.folder / "bets.csv").write_text("Ana,Paz,1,1999-03-17,7574\r\n")
        done = self.run_to_end("lottery-agency", "--id", 1, "--server", "127.0.0.1:1",
                               CLI_CONNECT_TIMEOUT="500us")
        self.assertEqual(done.returncode, 1, done.stdout)
        self.assertIn("connect_timeout: 500µs", done.stdout)


if __name__ == "__main__":
    unittest.main()
