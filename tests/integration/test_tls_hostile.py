"""Hostile and broken peers of TLS: each is turned away, and no other peer is affected.

Every test has an honest agency on the same server, whose bets must be stored and acknowledged all the
while; or, where an agency is under attack, it must not take a lie for an answer.
"""
import contextlib
import pathlib
import random
import socket
import ssl
import struct
import subprocess
import threading
import time
import unittest

import certificates
import tls_records
from fake_server import FakeServer
from openssl_peer import OpensslCentral
from programs import wait_until
from test_hostile import allow_descriptors, memory_mib
from tls_case import TlsCase
from tls_records import DATA, HANDSHAKE, Forger, alert, handshake_message, record
from wire import HEADER, Closed, Peer, TlsSocket, bet, frame, pb

GONE = (Closed, ConnectionError, ssl.SSLError)
CUT = "the connection was cut: it ended without close_notify"
DONE = "the peer is done"
LATE = "no TLS handshake in time"
# What AddressSanitizer keeps of freed memory is not the server's.
SMALL_QUARANTINE = {
    "ASAN_OPTIONS": "detect_leaks=0:quarantine_size_mb=1:thread_local_quarantine_size_kb=64"}
QUESTION = frame(0, pb.NewBets(agency_id=2))


def client_hello(context=None):
    """The first bytes of an agency."""
    tls = TlsSocket(None, context or certificates.agency_context(certificates.of_agency(2)),
                    server_hostname="127.0.0.1")
    with contextlib.suppress(ssl.SSLWantReadError):
        tls.tls.do_handshake()
    return tls.outgoing.read()


def sealed(peer, data):
    """These bytes as the peer's TLS sends them."""
    for i in range(0, len(data), 16384):
        peer.socket.tls.write(data[i:i + 16384])
    return peer.socket.outgoing.read()


def read_to_the_end(connection):
    """All that a plain socket gets until the other side ends or breaks the connection."""
    data = b""
    with contextlib.suppress(ConnectionError):
        while more := connection.recv(65536):
            data += more
    return data


class HostileTls(TlsCase):
    settings = {}

    def setUp(self):
        super().setUp()
        self.lottery = self.secure_server(agencies=3, level="DEBUG", **self.settings)
        self.honest = self.peer(self.lottery, 1)
        self.placed = 0
        self.check_honest(1)

    def tearDown(self):
        self.honest.close()
        super().tearDown()

    def check_honest(self, count=2):
        """The honest agency is still served, and the server has all its bets."""
        for _ in range(count):
            ack = self.honest.bets([bet(str(self.placed))], self.placed)
            self.placed += 1
            self.assertEqual((ack.code, ack.received), (pb.ACK_CODE_OK, self.placed))

    def check_end(self, others=()):
        self.check_honest()
        self.honest.close()  # otherwise the server gives it a second to end
        self.assertEqual(self.lottery.stop(), 0)
        rows = [row.split(b",") for row in self.lottery.bets()]
        self.assertEqual([row[3] for row in rows if row[0] == b"1"],
                         [str(i).encode() for i in range(self.placed)])
        self.assertEqual([row[3] for row in rows if row[0] != b"1"], list(others))
        self.assertEqual(self.lottery.lines("close_process", "fail"), [])

    def connect(self):
        """A connection that has not said a word of TLS."""
        connection = socket.create_connection(("127.0.0.1", self.lottery.port), timeout=20)
        self.addCleanup(connection.close)
        return connection

    def forger(self):
        return Forger(self.lottery.port, 2, certificates.of_agency(2))

    def wait_closed(self, reason, count=1):
        self.lottery.wait_line("close_connection", "success", reason=reason, count=count)


