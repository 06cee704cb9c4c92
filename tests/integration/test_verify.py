"""tools/verify-draw.py on the data directory of a real server, whatever state that is in."""
import json
import os
import random
import subprocess
import sys
import unittest

from programs import BIN, ROOT, Case, environment_with, wait_until
from wire import Peer, bet

TOOL = ROOT / "tools" / "verify-draw.py"


def verify(*arguments):
    """Returns status, output and errors; the program never ends with a traceback."""
    done = subprocess.run([sys.executable, TOOL, *map(str, arguments)], encoding="utf-8",
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120)
    if "Traceback" in done.stderr:
        raise AssertionError(done.stderr)
    return done.returncode, done.stdout, done.stderr


class VerifyCase(Case):
    def setUp(self):
        super().setUp()
        self.data = self.folder / "data"

    def passes(self, *arguments):
        status, output, errors = verify(self.data, *arguments)
        self.assertEqual((0, []), (status, [line for line in errors.splitlines()
                                            if not line.startswith("verify-draw.py: note: ")]))
        return output, errors


class Verify(VerifyCase):

    def write(self, agency, count):
        """An agency's file; its first two bets win, and one name needs quotes."""
        path = self.folder / f"agency-{agency}.csv"
        path.write_text("".join(
            f'{"Ana" if i % 7 else chr(34) + "Paz, Ana" + chr(34)},Núñez,{agency}{i:05},1999-03-17,'
            f"{7574 if i < 2 else i % 7000}\n" for i in range(count)), encoding="utf-8")
        return path

    def test_a_whole_draw(self):
        """Before, after, with the server at work, and after its end."""
        server = self.server(agencies=3)
        agencies = [self.agency(i, server.port, self.write(i, 3000 * i)) for i in (1, 2)]
        for i, agency in enumerate(agencies, 1):
            agency.wait_line("apuestas_enviadas", "success", cantidad=3000 * i)
        output, _ = self.passes()
        self.assertIn("ACTA PROVISORIA", output)
        last = self.agency(3, server.port, self.write(3, 1))
        self.assertEqual([agency.wait() for agency in (*agencies, last)], [0, 0, 0])
        for stop in (False, True):
            if stop:
                self.assertEqual(server.stop(), 0)
            output, errors = self.passes()
            self.assertIn("Estado: sorteado, sin sello", output)
            self.assertIn("Apuestas: 9001", output)
            self.assertIn("Apuestas ganadoras: 5", output)
            self.assertIn("agencia 3, documento 300000", output)
            self.assertIn("the draw is not sealed", errors)

    def test_an_edited_bet(self):
        """Of thousands, in a draw that was held: one digit, one winner, one line."""
        server = self.server(agencies=1)
        self.assertEqual(self.agency(1, server.port, self.write(1, 30_000)).wait(), 0)
        self.assertEqual(server.stop(), 0)
        self.passes()
        for name, old, new in (("bets.csv", b"129999", b"129998"), ("bets.csv", b"129999", b""),
                               ("winners.csv", b"100001", b"100002"),
                               ("winners.index", b"100001", b"100002")):
            path = self.data / name
            whole = path.read_bytes()
            path.write_bytes(whole.replace(old, new))
            status, output, errors = verify(self.data)
            self.assertEqual((status, "ACTA DEL SORTEO" in output), (1, False))
            self.assertIn(f"/{name}", errors)
            path.write_bytes(whole)
        self.passes()

    def test_after_kills(self):
        """Whatever a kill leaves is no problem, before the next start and after it."""
        rng = random.Random(3)
        bets = 0
        for _ in range(4):
            server = self.server(agencies=2)
            with Peer(server.port, 1) as peer:
                bets = peer.received()
                for count in [rng.randrange(1, 60) for _ in range(rng.randrange(20))]:
                    bets = peer.bets([bet(str(i)) for i in range(count)], bets).received
            server.kill()
            output, _ = self.passes()
            self.assertIn(f"Apuestas: {bets}\n", output)
        server = self.server(agencies=2)
        agency = self.agency(2, server.port, self.write(2, 50_000))
        wait_until(lambda: (self.data / "bets.csv").stat().st_size > 100_000, "bets to arrive")
        server.kill()
        agency.kill()
        self.passes()

    def test_no_bets(self):
        server = self.server(agencies=0)
        self.assertIn("Agencias: 0", self.passes()[0])
        self.assertEqual(server.stop(), 0)
        self.assertIn("Agencias: 0", self.passes()[0])


