"""Hostile and broken peers: each is answered or disconnected, and no other peer is affected.

Every test has an honest agency on the same server, whose bets must be stored and acknowledged all the
while.
"""
import contextlib
import os
import pathlib
import random
import re
import resource
import shutil
import signal
import socket
import struct
import threading
import time
import unittest

from flood import FloodProcess
from programs import BIN, Case, children_of, wait_until
from wire import HEADER, Closed, Peer, bet, frame, pb

GONE = (Closed, ConnectionError)


class Hostile(Case):
    agencies = 3
    settings = {}

    def setUp(self):
        super().setUp()
        self.lottery = self.server(agencies=self.agencies, level="DEBUG", **self.settings)
        self.honest = Peer(self.lottery.port, 1)
        self.placed = 0
        self.check_honest(1)  # within the handshake's time; from here on the server counts it

    def tearDown(self):
        self.honest.close()
        super().tearDown()

    def check_honest(self, count=3):
        """The honest agency is still served, and the server has all its bets."""
        for _ in range(count):
            ack = self.honest.bets([bet(str(self.placed))], self.placed)
            self.placed += 1
            self.assertEqual((ack.code, ack.received), (pb.ACK_CODE_OK, self.placed))

    def check_end(self):
        self.check_honest()
        self.assertEqual(self.lottery.stop(), 0)
        own = [row for row in self.lottery.bets() if row.startswith(b"1,")]
        self.assertEqual([row.split(b",")[3] for row in own],
                         [str(i).encode() for i in range(self.placed)])
        self.assertEqual(self.lottery.lines("close_process", "fail"), [])

    def answers_to(self, data, ends=False):
        """The messages that a connection gets for these bytes before it is closed."""
        with Peer(self.lottery.port, 2) as peer:
            try:
                peer.send_bytes(data)
                if ends:
                    peer.socket.shutdown(socket.SHUT_WR)
            except ConnectionError:
                pass
            answers = []
            try:
                while True:
                    answers.append(peer.read())
            except GONE:
                return answers

    def check_malformed(self, data):
        answers = self.answers_to(data)
        self.assertEqual([answer.code for answer in answers], [pb.ACK_CODE_MALFORMED], data[:40])
        self.assertNotEqual(answers[0].detail, "")
        self.check_honest(1)


