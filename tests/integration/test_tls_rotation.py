"""New certificates without a stop: what `reload` takes, what it refuses, and who is cut off by it."""
import os
import shutil
import ssl
import unittest

import certificates
from certificates import Identity, from_now
from test_movements import MovementCase
from tls_case import TlsCase
from wire import Peer, bet, pb

OLD = {"start": "20200101000000Z", "end": "20210101000000Z"}


class RotationCase(TlsCase, MovementCase):
    """The server's files are its own copies, which a test replaces."""

    def setUp(self):
        super().setUp()
        self.authority = certificates.usual().at(self.folder / "certs")
        folder = self.folder / "tls"
        folder.mkdir()
        self.files = Identity(folder / "server.crt", folder / "server.key")
        self.ca, self.crl = folder / "ca.crt", folder / "ca.crl"
        self.put(certificates.of_server())
        shutil.copy(self.authority.cert, self.ca)
        self.authority.revoke(self.crl)
        self.settings = {"TLS_CERT": self.files.cert, "TLS_KEY": self.files.key, "TLS_CA": self.ca,
                         "TLS_CRL": self.crl}

    def put(self, identity):
        """As an administrator does it: a new file in the place of the old one."""
        for source, target in zip(identity, self.files):
            new = target.with_suffix(".new")
            shutil.copy(source, new)
            if target == self.files.key:
                new.chmod(0o600)
            new.rename(target)

    def start_secure(self, agencies=2, **environment):
        return self.start(agencies, self.settings, **environment)

    def own(self, name, **parts):
        return self.authority.server(name, **parts)

    def shown_by(self, server):
        """The certificate that a new connection is shown."""
        with self.peer(server, 2) as peer:
            peer.received()
            return ssl.DER_cert_to_PEM_cert(peer.socket.tls.getpeercert(binary_form=True))

    def pem_of(self, identity):
        text = identity.cert.read_text()
        return text[text.index("-----BEGIN"):]


