"""The log's way out: descriptors that are closed, readers that stall, files that are full."""
import itertools
import os
import signal
import subprocess
import unittest

from fake_server import FakeServer
from programs import BIN, SANITIZER, Case, environment_with, wait_until
from wire import Peer, bet, frame, pb


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


# Ends a line, begins an escape sequence, or turns the direction of text; the last is not UTF-8.
EVIL = ("|", "\n", "\r", "\x1b", "\x7f", "\x85", "\x9b", "\u2028", "\u2029", "\u202e", "\u2066",
        "\ufeff", b"\xff", b"\xc3", b"\xed\xa0\x80")


class Injection(Case):
    """What a peer sends cannot pass for another line or detail. Case looks at every line at the end."""

    def test_what_an_echo_server_gets(self):
        """Each of them, and all together."""
        server = self.server(mode="echo")
        texts = [part if isinstance(part, bytes) else part.encode() for part in EVIL]
        for text in (*texts, b"".join(texts)):
            with Peer(server.port) as peer:
                peer.send_bytes(b"a" + text.replace(b"\n", b"") + b"z | result: fail\n")
                self.assertTrue(peer.socket.recv(1000))
        for count in range(len(texts) + 1):
            line = server.wait_line("receive_message", "success", count=count + 1)
            self.assertRegex(line.details["msg"], "^a[ ?/]*z / result: fail$")
        self.assertEqual(server.stop(), 0)

    def answer_badly(self, mode, code, detail):
        """An agency's lines about an Ack whose detail has these bytes."""
        path = self.folder / "bets.csv"
        path.write_text("Ana,Paz,30904465,1999-03-17,7574\r\n")
        with FakeServer() as fake:
            agency = self.agency(1, fake.port, path, mode=mode, NOMBRE="Ana", APELLIDO="Paz",
                                 DOCUMENTO="1", NACIMIENTO="1999-03-17", NUMERO="1")
            caller = fake.accept()
            caller.read_question()
            caller.answer()
            caller.read_bets()
            caller.send_bytes(frame(pb.OPCODE_ACK, bytes([0x08, code, 0x1a, len(detail)]) + detail))
            line = agency.wait_line("apuesta_enviada" if mode == "bet" else "apuestas_enviadas")
            agency.stop()
            caller.close()
        return line

    def test_what_a_server_answers(self):
        """In an Ack's detail: a refusal, and one that is only reported."""
        detail = b"".join(part if isinstance(part, bytes) else part.encode() for part in EVIL)
        for mode in ("lottery", "bet"):
            for code, result in ((pb.ACK_CODE_INVALID_BET, "fail"),
                                 (pb.ACK_CODE_STORAGE_ERROR, "in_progress")):
                with self.subTest(mode=mode, code=code):
                    line = self.answer_badly(mode, code, b"a" + detail + b"z")
                    self.assertEqual(line.result, result)
                    self.assertRegex(line.details["reason"], "a/[ ?]*z$")


if __name__ == "__main__":
    unittest.main()