class Frames(Hostile):
    def test_not_a_frame(self):
        """Lengths over the limit, text, a TLS hello: MALFORMED, and the connection is closed."""
        for data in (HEADER.pack(0, 8188), HEADER.pack(0, 0xffffffff), HEADER.pack(3, 1 << 31),
                     b"GET / HTTP/1.1\r\nHost: lottery\r\n\r\n", b"hello, is this the lottery?\n",
                     b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500)):
            self.check_malformed(data)
        self.check_end()

    def test_opcodes_that_agencies_do_not_send(self):
        """Reserved, unknown, and those that only the server sends."""
        for opcode in (1, 2, 4, 5, 77, 255):
            self.check_malformed(frame(opcode))
            self.check_malformed(frame(opcode, pb.Winners(agency_id=1, documents=["1"])))
        self.check_end()

    def test_bodies_that_are_not_messages(self):
        """Truncated and random bodies, and invalid UTF-8: every answer is a proper one."""
        generator = random.Random(7574)
        good = pb.NewBets(agency_id=2, bets=[bet(), bet()]).SerializeToString()
        for cut in range(1, len(good)):
            for answer in self.answers_to(frame(0, good[:cut]), ends=True):
                self.assertIn(answer.code, (pb.ACK_CODE_MALFORMED, pb.ACK_CODE_INVALID_BET,
                                            pb.ACK_CODE_OK))
        for opcode in (0, 3):
            for _ in range(200):
                body = generator.randbytes(generator.randrange(0, 300))
                for answer in self.answers_to(frame(opcode, body), ends=True):
                    self.assertNotEqual(answer.code, pb.ACK_CODE_UNSPECIFIED)
        bad_text = good.replace(b"Lorca", b"Lo\xff\xfea")
        answers = self.answers_to(frame(0, bad_text), ends=True)
        self.assertEqual(answers[0].code, pb.ACK_CODE_INVALID_BET)
        self.check_end()

    def test_an_empty_body(self):
        """It is a message with default values: agency 0, which does not exist."""
        for opcode in (0, 3):
            answers = self.answers_to(frame(opcode), ends=True)
            self.assertEqual([answer.code for answer in answers], [pb.ACK_CODE_UNKNOWN_AGENCY])
        self.check_end()

    def test_absurd_content(self):
        """Thousands of empty bets and the largest numbers are refused as a whole; an agency id that is
        repeated thousands of times and a large unknown field do no harm."""
        many = pb.NewBets(agency_id=2, bets=[pb.Bet()] * 4000)
        answers = self.answers_to(frame(0, many), ends=True)
        self.assertEqual(answers[0].code, pb.ACK_CODE_INVALID_BET)
        far = pb.NewBets(agency_id=2, offset=2**64 - 1, bets=[bet()])
        answers = self.answers_to(frame(0, far), ends=True)
        self.assertEqual(answers[0].code, pb.ACK_CODE_OFFSET_GAP)
        answers = self.answers_to(frame(3, pb.Finished(agency_id=2, total=2**64 - 1)), ends=True)
        self.assertEqual(answers[0].code, pb.ACK_CODE_INCOMPLETE)
        unknown = b"\x08\x02" + b"\x7a\xd8\x36" + bytes(7000)  # agency 2, unknown field 15
        for body in (b"\x08\x02" * 4000, unknown):
            answers = self.answers_to(frame(0, body), ends=True)
            self.assertEqual([(answer.code, answer.received) for answer in answers],
                             [(pb.ACK_CODE_OK, 0)])
        self.check_end()

    def test_bets_that_break_a_rule(self):
        """NUL bytes, control characters, sizes, dates, numbers: INVALID_BET with the reason, nothing of
        the batch is stored, and the connection stays open."""
        bad = [bet(first="a\0b"), bet(first="a\nb"), bet(last="\x1b[31m"), bet(last="\u0085"),
               bet(first=""), bet(last="x" * 65), bet(document="1,2"), bet(document="1" * 17),
               bet(document=""), bet(birthdate="2001-02-29"), bet(birthdate="9999-12-31"),
               bet(birthdate="1999-3-17"), bet(number=10000), bet(number=2**32 - 1)]
        with Peer(self.lottery.port, 2) as peer:
            for one in bad:
                ack = peer.bets([bet(), one])
                self.assertEqual((ack.code, ack.received), (pb.ACK_CODE_INVALID_BET, 0), one)
                self.assertTrue(ack.detail.startswith("bet 1: "), ack.detail)
            self.assertEqual(peer.bets([bet()]).received, 1)
        self.check_end()

    def test_the_end_within_a_frame(self):
        """A peer ends its side between or within frames: only whole frames are answered."""
        whole = frame(0, pb.NewBets(agency_id=2))
        for cut in (0, 1, 4, 5, len(whole) - 1):
            self.assertEqual(self.answers_to(whole[:cut], ends=True), [])
            self.assertEqual(len(self.answers_to(whole + whole[:cut], ends=True)), 1)
        self.check_end()

    def test_batches_after_finished(self):
        """New bets of an agency that has finished are refused, known ones are not; it still gets its
        winners."""
        with Peer(self.lottery.port, 2) as peer:
            peer.bets([bet("1")])
            peer.send_finished(1)
            self.assertEqual(peer.bets([bet("1")]).code, pb.ACK_CODE_OK)
            self.assertEqual(peer.bets([bet("2")], 1).code, pb.ACK_CODE_DRAW_CLOSED)
            self.check_honest()
            self.honest.send_finished(self.placed)
            with Peer(self.lottery.port, 3) as three:
                three.send_finished(0)
                self.assertEqual(peer.winners(), ["1"])
        self.assertEqual(self.lottery.stop(), 0)
        self.assertIn(b"2,Santiago Lionel,Lorca,1,1999-03-17,7574", self.lottery.bets())
        self.assertEqual(len(self.lottery.bets()), self.placed + 1)

    def test_finished_from_two_connections(self):
        """An agency sends Finished once on one connection and twice on another: it counts once."""
        with Peer(self.lottery.port, 2) as one, Peer(self.lottery.port, 2) as two:
            for peer in (one, two, two):
                peer.send_finished(0)
            self.lottery.wait_line("agencia_finalizada", "success", agencia=2, count=3)
        self.check_end()
        self.assertEqual(self.lottery.lines("sorteo"), [])

    def test_somebody_elses_agency(self):
        """A connection that began as one agency cannot speak for another."""
        with Peer(self.lottery.port, 2) as peer:
            self.assertEqual(peer.received(), 0)
            self.assertEqual(peer.bets([bet()], agency=3).code, pb.ACK_CODE_UNKNOWN_AGENCY)
            peer.send_finished(0, agency=3)
            self.assertEqual(peer.ack().code, pb.ACK_CODE_UNKNOWN_AGENCY)
            self.assertEqual(peer.bets([bet()]).code, pb.ACK_CODE_OK)
        self.check_end()
        self.assertEqual(self.lottery.lines("agencia_finalizada", "success"), [])

    def test_a_bad_frame_after_good_ones(self):
        """The good ones are stored and answered first, in order; then comes MALFORMED."""
        data = frame(0, pb.NewBets(agency_id=2, bets=[bet("1")])) + \
            frame(0, pb.NewBets(agency_id=2, offset=1, bets=[bet("2")])) + HEADER.pack(0, 9000)
        answers = self.answers_to(data)
        self.assertEqual([(answer.code, answer.received) for answer in answers],
                         [(pb.ACK_CODE_OK, 1), (pb.ACK_CODE_OK, 2), (pb.ACK_CODE_MALFORMED, 2)])
        self.check_end()