class FirstBytes(HostileTls):
    def check_turned_away(self, data, reason=None):
        """The answer is an alert at most, and the log says why."""
        count = len(self.lottery.lines("tls_handshake", "fail")) + 1
        connection = self.connect()
        with contextlib.suppress(ConnectionError):
            connection.sendall(data)
        answer = read_to_the_end(connection)
        if answer != b"":
            self.assertEqual(answer[-7:-2], b"\x15\x03\x03\x00\x02", answer[:40])
            self.assertLess(len(answer), 8192)
        line = self.lottery.wait_line("tls_handshake", "fail", count=count)
        if reason is not None:
            self.assertEqual(line.details["reason"], reason)
        self.check_honest(1)

    def test_plain_frames(self):
        """An agency without TLS, also one that sends megabytes."""
        for data in (QUESTION, QUESTION * 1000, bytes(4_000_000), HEADER.pack(3, 1 << 31)):
            self.check_turned_away(data, "the peer does not speak TLS")
        self.check_end()

    def test_other_protocols(self):
        for data in (b"GET / HTTP/1.1\r\nHost: lottery\r\n\r\n", b"CONNECT a:1 HTTP/1.1\r\n\r\n",
                     b"SSH-2.0-OpenSSH_9.2\r\n", b"hello, is this the lottery?\n",
                     b"\x80\x2e\x01\x00\x02\x00\x15\x00\x00\x00\x10" + bytes(37),  # SSL 2
                     bytes(range(256)), b"\xff" * 100):
            self.check_turned_away(data)
        self.check_end()

    def test_records_that_come_first(self):
        """Alerts, data, changes of cipher, and records whose heads lie."""
        for data in (alert(2, 40), alert(1, 0), alert(1, 90) * 1000, record(DATA, QUESTION),
                     record(20, b"\1") * 1000, record(HANDSHAKE, b"", 0xffff) + bytes(0x10000),
                     record(HANDSHAKE, b"") * 1000, record(99, b"x"),
                     record(HANDSHAKE, handshake_message(tls_records.FINISHED, bytes(48)))):
            self.check_turned_away(data)
        self.check_end()

    def test_hellos_that_lie(self):
        """Lengths beyond the record, random bytes in the place of fields, and a message of 16 MiB."""
        generator = random.Random(7574)
        hello = client_hello()
        for _ in range(50):
            broken = bytearray(hello)
            for _ in range(3):
                broken[generator.randrange(9, len(broken))] = generator.randrange(256)
            connection = self.connect()
            connection.sendall(bytes(broken))
            connection.shutdown(socket.SHUT_WR)
            read_to_the_end(connection)
        head = b"\1\xff\xff\xff" + bytes(16380)
        self.check_turned_away(record(HANDSHAKE, head) + record(HANDSHAKE, bytes(16384)) * 20)
        self.check_end()

    def test_old_versions(self):
        """By the openssl program, which has them, and as an old hello has it."""
        for version, option in (("TLSv1_2", "-tls1_2"), ("TLSv1_1", "-tls1_1"), ("TLSv1", "-tls1")):
            with self.subTest(version):
                count = len(self.lottery.lines("tls_handshake", "fail")) + 1
                done = subprocess.run(
                    ["openssl", "s_client", "-connect", f"127.0.0.1:{self.lottery.port}", option,
                     "-cipher", "ALL:@SECLEVEL=0"], text=True, capture_output=True, timeout=20,
                    stdin=subprocess.DEVNULL, check=False)
                self.assertNotEqual(done.returncode, 0)
                self.assertIn("alert protocol version", done.stderr)
                line = self.lottery.wait_line("tls_handshake", "fail", count=count)
                self.assertEqual(line.details["reason"], "the peer speaks no TLS 1.3")
        self.check_end()

    def test_a_chain_that_is_too_large(self):
        """Of many certificates, and of one with thousands of names."""
        authority = certificates.usual().at(self.folder / "certs")
        chain = authority.agency(2, name="chain", chain=[authority.cert] * 100)
        names = [f"agency-{i}.central.test" for i in range(2000)]
        large = authority.agency(2, name="names", dns=names)
        for identity in (chain, large):
            with self.assertRaises(GONE), self.peer(self.lottery, 2, identity) as peer:
                peer.received()
            self.check_honest(1)
        self.lottery.wait_line("tls_handshake", "fail", count=2)
        self.check_end()

    def test_a_chain_that_is_too_long(self):
        """Authorities under authorities, six of them."""
        (self.folder / "certs").mkdir()
        root = certificates.Authority(self.folder / "certs")  # the usual one signs no authorities
        server = self.secure_server(authority=root, identity=root.server(), level="DEBUG",
                                    folder=self.folder / "long")
        authority, chain = root, []
        for i in range(6):
            authority = authority.between(f"middle-{i}")
            chain.insert(0, authority.cert)
            context = certificates.agency_context(authority.agency(2, chain=chain), root)
            if i < 4:
                with Peer(server.port, 2, tls=context) as peer:
                    self.assertEqual(peer.received(), 0)
        with self.assertRaises(ssl.SSLError), Peer(server.port, 2, tls=context) as peer:
            peer.received()
        server.wait_line("tls_handshake", "fail", reason="the peer's certificate has too long a chain")
        self.check_end()