class Sealed(VerifyCase):
    """Draws that an operator runs, and their seals."""

    def ctl(self, *arguments):
        done = subprocess.run([BIN / "lottery-ctl", "--data-dir", self.data, *map(str, arguments)],
                              env=environment_with({}), encoding="utf-8", timeout=60,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.assertEqual((0, ""), (done.returncode, done.stderr))
        return done.stdout

    def status(self):
        return json.loads(self.ctl("status", "--json"))

    def manual(self, **settings):
        return self.server(agencies=3, LOTTERY_DRAW="manual", **settings)

    def fill(self, server):
        """Agency 1 has finished, agency 2 has not, agency 3 has sent nothing."""
        with Peer(server.port, 1) as first, Peer(server.port, 2) as second:
            first.bets([bet("1"), bet("2", number=1), bet("3", first='Juan "Pepe", de')])
            first.send_finished(3)
            second.bets([bet(str(i), number=i % 3) for i in range(100)])
            server.wait_line("agencia_finalizada", "success")

    def key(self):
        return "--key", self.status()["sealed"]["key"]

    def test_step_by_step(self):
        server = self.manual()
        self.fill(server)
        self.assertIn("Estado: abierto", self.passes()[0])
        self.ctl("close")
        wait_until(lambda: self.status()["phase"] == "sealed", "the seal")
        key = self.key()
        output, _ = self.passes(*key)
        self.assertIn("Estado: cerrado y sellado, sin sortear", output)
        self.assertIn(f"raíz: {self.status()['sealed']['root']}", output)
        self.ctl("draw", 2, "--source", "Bolillero 3, escribana Gómez")
        for stop in (False, True):
            if stop:
                self.assertEqual(server.stop(), 0)
            output, errors = self.passes(*key)
            self.assertEqual("", errors)
            for text in ("Estado: sorteado y sellado", "número: 2", "Apuestas ganadoras: 33",
                         "origen: Bolillero 3, escribana Gómez", "Apuestas: 103",
                         f"informado por el operador, uid {os.getuid()}", "close", "draw 2"):
                self.assertIn(text, output)

    def test_kills_between_the_steps(self):
        """Of every process at once; what the next server finds is verified, too."""
        server = self.manual()
        self.fill(server)
        for phase, command in (("open", ("close",)), ("sealed", ("draw", 2))):
            for _ in range(2):
                server.kill()
                self.passes()
                server = self.manual()
            # A new server looks at the seal's files first.
            wait_until(lambda: self.status()["phase"] == phase, phase)
            self.ctl(*command)
            server.kill()  # the seal may be on its way
            self.passes()
            server = self.manual()
            wait_until(lambda: self.status()["phase"] in ("sealed", "drawn"), "the seal")
            self.passes(*self.key())
        self.assertEqual("drawn", self.status()["phase"])
        self.assertEqual(server.stop(), 0)

    def test_edited_files(self):
        """A bit in every file that counts."""
        server = self.manual()
        self.fill(server)
        self.ctl("close")
        wait_until(lambda: self.status()["phase"] == "sealed", "the seal")
        key = self.key()
        self.ctl("draw", 2)
        self.assertEqual(server.stop(), 0)
        self.passes(*key)
        for name in ("bets.csv", "winners.csv", "winners.index", "seal.txt", "seal.leaves",
                     "result.txt", "bets.journal"):
            path = self.data / name
            whole = path.read_bytes()
            for at in ((8200, 8300) if name == "bets.journal" else
                       (0, len(whole) // 3, len(whole) - 3)):
                with self.subTest(name=name, at=at):
                    data = bytearray(whole)
                    data[at] ^= 1
                    path.write_bytes(data)
                    status, output, errors = verify(self.data, *key)
                    self.assertEqual((1, False), (status, "ACTA DEL SORTEO" in output))
                    self.assertIn(name, errors)
            path.write_bytes(whole)
        self.passes(*key)


if __name__ == "__main__":
    unittest.main()