class Behaviour(Hostile):
    settings = {"SERVER_HANDSHAKE_TIMEOUT": "1s", "SERVER_FRAME_TIMEOUT": "2s",
                "SERVER_IDLE_TIMEOUT": "3s"}

    def keep_honest(self):
        """The honest agency places one more bet, so that it never looks idle."""
        self.check_honest(1)
        time.sleep(0.05)

    def check_cut_off(self, reason, count=1, meanwhile=lambda: None):
        def closed():
            meanwhile()
            self.keep_honest()
            return len(self.lottery.lines("close_connection", "success", reason=reason)) >= count
        wait_until(closed, reason, 20)

    def test_connections_that_say_nothing(self):
        """Dozens of them are cut off when the handshake takes too long."""
        peers = [Peer(self.lottery.port) for _ in range(50)]
        self.check_cut_off("no message in time", 50)
        for peer in peers:
            peer.close()
        self.check_end()

    def test_messages_of_no_agency(self):
        """One that sends such messages now and then is cut off when the handshake takes too long, as if
        it had sent nothing."""
        with Peer(self.lottery.port, 9) as peer:
            def send_one():
                try:
                    self.assertEqual(peer.bets([]).code, pb.ACK_CODE_UNKNOWN_AGENCY)
                    time.sleep(0.3)
                except GONE:
                    pass
            self.check_cut_off("no message in time", meanwhile=send_one)
        self.check_end()

    def test_half_a_frame(self):
        """A frame that comes byte by byte and never ends."""
        with Peer(self.lottery.port, 2) as peer:
            peer.received()
            data = frame(0, pb.NewBets(agency_id=2, bets=[bet()]))
            done = threading.Event()

            def drip():
                for byte in data[:-1]:
                    if done.wait(0.2):
                        return
                    try:
                        peer.send_bytes(bytes([byte]))
                    except OSError:
                        return
            thread = threading.Thread(target=drip)
            thread.start()
            self.check_cut_off("a frame was not completed in time")
            done.set()
            thread.join()
        self.check_end()

    def test_an_agency_that_falls_silent(self):
        """It is cut off when it has not finished and is idle for too long; one that waits for the draw
        may be silent for as long as that takes."""
        with Peer(self.lottery.port, 2) as silent, Peer(self.lottery.port, 3) as waiting:
            silent.received()
            waiting.send_finished(0)
            self.check_cut_off("idle for too long")
            with self.assertRaises(GONE):
                silent.read()
            self.honest.send_finished(self.placed)
            with Peer(self.lottery.port, 2) as two:
                self.assertEqual(two.finish(0), [])
            self.assertEqual(waiting.winners(), [])

    def test_a_worker_that_was_stopped(self):
        """For longer than its limits: what has arrived meanwhile is read before anybody is cut off."""
        batch = frame(0, pb.NewBets(agency_id=2, offset=0, bets=[bet()]))
        children = children_of(self.lottery.process.pid)
        with Peer(self.lottery.port, 2) as peer:
            peer.received()
            peer.send_bytes(batch[:5])
            for pid in children:
                os.kill(pid, signal.SIGSTOP)
            try:
                time.sleep(4)
                peer.send_bytes(batch[5:])
                self.honest.send_bets([bet(str(self.placed))], self.placed)
            finally:
                for pid in children:
                    os.kill(pid, signal.SIGCONT)
            self.assertEqual(peer.ack().received, 1)
            self.placed += 1
            self.assertEqual(self.honest.ack().received, self.placed)
        self.check_end()

    def test_a_peer_that_never_reads(self):
        """It keeps asking and reads no answer: the server stops reading from it, so that its own memory
        does not grow, and then cuts it off."""
        # Its buffer is small from the beginning: once it is smaller than the window that the server
        # was told, the kernel drops what acknowledges the questions too, and they stop in between.
        with Peer(self.lottery.port, 2, receive_buffer=16 * 1024) as peer:
            peer.socket.setblocking(False)
            questions = frame(0, pb.NewBets(agency_id=2)) * 1000
            sent = 0

            def send_more():
                """As much as is taken, and always whole frames in a row."""
                nonlocal sent
                try:
                    while sent < 50_000_000:
                        sent += peer.socket.send(questions[sent % len(questions):])
                except OSError:  # not now, or not any more
                    pass
            self.check_cut_off("answers are not read", meanwhile=send_more)
            self.assertLess(sent, 50_000_000, "all of it was read")
        self.check_end()

    def test_connect_and_vanish(self):
        """Hundreds of connections that are reset at once."""
        for _ in range(500):
            connection = socket.create_connection(("127.0.0.1", self.lottery.port))
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            connection.close()
        self.check_end()

    def test_an_agency_that_vanished_counts_once(self):
        """It sent Finished twice on connections that broke: that counts once, and it gets its winners
        when it comes back."""
        for count in (1, 2):
            with Peer(self.lottery.port, 2) as peer:
                peer.send_finished(0)
                self.lottery.wait_line("agencia_finalizada", "success", agencia=2, count=count)
        self.check_honest()
        self.honest.send_finished(self.placed)
        self.lottery.wait_line("agencia_finalizada", "success", agencia=1)
        self.assertEqual(self.lottery.lines("sorteo"), [])
        with Peer(self.lottery.port, 2) as two, Peer(self.lottery.port, 3) as three:
            self.assertEqual(three.finish(0), [])
            self.assertEqual(two.finish(0), [])
        self.assertEqual(self.lottery.stop(), 0)
        self.assertEqual(len(self.lottery.lines("sorteo", "success")), 1)