class PlainPort(TlsCase):
    def test_tls_to_the_plain_port(self):
        """The MALFORMED says what it looks like, and so does the log."""
        server = self.server(agencies=1, level="DEBUG")
        with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
            connection.sendall(client_hello())
            opcode, size = HEADER.unpack(connection.recv(5, socket.MSG_WAITALL))
            self.assertEqual(opcode, pb.OPCODE_ACK)
            answer = pb.Ack.FromString(connection.recv(size, socket.MSG_WAITALL))
            self.assertEqual(answer.code, pb.ACK_CODE_MALFORMED)
            self.assertIn("this looks like TLS, which this server does not speak", answer.detail)
            self.assertEqual(connection.recv(1), b"")
        server.wait_line("close_connection", "success",
                         reason="the peer speaks TLS, which is off here")
        with Peer(server.port) as peer:
            self.assertEqual(peer.received(), 0)
        self.assertEqual(server.stop(), 0)


class Halfway(HostileTls):
    settings = {"SERVER_HANDSHAKE_TIMEOUT": "1s"}

    def test_handshakes_that_stop(self):
        """At any byte of the hello, and after the server's answer."""
        hello = client_hello()
        cuts = [1, 4, 5, 6, 40, len(hello) - 1, len(hello)]
        crowd = []
        for cut in cuts * 5:
            connection = self.connect()
            connection.sendall(hello[:cut])
            crowd.append((cut, connection))
        self.wait_closed(LATE, len(crowd))
        for cut, connection in crowd:
            answer = read_to_the_end(connection)
            self.assertEqual(len(answer) > 500, cut == len(hello), (cut, answer[:20]))
        self.check_end()

    def test_a_byte_a_moment(self):
        """The time counts from the connection: whoever sends on and on has no more of it."""
        hello = client_hello()
        connection = self.connect()
        since = time.monotonic()
        with contextlib.suppress(ConnectionError):
            for byte in hello[:-1]:
                connection.sendall(bytes([byte]))
                if self.lottery.lines("close_connection", "success", reason=LATE):
                    break
                time.sleep(0.1)
        self.assertLess(time.monotonic() - since, 5)
        self.wait_closed(LATE)
        self.check_end()

    def test_messages_of_no_agency(self):
        """A proven agency that speaks only for others has no more time either."""
        with self.peer(self.lottery, 2) as peer, self.assertRaises(GONE):
            while True:
                self.assertEqual(peer.bets([], agency=3).code, pb.ACK_CODE_UNKNOWN_AGENCY)
                time.sleep(0.3)
        self.wait_closed("no message in time")
        self.check_end()


class LateMessages(HostileTls):
    settings = {"SERVER_HANDSHAKE_TIMEOUT": "3s"}  # a limit is looked at once a second

    def test_a_message_has_to_follow(self):
        """A handshake that ends late leaves only the rest of the time for the first message."""
        with socket.create_connection(("127.0.0.1", self.lottery.port), timeout=20) as connection:
            since = time.monotonic()
            tls = TlsSocket(connection, certificates.agency_context(certificates.of_agency(2)),
                            server_hostname="127.0.0.1")
            with contextlib.suppress(ssl.SSLWantReadError):
                tls.tls.do_handshake()
            time.sleep(2.8)
            tls.handshake()
            with contextlib.suppress(*GONE):
                self.assertEqual(tls.recv(100), b"")
            self.assertLess(time.monotonic() - since, 5.5)
        self.wait_closed("no message in time")
        self.check_end()