class Rotation(RotationCase):
    def test_while_agencies_work(self):
        """A second authority becomes trusted, then the certificates change to it, then the first one
        is dropped; agencies that work meanwhile come back each time, and all bets are stored once."""
        another = certificates.another()
        both = self.folder / "both.crt"
        certificates.append(both, self.authority.cert, another.cert)
        counts = {1: 4000, 2: 4000, 3: 0}
        del self.settings["TLS_CRL"]  # that of the first authority says nothing of the second
        server = self.start_secure(3)
        agencies = []
        for i in (1, 2):
            # The second one has changed to the new authority already.
            identity = certificates.of_agency(i, another if i == 2 else None)
            agencies.append(self.secure_agency(
                i, server.port, self.file_of_bets(i, counts[i]), identity=identity, level="DEBUG",
                CLI_TLS_CA=str(both), CLI_BATCH_MAXAMOUNT="5"))
            if i == 1:
                agencies[0].wait_line("connect", "success")
        server.wait_line("tls_handshake", "fail", certificate="lottery:agency:2",
                         reason="the peer's certificate is of another authority")
        server.wait_line("apuesta_recibida", "success", count=20)
        shutil.copy(both, self.ca)
        self.reload(server)
        agencies[1].wait_line("connect", "success", count=1)
        agencies[0].wait_line("connect", "success", count=2)
        self.put(certificates.of_server(another))
        self.reload(server)
        agencies[0].wait_line("connect", "success", count=3)
        for agency in agencies:
            agency.wait_line("apuestas_enviadas", "success")
        last = Peer(server.port, 3, tls=certificates.agency_context(
            certificates.of_agency(3, another), another))
        with last:
            self.assertEqual(last.received(), 0)
            shutil.copy(another.cert, self.ca)
            # The first agency's certificate is worth nothing from here on.
            agencies[0].signal(15)
            self.assertEqual(agencies[0].wait(), 0)
            self.reload(server)
        agency = self.secure_agency(1, server.port, self.file_of_bets(1, counts[1]),
                                    identity=certificates.of_agency(1, another), authority=another)
        with Peer(server.port, 3, tls=certificates.agency_context(
                certificates.of_agency(3, another), another)) as last:
            self.assertEqual(last.finish(0), [])
        for one in (agency, agencies[1]):
            self.check_winners(one, 1)
        self.assertEqual(server.stop(), 0)
        self.check_complete(server, counts)
        self.assertEqual(len(server.lines("listen")), 1)
        self.assertEqual(len(server.lines("sorteo", "success")), 1)
        lines = server.lines("tls", "success")
        self.assertEqual(len(lines), 4)
        self.assertEqual({line.details["certificate"] for line in lines}, {str(self.files.cert)})
        self.assertEqual(server.lines("close_process", "fail"), [])

    def test_bad_files(self):
        """Each is refused with the reason, and what was in force stays: no connection breaks."""
        server = self.start_secure()
        server.wait_ready()
        before, children = self.shown_by(server), server.children()
        garbage = self.folder / "garbage"
        garbage.write_bytes(os.urandom(300))
        new = self.own("new")
        encrypted = self.folder / "encrypted.key"
        certificates.openssl("pkcs8", "-topk8", "-in", new.key, "-out", encrypted, "-passout",
                             "pass:secret")
        old_list = self.authority.revoke(self.folder / "old.crl", start=from_now(days=-9),
                                         end=from_now(days=-2))
        foreign = certificates.another().revoke(self.folder / "foreign.crl")
        future = self.own("future", start=from_now(days=3))
        copies = {path: path.read_bytes() for path in (*self.files, self.ca, self.crl)}

        def restore():
            for path, data in copies.items():
                path.unlink(missing_ok=True)
                path.write_bytes(data)
                path.chmod(0o600)
        with self.peer(server, 1) as peer:
            peer.bets([bet()])
            cases = [(lambda: self.files.cert.unlink(), self.files.cert, "No such file"),
                     (lambda: self.files.key.unlink(), self.files.key, "No such file"),
                     (lambda: self.ca.unlink(), self.ca, "No such file"),
                     (lambda: self.crl.unlink(), self.crl, "No such file"),
                     (lambda: self.put(Identity(new.cert, certificates.of_agency(1).key)),
                      self.files.key, ""),
                     (lambda: self.put(self.own("expired", **OLD)), self.files.cert, ""),
                     (lambda: self.put(future), self.files.cert, ""),
                     (lambda: self.put(Identity(new.cert, encrypted)), self.files.key, "encrypted"),
                     (lambda: self.put(Identity(garbage, new.key)), self.files.cert, ""),
                     (lambda: self.put(Identity(new.cert, garbage)), self.files.key, ""),
                     (lambda: shutil.copy(garbage, self.ca), self.ca, ""),
                     (lambda: shutil.copy(garbage, self.crl), self.crl, ""),
                     (lambda: shutil.copy(old_list, self.crl), self.crl, ""),
                     (lambda: shutil.copy(foreign, self.crl), self.crl, "not signed by"),
                     (lambda: self.files.key.chmod(0o644), self.files.key, "chmod")]
            for number, (damage, path, reason) in enumerate(cases):
                with self.subTest(number, path=path.name):
                    damage()
                    text = self.reload(server, "fail").text
                    self.assertIn(str(path), text)
                    self.assertIn(reason, text)
                    restore()
            self.configure(2, **{key: self.settings[key] for key in ("TLS_CERT", "TLS_CA")})
            self.assertIn("TLS_KEY", self.reload(server, "fail").text)
            self.assertEqual(peer.received(), 1)
        self.assertEqual(server.children(), children)
        self.assertEqual(self.shown_by(server), before)
        self.configure(2, **self.settings)
        self.put(new)
        self.reload(server)
        self.assertEqual(self.shown_by(server), self.pem_of(new))
        self.assertEqual(server.stop(), 0)

    def test_a_damaged_file_and_a_dead_worker(self):
        """What is in force is in memory: a worker that takes the place of a dead one has it, too."""
        server = self.start_secure(workers=1)
        server.wait_ready()
        before = self.shown_by(server)
        for path in (*self.files, self.ca, self.crl):
            path.unlink()
        self.assertTrue(server.kill_one("worker"))
        server.wait_line("start_process", "success", count=sum(server.roles.values()) + 1)
        server.wait_line("accept_connections", "in_progress", count=2)
        self.assertEqual(self.shown_by(server), before)
        self.assertEqual(server.stop(), 0)

    def test_revoked(self):
        """Whoever is on the new list is cut off and not let in again; the others come back."""
        server = self.start_secure(3)
        stolen, renewed = certificates.of_agency(1), self.authority.agency(
            1, name="renewed")
        bets = self.file_of_bets(1, 5000)
        thief = self.secure_agency(1, server.port, bets, identity=stolen,
                                   level="DEBUG", CLI_BATCH_MAXAMOUNT="2",
                                   CLI_CONNECT_TIMEOUT="5s")
        honest = self.secure_agency(2, server.port, self.file_of_bets(2, 100), level="DEBUG")
        server.wait_line("apuesta_recibida", "success", count=20)
        honest.wait_line("apuestas_enviadas", "success")
        self.authority.revoke(self.crl, stolen.cert)
        self.assertIsNone(thief.process.poll())
        self.reload(server)
        line = server.wait_line("tls_handshake", "fail", certificate="lottery:agency:1")
        self.assertEqual(line.details["reason"], "the peer's certificate is revoked")
        self.assertEqual(thief.wait(), 1, thief.output())
        self.assertEqual(thief.lines("connect", "fail")[-1].details["reason"].split(": it ")[1],
                         "is revoked")
        owner = self.secure_agency(1, server.port, bets, identity=renewed)
        with self.peer(server, 3) as peer:
            self.assertEqual(peer.finish(0), [])
        for agency in (owner, honest):
            self.check_winners(agency, 1)
        self.assertEqual(server.stop(), 0)
        self.check_complete(server, {1: 5000, 2: 100, 3: 0})

    def test_on_and_off(self):
        """From plain to TLS and back: it is a setting like others. Agencies that are already
        configured for what comes next wait for it."""
        server = self.start(3)
        plain = self.agency(1, server.port, self.file_of_bets(1, 1000), level="DEBUG",
                            CLI_BATCH_MAXAMOUNT="1")
        secure = self.secure_agency(2, server.port, self.file_of_bets(2, 100), level="DEBUG")
        secure.wait_line("connect", "in_progress", reason="the peer does not speak TLS")
        plain.wait_line("connect", "success")
        self.configure(3, **self.settings)
        self.reload(server)
        self.assertEqual(len(server.lines("tls", "success")), 1)
        secure.wait_line("apuestas_enviadas", "success")
        plain.wait_line("connect", "in_progress")
        with Peer(server.port, 3) as peer:
            peer.send_bets([])
            self.assertEqual(peer.socket.recv(2), b"\x15\x03")  # an alert of TLS
        with self.peer(server, 3) as peer:
            self.assertEqual(peer.received(), 0)
        self.configure(3)
        self.reload(server)
        self.assertEqual(len(server.lines("tls", "success")), 1)
        plain.wait_line("apuestas_enviadas", "success")
        with Peer(server.port, 3) as peer:
            self.assertEqual(peer.bets([]).code, pb.ACK_CODE_OK)
        self.configure(3, **self.settings)
        self.reload(server)
        with self.peer(server, 3) as peer:
            self.assertEqual(peer.finish(0), [])
            self.check_winners(secure, 1)
        self.configure(3)
        self.reload(server)
        self.check_winners(plain, 1)
        self.assertEqual(server.stop(), 0)
        self.check_complete(server, {1: 1000, 2: 100, 3: 0})

    def test_new_files_of_an_agency(self):
        """The server need not know: any certificate of the authority that names the agency will do."""
        server = self.start_secure(1)
        for received, name in enumerate(("first", "second")):
            with self.peer(server, 1, self.authority.agency(1, name)) as peer:
                self.assertEqual(peer.received(), received)
                peer.bets([bet(f"1x{received}")], received)
        self.assertEqual(server.stop(), 0)
        self.check_complete(server, {1: 2})


if __name__ == "__main__":
    unittest.main()