def allow_descriptors(test, count):
    """For this process and the programs that it starts, until the test ends."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < count:
        test.skipTest(f"only {hard} descriptors may be open here")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, count), hard))
    test.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))


def memory_mib(pid, field):
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(re.search(rf"^{field}:\s+(\d+) kB", status, re.M)[1]) / 1024


class IdleCrowd(Hostile):
    def test_a_crowd_of_idle_connections(self):
        """5,000 connections ask once and then stay open: beside them five agencies send their bets,
        finish and get their winners, and so does an agency that connects later."""
        crowd, agencies, bets = 5000, 5, 2000
        allow_descriptors(self, crowd + 200)
        server = self.server(agencies=agencies + 1, folder=self.folder / "crowd")
        peers = [Peer(server.port, agencies + 1, timeout=60) for _ in range(crowd)]
        for peer in peers:
            peer.send_bets([])
        for peer in peers:
            self.assertEqual(peer.ack().code, pb.ACK_CODE_OK)
        programs = []
        for i in range(1, agencies + 1):
            file = self.folder / f"{i}.csv"
            file.write_text("Ana,Paz,1,1999-03-17,7574\n" * i +
                            "Eva,Gil,2,1999-03-17,1\n" * (bets - i))
            programs.append(self.agency(i, server.port, file))
        server.wait_line("agencia_finalizada", "success", count=agencies, seconds=60)
        with Peer(server.port, agencies + 1) as late:
            self.assertEqual(late.finish(0), [])
        for i, program in enumerate(programs, 1):
            self.assertEqual(program.wait(), 0)
            line = program.lines("consulta_ganadores", "success")[0]
            self.assertEqual(line.details["cant_ganadores"], str(i))
        self.assertEqual(len(server.bets()), agencies * bets)
        for peer in peers:
            peer.close()
        self.assertEqual(server.stop(), 0)
        self.check_end()


class Garbage(Hostile):
    """Crowds that send more than anybody takes."""
    # What AddressSanitizer keeps of freed memory is not the server's.
    settings = {"ASAN_OPTIONS": "detect_leaks=0:quarantine_size_mb=1:thread_local_quarantine_size_kb=64"}
    bound_mib = 64

    def setUp(self):
        allow_descriptors(self, 5200)
        super().setUp()

    def workers(self):
        return self.lottery.children()["worker"]

    def sockets(self):
        """Of all workers. The log does not say how many connections there are: of so many it has only
        some lines."""
        count = 0
        for pid in self.workers():
            for descriptor in pathlib.Path(f"/proc/{pid}/fd").iterdir():
                with contextlib.suppress(FileNotFoundError):  # closed meanwhile
                    count += str(descriptor.readlink()).startswith("socket:")
        return count

    def flood(self, kind, count, per_second=100_000):
        return FloodProcess(self.lottery.port, kind, count, per_second)

    def wait_opened(self, flood, count):
        wait_until(lambda: flood.counts().opened >= count, f"{count} connections", 120, 0.1)

    def peaks(self, kind, count):
        """The most memory that each worker has had, in MiB, once the connections have sent all that is
        taken from them."""
        before = self.sockets()
        with self.flood(kind, count) as flood:
            self.wait_opened(flood, count)
            self.check_honest(20)
            self.assertGreater(self.sockets(), before)
        wait_until(lambda: self.sockets() <= before, "the end of all", 60, 0.1)
        self.check_honest(1)
        return [memory_mib(pid, "VmHWM") for pid in self.workers()]

    def check_memory(self, kind):
        """With six times as many connections a worker has no more memory than the bound, with as many
        again not more than before, and after them it gives back what it had."""
        before = {pid: memory_mib(pid, "RssAnon") for pid in self.workers()}
        for count in (500, 3000):
            for peak in self.peaks(kind, count):
                self.assertLess(peak, self.bound_mib, (kind, count))
        again = self.peaks(kind, 3000)
        for peak in again:
            self.assertLess(peak, self.bound_mib, kind)
        self.assertEqual(sorted(before), sorted(self.workers()), "a worker has died")
        if b"__asan_init" in (BIN / "lottery-server").read_bytes():
            return  # its allocator decides when to give memory back
        for pid, size in before.items():
            wait_until(lambda: memory_mib(pid, "RssAnon") < size + 8, "memory given back", 20)

    def test_memory_beside_zeros(self):
        """64 KiB of zeros are 13,107 messages that name no agency."""
        self.check_memory("zeros")
        self.check_end()

    def test_memory_beside_questions(self):
        """So many questions of an agency all go to the ledger, and nobody reads the answers."""
        self.check_memory("questions")
        self.check_end()

    def test_refused_too_often(self):
        """Whoever names no agency gets eight answers; then the connection is closed."""
        answers = self.answers_to(bytes(64 * 1024))
        self.assertEqual([answer.code for answer in answers], [pb.ACK_CODE_UNKNOWN_AGENCY] * 8)
        answers = self.answers_to(frame(3, pb.Finished(agency_id=9)) * 9)
        self.assertEqual([answer.code for answer in answers], [pb.ACK_CODE_UNKNOWN_AGENCY] * 8)
        with Peer(self.lottery.port, 2) as peer:
            self.assertEqual(peer.received(), 0)
            for _ in range(100):  # an agency's own connection stays open
                self.assertEqual(peer.bets([], agency=9).code, pb.ACK_CODE_UNKNOWN_AGENCY)
            self.assertEqual(peer.bets([bet()]).code, pb.ACK_CODE_OK)
        self.check_end()

    def make_draws(self):
        """A draw that was held, and what else may lie in a data directory. Returns the names."""
        folder = self.lottery.folder
        held = self.server(agencies=1, folder=self.folder / "held")
        with Peer(held.port, 1) as peer:
            self.assertEqual(peer.bets([bet()]).code, pb.ACK_CODE_OK)
            peer.send_finished(1)
            self.assertEqual(peer.winners(), ["30904465"])
        self.assertEqual(held.stop(), 0)
        shutil.copytree(held.folder, folder / "copy")  # it says that it has no id
        (folder / "link").symlink_to(held.folder)
        (folder / "empty").mkdir()
        (folder / "file").write_bytes(b"")
        os.mkfifo(folder / "fifo")
        (folder / "linked").mkdir()
        (folder / "linked" / "bets.journal").symlink_to(held.folder / "bets.journal")
        (folder / "loop").symlink_to("loop")
        return ["copy", "link", "empty", "file", "fifo", "linked", "loop"]

    def test_draws_that_are_none(self):
        """Names of draws that no draw has, and what lies in the data directory without being a draw: the
        agency is told, and after eight such messages the connection ends."""
        for name in [*self.make_draws(), "..", ".", "/", "/etc", "../held", "held/../held", "current",
                     "bets.csv", "-", "_a", "a b", "a\n", "\u0130", "a" * 65, "a" * 8000]:
            message = pb.NewBets(agency_id=2, draw=name, bets=[bet()] if len(name) < 100 else [])
            answers = self.answers_to(frame(pb.OPCODE_NEW_BETS, message) * 9)
            self.assertEqual([(answer.code, answer.received, answer.draw) for answer in answers],
                             [(pb.ACK_CODE_DRAW_CLOSED, 0, "")] * 8, name[:99])
            message = pb.Finished(agency_id=2, draw=name)
            answers = self.answers_to(frame(pb.OPCODE_FINISHED, message), ends=True)
            self.assertEqual([answer.code for answer in answers], [pb.ACK_CODE_DRAW_CLOSED])
        with_nul = pb.NewBets(agency_id=2, draw="copy").SerializeToString().replace(b"py", b"\0y")
        for body in (with_nul, with_nul.replace(b"\0", b"\xff")):
            answers = self.answers_to(frame(pb.OPCODE_NEW_BETS, body), ends=True)
            self.assertEqual([answer.code for answer in answers], [pb.ACK_CODE_DRAW_CLOSED])
        self.check_honest()
        with Peer(self.lottery.port, 2) as peer:  # thousands, on a connection that has its agency
            self.assertEqual(peer.received(), 0)
            for i in range(3000):
                peer.send(pb.OPCODE_NEW_BETS, pb.NewBets(agency_id=2, draw=f"d{i}"))
                self.assertEqual(peer.ack().code, pb.ACK_CODE_DRAW_CLOSED)
            self.assertEqual(peer.bets([bet()]).code, pb.ACK_CODE_OK)
        for i in range(300):
            answers = self.answers_to(
                b"".join(frame(pb.OPCODE_NEW_BETS, pb.NewBets(agency_id=2, draw=f"d{i}-{k}"))
                         for k in range(9)))
            self.assertEqual([answer.code for answer in answers], [pb.ACK_CODE_DRAW_CLOSED] * 8)
        lines = self.lottery.lines("past_draw", "fail", draw="copy")
        self.assertIn("it has the draw ''", lines[0].details["reason"])
        self.assertLess(len(lines), 100)
        self.check_end()

    def test_agencies_beside_a_flood(self):
        """5,000 connections of garbage of several kinds, replaced by up to 1,000 a second: five agencies
        send their bets and get their winners meanwhile, and no worker needs much memory."""
        crowd, agencies, bets = 5000, 5, 20000
        server = self.server(agencies=agencies, folder=self.folder / "flooded", level="DEBUG",
                             **self.settings)
        programs = []
        with FloodProcess(server.port, "mixed", crowd, 1000) as flood:
            self.wait_opened(flood, crowd)
            for i in range(1, agencies + 1):
                file = self.folder / f"{i}.csv"
                file.write_text("Ana,Paz,1,1999-03-17,7574\n" * i +
                                "Eva,Gil,2,1999-03-17,1\n" * (bets - i))
                programs.append(self.agency(i, server.port, file))
            for i, program in enumerate(programs, 1):
                self.assertEqual(program.wait(), 0)
                line = program.lines("consulta_ganadores", "success")[0]
                self.assertEqual(line.details["cant_ganadores"], str(i))
            self.assertGreater(flood.counts().opened, crowd)
            for pid in server.children()["worker"]:
                self.assertLess(memory_mib(pid, "VmHWM"), self.bound_mib)
        self.assertEqual(server.stop(), 0)
        self.assertEqual(len(server.bets()), agencies * bets)
        self.check_end()


class Limits(Hostile):
    settings = {"SERVER_MAX_CONNECTIONS": "20", "SERVER_MAX_CONNECTIONS_PER_IP": "10"}

    def connect_from(self, address):
        connection = socket.socket()
        self.addCleanup(connection.close)
        connection.settimeout(20)
        connection.bind((address, 0))
        connection.connect(("127.0.0.1", self.lottery.port))
        return connection

    def is_refused(self, connection):
        try:
            connection.sendall(frame(0, pb.NewBets(agency_id=2)))
            return connection.recv(1) == b""
        except ConnectionError:
            return True

    def test_connections_in_all_and_from_one_address(self):
        """A new connection over a limit is refused, with a log line at most once a second; the others
        are still served, and when some leave, there is room again."""
        own = [self.connect_from("127.0.0.1") for _ in range(9)]  # beside the honest one
        for connection in own:
            self.assertFalse(self.is_refused(connection))
        self.assertTrue(self.is_refused(self.connect_from("127.0.0.1")))
        others = [self.connect_from(f"127.0.1.{i}") for i in range(1, 11)]
        for connection in others:
            self.assertFalse(self.is_refused(connection))
        for _ in range(50):
            self.assertTrue(self.is_refused(self.connect_from("127.0.2.1")))
        self.lottery.wait_line("accept_connections", "fail",
                               reason="too many connections from this address")
        self.assertLess(len(self.lottery.lines("accept_connections", "fail")), 20)
        self.check_honest()
        own.pop().close()
        others.pop().close()
        for address in ("127.0.0.1", "127.0.1.10"):
            self.lottery.wait_line("close_connection", "success", ip=address)
        # A worker counts a connection until shortly after the line about its end: having read both
        # lines does not mean that there is room already.
        wait_until(lambda: not self.is_refused(self.connect_from("127.0.0.1")), "room")
        self.check_end()


class Buffered(Hostile):
    settings = {"SERVER_MAX_BUFFERED": "1"}

    def test_more_than_may_be_buffered(self):
        """Messages far beyond the limit, sent without waiting for answers: the sender is slowed down,
        and each message is answered, in order."""
        count = 3000
        with Peer(self.lottery.port, 2) as peer:
            sender = threading.Thread(target=lambda: [
                peer.send_bets([bet(str(i))], offset=i) for i in range(count)])
            sender.start()
            for i in range(count):
                self.assertEqual(peer.ack().received, i + 1)
            sender.join()
        self.check_honest()
        self.check_end()


class Descriptors(Case):
    def test_descriptors_run_out(self):
        """A worker without descriptors turns new connections away, serves the others, and recovers."""
        server = self.server(agencies=1, workers=1, level="DEBUG")
        server.wait_ready()
        for pid in server.children()["worker"]:
            resource.prlimit(pid, resource.RLIMIT_NOFILE, (40, 40))
        with Peer(server.port, 1) as honest:
            self.assertEqual(honest.received(), 0)
            crowd = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(60)]
            server.wait_line("accept_connections", "fail")
            self.assertEqual(honest.bets([bet()]).code, pb.ACK_CODE_OK)
            for connection in crowd:
                connection.close()

            def served():
                try:
                    with Peer(server.port, 1) as peer:
                        return peer.received() == 1
                except GONE:
                    return False
            wait_until(served, "served again")
        self.assertEqual(server.stop(), 0)


if __name__ == "__main__":
    unittest.main()
