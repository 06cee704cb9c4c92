"""The log's way out: descriptors that are closed, readers that stall, files that are full."""
import itertools
import os
import signal
import subprocess
import unittest

from fake_server import FakeServer
from programs import BIN, SANITIZER, Case, environment_with, wait_until
from wire import Peer, bet


class StandardDescriptors(Case):
    """Parents close descriptors 0 to 2; whatever is opened next must not take their place."""

    SHELL = {0: "0<&-", 1: "1>&-", 2: "2>&-"}

    def start(self, program, closed, environment):
        """The program with these descriptors closed; those that are open go to pipes."""
        command = " ".join(["exec", str(BIN / program), *(self.SHELL[fd] for fd in closed)])
        return subprocess.Popen(["sh", "-c", command], cwd=self.folder, text=True,
                                env=environment_with({"ASAN_OPTIONS": "detect_leaks=0",
                                                      **environment}),
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE)

    def combinations(self):
        for count in (1, 2, 3):
            yield from itertools.combinations((0, 1, 2), count)

    def test_server(self):
        """It serves, and no file in its data directory gets a log line."""
        for closed in self.combinations():
            with self.subTest(closed):
                folder = self.folder / "".join(map(str, closed))
                folder.mkdir()
                with FakeServer() as fake:
                    port = fake.port
                server = self.start("lottery-server", closed, {
                    "SERVER_PORT": str(port), "SERVER_IP": "127.0.0.1", "SERVER_WORKERS": "1",
                    "LOTTERY_AGENCIES": "1", "LOTTERY_DATA_DIR": str(folder)})
                try:
                    wait_until(lambda: self.place_bet(port), "the server to take a bet")
                finally:
                    server.send_signal(signal.SIGTERM)
                    output, errors = server.communicate(timeout=20)
                self.assertEqual(server.returncode, 0, output + errors)
                self.assertEqual("action: listen" in output, 1 not in closed)
                self.assertNotRegex(output + errors, SANITIZER)
                for path in folder.iterdir():
                    self.assertNotIn(b"action: ", path.read_bytes(), path)
                self.assertEqual((folder / "bets.csv").read_bytes().count(b"\r\n"), 1)

    @staticmethod
    def place_bet(port):
        try:
            with Peer(port) as peer:
                return peer.bets([bet()]).received == 1
        except OSError:
            return False

    def test_agency(self):
        """It places its bets and gets its winners."""
        path = self.folder / "bets.csv"
        path.write_text("Ana,Paz,30904465,1999-03-17,7574\r\n")
        for closed in self.combinations():
            with self.subTest(closed):
                with FakeServer() as fake:
                    agency = self.start("lottery-agency", closed, {
                        "CLI_ID": "1", "CLI_SERVER_ADDRESS": f"127.0.0.1:{fake.port}",
                        "CLI_BETS_FILE": str(path)})
                    caller = fake.accept()
                    caller.read_question()
                    caller.answer()
                    self.assertEqual(len(caller.read_bets().bets), 1)
                    caller.answer(1)
                    caller.read_finished()
                    caller.send_winners(["30904465"])
                    output, errors = agency.communicate(timeout=20)
                    caller.close()
                self.assertEqual(agency.returncode, 0, output + errors)
                self.assertEqual("cant_ganadores: 1" in output, 1 not in closed)
                self.assertNotRegex(output + errors, SANITIZER)


if __name__ == "__main__":
    unittest.main()