class AfterTheHandshake(HostileTls):
    """An agency whose certificate is good, and whose records are not."""

    def check_cut_off(self, data, reason=None, before=b""):
        """What comes before is answered; then the connection ends."""
        count = len(self.lottery.lines("close_connection", "success")) + 1
        with self.forger() as peer:
            if before:
                peer.send_raw(before)
            self.assertEqual(peer.received(), 0)
            with contextlib.suppress(ConnectionError):
                peer.send_raw(data(peer) if callable(data) else data)
            with self.assertRaises(GONE):
                while True:
                    peer.read()
        line = self.lottery.wait_line("close_connection", "success", count=count)
        if reason is not None:
            self.assertEqual(line.details["reason"], reason)
        self.assertNotEqual(line.details["reason"], DONE)
        self.check_honest(1)

    def test_garbage(self):
        """Records that are not encrypted with the connection's key, or are not whole, or too large."""
        generator = random.Random(7574)
        self.check_cut_off(record(DATA, generator.randbytes(300)))
        self.check_cut_off(QUESTION)
        self.check_cut_off(record(DATA, b"", 0xffff) + bytes(0xffff))
        self.check_cut_off(record(DATA, bytes(16384 + 257)))
        self.check_cut_off(record(DATA, b""))
        self.check_cut_off(record(HANDSHAKE, client_hello()[5:]))
        self.check_end()

    def test_a_close_notify_that_is_not_encrypted(self):
        """Anybody on the way can send that: it is not the end of what the agency says."""
        self.check_cut_off(alert(1, 0))
        self.check_end()

    def test_renegotiation(self):
        """A second hello, and other messages that have no place after the handshake."""
        for message in (client_hello()[5:], handshake_message(tls_records.FINISHED, bytes(48)),
                        handshake_message(tls_records.CERTIFICATE, bytes(100)),
                        handshake_message(tls_records.NEW_SESSION_TICKET, bytes(100)),
                        handshake_message(77, bytes(10))):
            self.check_cut_off(lambda peer, message=message: peer.sealed(HANDSHAKE, message))
        self.check_end()

    def test_contents_that_do_not_exist(self):
        for kind in (0, 20, 23 + 1, 99, 255):
            self.check_cut_off(lambda peer, kind=kind: peer.sealed(kind, b"\1"))
        self.check_cut_off(lambda peer: peer.sealed(0, b"", padding=1000))
        self.check_end()

    def test_alerts(self):
        """A fatal one ends the connection, and so do many that are none."""
        self.check_cut_off(lambda peer: peer.sealed(tls_records.ALERT, bytes([2, 80])))
        self.check_cut_off(lambda peer: b"".join(
            peer.sealed(tls_records.ALERT, bytes([1, 100])) for _ in range(1000)))
        self.check_end()

    def test_endless_key_updates(self):
        """Each costs us a key, and half of them an answer: whoever sends nothing else is cut off."""
        for asks_back in (False, True):
            self.check_cut_off(lambda peer, asks=asks_back: peer.key_updates(5000, asks))
        self.check_end()

    def test_endless_records_without_data(self):
        self.check_cut_off(lambda peer: b"".join(peer.sealed(DATA, b"") for _ in range(5000)))
        self.check_cut_off(lambda peer: b"".join(
            peer.sealed(DATA, b"", padding=10_000) for _ in range(500)))
        self.check_end()

    def test_key_updates_now_and_then(self):
        """They are part of the protocol: all goes on."""
        with self.forger() as peer:
            for i in range(20):
                self.assertEqual(peer.bets([bet(f"2x{i}")], i).received, i + 1)
                peer.send_raw(peer.key_updates(1, asks_back=i % 2 == 0))
            self.assertEqual(peer.received(), 20)
        self.check_end([b"2x%d" % i for i in range(20)])

    def test_a_byte_in_a_record(self):
        """Records of one byte, and of none but padding in between, are slow, but no fault."""
        data = frame(0, pb.NewBets(agency_id=2, bets=[bet("2x0")]))
        with self.forger() as peer:
            for byte in data:
                peer.send_raw(peer.sealed(DATA, bytes([byte]), padding=byte))
            self.assertEqual(peer.ack().received, 1)
        self.check_end([b"2x0"])

    def test_early_data(self):
        """Data with the first message, as somebody could send again who has recorded it: it is not
        read, and the rest goes on without it."""
        ticket, early = self.folder / "ticket", self.folder / "early"
        early.write_bytes(frame(0, pb.NewBets(agency_id=2, bets=[bet("666")])))
        identity = certificates.of_agency(2)

        def arguments(port, *options):
            return ["openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-cert", identity.cert,
                    "-key", identity.key, "-CAfile", certificates.usual().cert, *options]
        with OpensslCentral("-early_data") as other, subprocess.Popen(
                arguments(other.port, "-sess_out", ticket, "-ign_eof"), stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as client:
            wait_until(lambda: ticket.exists() and "END SSL" in ticket.read_text(), "a ticket")
            client.kill()
        self.assertIn("Max Early Data: 16384", certificates.openssl("sess_id", "-in", ticket, "-text",
                                                                    "-noout"))
        count = len(self.lottery.lines("close_connection")) + 1
        done = subprocess.run(
            arguments(self.lottery.port, "-sess_in", ticket, "-early_data", early), input="",
            text=True, capture_output=True, timeout=20, check=False)
        self.assertIn("New, TLSv1.3", done.stdout)
        self.assertIn("Early data was rejected", done.stdout)
        self.lottery.wait_line("close_connection", count=count)
        self.check_end()

    def test_no_tickets(self):
        """Each connection is proven by itself: nothing is given out with which another one could be
        resumed."""
        identity = certificates.of_agency(2)
        with self.peer(self.lottery, 2, identity) as peer:
            self.assertEqual(peer.received(), 0)
            self.assertFalse(peer.socket.tls.session.has_ticket)
        self.check_end()


class Buffered(HostileTls):
    """What was decrypted and cannot be taken yet has to wait, as bytes in the kernel do."""
    settings = {"SERVER_MAX_BUFFERED": "1"}

    def test_more_than_may_be_buffered(self):
        """Thousands of messages in few records: each is answered, in order."""
        count = 500
        data = b"".join(frame(0, pb.NewBets(agency_id=2, offset=i, bets=[bet(f"2x{i}")]))
                        for i in range(count))
        with self.peer(self.lottery, 2) as peer:
            sender = threading.Thread(target=peer.socket.plain.sendall, args=(sealed(peer, data),))
            sender.start()
            for i in range(count):
                self.assertEqual(peer.ack().received, i + 1)
            sender.join()
        self.check_end([b"2x%d" % i for i in range(count)])


class NeverReads(HostileTls):
    settings = {"SERVER_FRAME_TIMEOUT": "2s", **SMALL_QUARANTINE}

    def test_a_peer_that_never_reads(self):
        """It keeps asking and reads no answer: it is slowed down, and then cut off."""
        with Forger(self.lottery.port, 2, certificates.of_agency(2),
                    receive_buffer=16 * 1024) as peer:
            self.assertEqual(peer.received(), 0)
            peer.socket.plain.settimeout(0.1)
            data, sent = b"", 0

            def send_more():
                nonlocal data, sent
                self.check_honest(1)
                with contextlib.suppress(OSError):  # not now, or not any more
                    while sent < 50_000_000:
                        data = data or peer.sealed(DATA, QUESTION * (16384 // len(QUESTION)))
                        count = peer.socket.plain.send(data)
                        data, sent = data[count:], sent + count
                return self.lottery.lines("close_connection", "success",
                                          reason="answers are not read")
            wait_until(send_more, "the end", 20)
            self.assertLess(sent, 50_000_000, "all of it was read")
        for pid in self.lottery.children()["worker"]:
            self.assertLess(memory_mib(pid, "VmHWM"), 64)
        self.check_end()


class Cuts(HostileTls):
    """Connections that end without close_notify: the rest may be missing."""

    def test_in_a_frame_and_after_a_batch(self):
        """What is whole is stored and answered; that the rest is missing is in the log."""
        batch = frame(0, pb.NewBets(agency_id=2, bets=[bet("2x0")]))
        second = frame(0, pb.NewBets(agency_id=2, offset=1, bets=[bet("2x1")]))
        for count, (data, received) in enumerate(((batch[:9], None), (batch, 1),
                                                  (second[:20], None), (second, 2)), 1):
            peer = self.peer(self.lottery, 2)
            peer.send_bytes(data)
            if received is not None:
                self.assertEqual(peer.ack().received, received)
            peer.cut()
            self.wait_closed(CUT, count)
        with self.peer(self.lottery, 2) as peer:
            self.assertEqual(peer.received(), 2)
        self.wait_closed(DONE)
        self.check_end([b"2x0", b"2x1"])

    def test_while_waiting_for_the_draw(self):
        """It has finished, counts once, and gets its winners when it comes back."""
        for count in (1, 2):
            peer = self.peer(self.lottery, 2)
            peer.send_finished(0)
            self.lottery.wait_line("agencia_finalizada", "success", agencia=2, count=count)
            peer.cut()
            self.wait_closed(CUT, count)
        self.honest.send_finished(self.placed)
        with self.peer(self.lottery, 2) as two, self.peer(self.lottery, 3) as three:
            self.assertEqual((three.finish(0), two.finish(0)), ([], []))
        self.assertEqual(len(self.lottery.lines("sorteo", "success")), 1)

    def test_an_echo(self):
        """A line without an end is a line if the peer has ended, and none if it was cut."""
        server = self.secure_server(mode="echo", level="DEBUG", folder=self.folder / "echo")
        with self.peer(server, 2) as peer:
            peer.send_bytes(b"whole")
            peer.end()
            self.assertEqual(peer.socket.recv(100), b"whole")
        peer = self.peer(server, 2)
        peer.send_bytes(b"half")
        peer.socket.plain.shutdown(socket.SHUT_WR)
        with self.assertRaises(GONE):
            self.assertEqual(peer.socket.recv(100), b"")
            raise Closed
        peer.cut()
        server.wait_line("close_connection", "success", reason=CUT)
        self.assertEqual([line.details["msg"] for line in
                          server.lines("receive_message", "success")], ["whole"])


class Centrals(TlsCase):
    """What an agency meets."""

    def setUp(self):
        super().setUp()
        self.bets = self.file_of_bets(1, 3)

    def agency_of(self, fake, **settings):
        return self.secure_agency(1, fake.port, self.bets, level="DEBUG", **settings)

    def central(self):
        return FakeServer(tls=certificates.server_context())

    def talk(self, caller, received=3):
        caller.read_question()
        caller.answer(received)

    def test_winners_that_are_cut(self):
        """Within the list, within a frame, and before it: a cut is no end. It asks again, and counts
        only what is whole."""
        one = frame(pb.OPCODE_WINNERS, pb.Winners(agency_id=1, documents=["1"], more=True))
        last = frame(pb.OPCODE_WINNERS, pb.Winners(agency_id=1, documents=["2", "3"]))
        with self.central() as fake:
            agency = self.agency_of(fake)
            for data in (b"", one, one + last[:-1], one * 3):
                with fake.accept() as caller:
                    self.talk(caller)
                    caller.read_finished()
                    caller.send_bytes(data)
                    caller.cut()
            agency.wait_line("connect", "in_progress", count=4, reason=CUT)
            with fake.accept() as caller:
                self.talk(caller)
                caller.read_finished()
                caller.send_bytes(one + last)
            self.check_winners(agency, 3)

    def test_an_end_before_the_winners(self):
        """With close_notify it is an end, and nothing else: there are no winners in it either."""
        with self.central() as fake:
            agency = self.agency_of(fake)
            with fake.accept() as caller:
                self.talk(caller)
                caller.read_finished()
            with fake.accept() as caller:
                self.talk(caller)
                caller.read_finished()
                caller.send_winners(["7"])
            self.check_winners(agency, 1)
            self.assertEqual(agency.lines("connect", "in_progress", reason=CUT), [])

    def test_acknowledgements_that_are_cut(self):
        """What was not acknowledged is sent again."""
        with self.central() as fake:
            agency = self.agency_of(fake)
            with fake.accept() as caller:
                self.talk(caller, 0)
                self.assertEqual(len(caller.read_bets().bets), 3)
                caller.send_bytes(frame(pb.OPCODE_ACK, pb.Ack(code=1, received=3))[:-1])
                caller.cut()
            with fake.accept() as caller:
                self.talk(caller, 0)
                self.assertEqual(len(caller.read_bets().bets), 3)
                caller.answer(3)
                caller.read_finished()
                caller.send_winners([])
            self.check_winners(agency, 0)

    def test_an_echo_that_is_cut(self):
        """Whatever its end is, an echo is whole with its line end; what is missing has a reason."""
        for is_whole, is_cut in ((False, True), (False, False), (True, True)):
            with self.central() as fake:
                agency = self.secure_agency(1, fake.port, mode="echo", CLI_LOOP_AMOUNT="1",
                                            CLI_LOOP_PERIOD="10ms")
                with fake.accept() as caller:
                    line = caller.socket.recv(1000)
                    caller.send_bytes(line if is_whole else line.rstrip(b"\n"))
                    if is_cut:
                        caller.cut()
                self.assertEqual(agency.wait(), 0 if is_whole else 1, agency.output())
                line = agency.lines("receive_message", "success" if is_whole else "fail")[0]
                self.assertEqual(line.details.get("error") == CUT, is_cut and not is_whole)

    def test_handshakes_that_stop(self):
        """It does not wait for them longer than for any answer, and tries again."""
        hello_size = len(client_hello())
        with FakeServer() as fake:
            agency = self.agency_of(fake, CLI_CONNECT_TIMEOUT="1s")
            with fake.accept() as one:
                self.assertGreater(len(one.socket.recv(hello_size)), 100)
                one.send_bytes(record(HANDSHAKE, b"\2\0\0\x76", 122))
                self.assertEqual(agency.wait(), 1, agency.output())
            self.assertTrue(agency.lines("connect", "fail"))

    def test_nonsense(self):
        """Other protocols, records that lie, alerts, and an oversized chain."""
        authority = certificates.usual().at(self.folder / "certs")
        large = authority.server("chain", chain=[authority.cert] * 100)
        context = certificates.server_context(large)
        answers = (b"220 mail.test ESMTP\r\n", b"HTTP/1.1 400 Bad Request\r\n\r\n",
                   frame(pb.OPCODE_ACK, pb.Ack(code=1)), alert(2, 80), alert(1, 0),
                   record(DATA, b"x" * 100), record(HANDSHAKE, b"", 0xffff) + bytes(0xffff))
        with contextlib.ExitStack() as stack:
            fakes = [stack.enter_context(FakeServer()) for _ in (*answers, context)]
            agencies = [self.agency_of(fake) for fake in fakes]  # all at the same time
            for fake, answer in zip(fakes, answers):
                with fake.accept() as caller:
                    caller.socket.recv(4096)
                    caller.send_bytes(answer)
                    with contextlib.suppress(ConnectionError):
                        caller.socket.recv(1)  # it ends the connection
            fakes[-1].tls = context
            with self.assertRaises((ssl.SSLError, ConnectionError)):
                with fakes[-1].accept() as caller:
                    caller.read()
            for fake, agency in zip(fakes, agencies):
                agency.wait_line("connect", "in_progress")
                fake.tls = certificates.server_context()
                with fake.accept() as caller:
                    self.talk(caller)
                    caller.read_finished()
                    caller.send_winners(["1"])
                self.check_winners(agency, 1)


class Crowds(HostileTls):
    """Thousands of handshakes beside agencies that work."""
    half_open = 2000
    half_open_kib = 64  # of memory for each of them, at most
    bets = 4000
    settings = SMALL_QUARANTINE

    def setUp(self):
        allow_descriptors(self, self.half_open + 500)
        super().setUp()

    def sockets(self):
        """Of all workers."""
        count = 0
        for pid in self.lottery.children()["worker"]:
            for descriptor in pathlib.Path(f"/proc/{pid}/fd").iterdir():
                with contextlib.suppress(FileNotFoundError):  # closed meanwhile
                    count += str(descriptor.readlink()).startswith("socket:")
        return count

    def check_all_gone(self, before):
        """No connection is kept whose peer has gone, and they need not wait for the time limit."""
        wait_until(lambda: self.sockets() <= before, "the end of all connections")

    def handshakes(self, done, counts):
        """One after the other, without end: half of them with a certificate that is refused."""
        contexts = [certificates.agency_context(certificates.of_agency(2)),
                    certificates.agency_context(certificates.of_agency(2, certificates.another()),
                                                certificates.usual())]
        while not done.is_set():
            for i, context in enumerate(contexts):
                with contextlib.suppress(OSError), Peer(self.lottery.port, 2, tls=context):
                    counts[i] += 1

    def test_beside_agencies(self):
        """Half-open ones by the thousand and whole ones in a loop: two agencies send their bets and
        finish meanwhile, and a worker does not need more memory than the bound."""
        hello = client_hello()
        before = {pid: memory_mib(pid, "VmHWM") for pid in self.lottery.children()["worker"]}
        crowd = []
        for i in range(self.half_open):
            connection = self.connect()
            connection.sendall(hello if i % 4 else hello[:len(hello) // 2])
            crowd.append(connection)
        done, counts = threading.Event(), [0, 0]
        loop = threading.Thread(target=self.handshakes, args=(done, counts))
        loop.start()
        try:
            agencies = [self.secure_agency(i, self.lottery.port, self.file_of_bets(i, self.bets))
                        for i in (2, 3)]
            for agency in agencies:
                agency.wait_line("apuestas_enviadas", "success")
            self.check_honest(20)
            wait_until(lambda: min(counts) > 100, "handshakes")
            peaks = {pid: memory_mib(pid, "VmHWM") for pid in before}
        finally:
            done.set()
            loop.join()
        self.honest.send_finished(self.placed)
        self.honest.winners()
        self.honest.close()
        for agency in agencies:
            self.check_winners(agency, 1)
        for connection in crowd:
            connection.close()
        for pid, peak in peaks.items():
            self.assertLess(peak, before[pid] + self.half_open * self.half_open_kib / 1024)
        self.assertEqual(self.lottery.stop(), 0)
        self.assertEqual(len(self.lottery.bets()), 2 * self.bets + self.placed)

    def test_all_at_once(self):
        """Hundreds of whole handshakes that all begin in the same moment: each one is served."""
        hellos = []
        context = certificates.agency_context(certificates.of_agency(2))
        for _ in range(300):
            tls = TlsSocket(self.connect(), context, server_hostname="127.0.0.1")
            with contextlib.suppress(ssl.SSLWantReadError):
                tls.tls.do_handshake()
            hellos.append(tls)
        for tls in hellos:
            tls.flush()
        self.check_honest(20)
        for tls in hellos:
            tls.handshake()
            tls.sendall(QUESTION)
        for tls in hellos:
            self.assertEqual(len(tls.recv(100)), len(frame(1, pb.Ack(code=1))))
            tls.close()
        self.check_end()

    def test_connect_and_vanish(self):
        """Connections that are reset within the handshake."""
        hello, before = client_hello(), self.sockets()
        for i in range(300):
            connection = socket.create_connection(("127.0.0.1", self.lottery.port))
            connection.sendall(hello[:len(hello) * (i % 4) // 3])
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            connection.close()
        self.check_all_gone(before)
        self.check_end()

    def test_vanish_between_hello_and_finish(self):
        """And those that break off with our answer unread."""
        hello, before = client_hello(), self.sockets()
        for _ in range(100):
            connection = self.connect()
            connection.sendall(hello)
            connection.recv(1)
            connection.close()
        self.check_all_gone(before)
        self.check_end()


if __name__ == "__main__":
    unittest.main()
