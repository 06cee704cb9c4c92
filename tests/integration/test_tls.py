"""Who is let in: TLS with certificates on both sides, in all that people configure and see of it."""
import os
import pathlib
import shutil
import ssl
import subprocess
import threading
import unittest

import certificates
from certificates import Identity, from_now
from fake_server import FakeServer
from openssl_peer import OpensslCentral, OpensslPeer
from programs import BIN, environment_with
from tls_case import TlsCase
from wire import Closed, Cut, Peer, bet, frame, pb

GONE = (Closed, ConnectionError, ssl.SSLError)
OLD = {"start": "20200101000000Z", "end": "20210101000000Z"}
OURS = "the peer refuses our certificate: it "
PEERS = "the peer's certificate "


class Certificates(TlsCase):
    """Certificates that a test issues are in a folder of its own."""

    def setUp(self):
        super().setUp()
        self.authority = certificates.usual().at(self.folder / "certs")

    def check_gave_up(self, agency, reason):
        """It has tried again, and says why it goes no further."""
        self.assertEqual(agency.wait(), 1, agency.output())
        last = agency.lines("connect", "fail")[-1]
        self.assertIn(reason, last.details["reason"])
        self.assertTrue(agency.lines("connect", "in_progress", reason=reason), agency.output())


class ServerRefuses(Certificates):
    """Agencies that the server does not let in. Each is told why, as far as TLS has a word for it."""

    def start(self, **settings):
        return self.secure_server(agencies=5, level="DEBUG", **settings)

    def check_refused(self, server, cases):
        """Agencies with these certificates all try at the same time."""
        bets = self.file_of_bets(1, 3)
        agencies = {
            name: self.secure_agency(1, server.port, bets, identity=identity)
            for name, (identity, *_) in cases.items()}
        for name, (_, shown, reason, told) in cases.items():
            with self.subTest(name):
                line = server.wait_line("tls_handshake", "fail", certificate=shown, reason=reason)
                self.assertIn(" WARNING ", line.text)
                self.assertEqual(list(line.details), ["ip", "certificate", "reason"])
                self.assertEqual(line.details["ip"], "127.0.0.1")
                agencies[name].wait_line("connect", "in_progress", reason=told)
        with self.peer(server, 2) as peer:
            self.assertEqual(peer.received(), 0)
        self.assertEqual(server.stop(), 0)
        self.assertEqual(server.bets(), [])
        self.assertEqual(server.lines("apuesta_recibida"), [])

    def test_time_and_authority(self):
        another = certificates.another()
        self_signed = certificates.self_signed(self.folder, "self-signed", "lottery:agency:4")
        future = {"start": from_now(days=2), "end": from_now(days=30)}
        self.check_refused(self.start(), {
            "expired": (self.authority.agency(1, "expired", **OLD), "lottery:agency:1",
                        PEERS + "has expired", OURS + "has expired"),
            "future": (self.authority.agency(3, "future", **future), "lottery:agency:3",
                       PEERS + "is not valid yet", OURS + "is not acceptable"),
            "another authority": (certificates.of_agency(2, another), "lottery:agency:2",
                                  PEERS + "is of another authority",
                                  OURS + "is of an authority that it does not know"),
            "self-signed": (self_signed, "lottery:agency:4",
                                    PEERS + "is of another authority",
                                    OURS + "is of an authority that it does not know"),
        })

    def test_names_and_use(self):
        refused = OURS + "is not acceptable"
        none = PEERS + "names no agency"

        def named(*uris):
            return self.authority.issue("-".join(uris) or "none", uris=uris)
        self.check_refused(self.start(), {
            "none": (named(), "CN=none", none, refused),
            "dns": (self.authority.issue("dns", dns=["agency-1"]), "CN=dns", none, refused),
            "leading zero": (named("lottery:agency:01"), "lottery:agency:01", none, refused),
            "zero": (named("lottery:agency:0"), "lottery:agency:0", none, refused),
            "too large": (named("lottery:agency:4294967296"), "lottery:agency:4294967296", none,
                          refused),
            "no number": (named("lottery:agency:1x"), "lottery:agency:1x", none, refused),
            "several": (named("lottery:agency:1", "lottery:agency:2"), "lottery:agency:1",
                        PEERS + "names several", refused),
            "agency and server": (named("lottery:agency:3", "lottery:server"), "lottery:agency:3",
                                  PEERS + "names several", refused),
        })

    def test_use(self):
        """A certificate that is only for servers; our own agency would not even start with it."""
        server = self.start()
        identity = self.authority.agency(4, "use", use="serverAuth")
        with self.assertRaises(ssl.SSLError) as caught, self.peer(server, 4, identity) as peer:
            peer.received()
        self.assertIn("UNSUPPORTED_CERTIFICATE", str(caught.exception).upper())
        server.wait_line("tls_handshake", "fail", certificate="lottery:agency:4",
                         reason=PEERS + "is not for this use")
        self.assertEqual(server.stop(), 0)

    def test_revoked(self):
        """Only those on the list; the server's own certificate may be on it, too."""
        crl = self.authority.revoke(self.folder / "ca.crl", certificates.of_agency(1).cert,
                                    certificates.of_agency(3).cert)
        self.check_refused(self.start(crl=crl), {
            "1": (certificates.of_agency(1), "lottery:agency:1", PEERS + "is revoked",
                  OURS + "is revoked"),
            "3": (certificates.of_agency(3), "lottery:agency:3", PEERS + "is revoked",
                  OURS + "is revoked")})

    def test_a_list_that_is_out_of_date(self):
        """The server starts with a warning, and lets nobody in."""
        crl = self.authority.revoke(self.folder / "ca.crl", start=from_now(days=-9),
                                    end=from_now(days=-2))
        server = self.start(crl=crl)
        self.assertIn(" WARNING ", server.wait_line("tls", "in_progress").text)
        self.assertIn(str(crl), server.lines("tls", "in_progress")[0].details["reason"])
        agency = self.secure_agency(1, server.port, self.file_of_bets(1, 3))
        server.wait_line("tls_handshake", "fail", certificate="lottery:agency:1",
                         reason="the list of revoked certificates is out of date")
        agency.wait_line("connect", "in_progress", reason=OURS + "is not acceptable")

    def test_no_certificate_and_no_tls_1_3(self):
        """Whoever shows no certificate, or speaks only TLS 1.2."""
        server = self.start()
        nothing = certificates.agency_context(None)
        with self.assertRaises(ssl.SSLError) as caught, Peer(server.port, 1, tls=nothing) as peer:
            peer.received()
        self.assertIn("CERTIFICATE_REQUIRED", str(caught.exception))
        line = server.wait_line("tls_handshake", "fail", reason="the peer shows no certificate")
        self.assertEqual(list(line.details), ["ip", "reason"])
        old = certificates.agency_context(certificates.of_agency(1))
        old.minimum_version = ssl.TLSVersion.TLSv1_2
        old.maximum_version = ssl.TLSVersion.TLSv1_2
        with self.assertRaises(ssl.SSLError) as caught, Peer(server.port, 1, tls=old):
            pass
        self.assertIn("PROTOCOL_VERSION", str(caught.exception))
        server.wait_line("tls_handshake", "fail", reason="the peer speaks no TLS 1.3")
        self.assertEqual(server.stop(), 0)

    def test_connect_and_go(self):
        """Who only connects is no failed handshake."""
        server = self.start()
        Peer(server.port).close()
        server.wait_line("close_connection", "success")
        self.assertEqual(server.stop(), 0)
        self.assertEqual(server.lines("tls_handshake"), [])


class AgencyRefuses(Certificates):
    """Servers that an agency does not trust: it sends nothing, and says why."""

    def check_refused(self, reason, told, identity, authority=None):
        server = self.secure_server(agencies=1, identity=identity, level="DEBUG",
                                    folder=self.folder / pathlib.Path(identity.cert).stem)
        agency = self.secure_agency(1, server.port, self.file_of_bets(1, 3), authority=authority)
        agency.wait_line("connect", "in_progress", reason=reason)
        line = server.wait_line("tls_handshake", "fail", reason=told)
        self.assertEqual(list(line.details), ["ip", "reason"])
        self.assertEqual(server.stop(), 0)
        self.assertEqual(server.bets(), [])
        return server

    def test_expired(self):
        """The server knows, too: its clock may be wrong, so it starts all the same."""
        identity = self.authority.server("expired", **OLD)
        server = self.check_refused(PEERS + "has expired", OURS + "has expired", identity)
        line = server.wait_line("tls", "in_progress")
        self.assertIn(" WARNING ", line.text)
        self.assertIn(str(identity.cert), line.details["reason"])

    def test_not_valid_yet(self):
        identity = self.authority.server("future", start=from_now(days=2))
        self.check_refused(PEERS + "is not valid yet", OURS + "is not acceptable", identity)

    def test_another_authority(self):
        self.check_refused(PEERS + "is of another authority",
                           OURS + "is of an authority that it does not know",
                           certificates.of_server(), authority=certificates.another())

    def test_another_name(self):
        identity = self.authority.server("name", dns=["central.test"], ips=["127.0.0.3"])
        self.check_refused(PEERS + "is not for the name of this server",
                           OURS + "is not acceptable", identity)

    def test_an_agency_as_server(self):
        """A stolen certificate of an agency makes nobody a central."""
        identity = self.authority.agency(2, "server", **certificates.SERVER_NAMES)
        with FakeServer(tls=certificates.server_context(identity)) as fake:
            agency = self.secure_agency(1, fake.port, self.file_of_bets(1, 3))
            with self.assertRaises(ssl.SSLError) as caught:
                fake.accept()
            self.assertIn("UNSUPPORTED_CERTIFICATE", str(caught.exception).upper())
            agency.wait_line("connect", "in_progress", reason=PEERS + "is not for this use")

    def test_own_certificate_out_of_time(self):
        """A warning, and the agency goes on: the server decides."""
        identity = self.authority.agency(1, "expired", **OLD)
        with FakeServer(tls=certificates.server_context()) as fake:
            agency = self.secure_agency(1, fake.port, self.file_of_bets(1, 3), identity=identity)
            line = agency.wait_line("tls", "in_progress")
            self.assertIn(" WARNING ", line.text)
            self.assertIn(str(identity.cert), line.details["reason"])
            with self.assertRaises(ssl.SSLError):
                fake.accept()
            agency.wait_line("connect", "in_progress", reason=OURS + "has expired")

    def test_a_central_without_tls(self):
        """It answers with a MALFORMED that says so in its own log, and the agency knows as well."""
        server = self.server(agencies=1, level="DEBUG")
        agency = self.secure_agency(1, server.port, self.file_of_bets(1, 3),
                                    CLI_CONNECT_TIMEOUT="2s")
        self.check_gave_up(agency, "the peer does not speak TLS")

    def test_an_agency_without_tls(self):
        """It says what the central wants."""
        server = self.secure_server(agencies=1, level="DEBUG")
        agency = self.agency(1, server.port, self.file_of_bets(1, 3), CLI_CONNECT_TIMEOUT="2s")
        self.assertEqual(agency.wait(), 1, agency.output())
        wants = "the central wants TLS: set tls.cert, tls.key and tls.ca"
        self.assertTrue(agency.lines("connect", "in_progress", reason=wants))
        self.assertTrue(agency.lines("apuestas_enviadas", "fail", reason=wants))
        server.wait_line("tls_handshake", "fail", reason="the peer does not speak TLS")


class Claims(Certificates):
    """What a connection may say is what its certificate says."""

    def test_own_and_other_ids(self):
        """Other ids are refused with the reason; the own one is served on the same connection."""
        server = self.secure_server(agencies=4)
        with self.peer(server, 3) as peer:
            for number in (1, 4, 5, 2**32 - 1):
                for answer in (peer.bets([], agency=number), peer.bets([bet()], agency=number)):
                    self.assertEqual(answer.code, pb.ACK_CODE_UNKNOWN_AGENCY)
                    self.assertEqual(answer.detail, f"agency {number} is not this connection's: its "
                                     "certificate is for agency 3")
            with self.assertRaises(GONE):  # eight such answers are all that one gets
                peer.received()
        with self.peer(server, 3) as peer:
            peer.send_finished(0, agency=1)
            self.assertEqual(peer.ack().code, pb.ACK_CODE_UNKNOWN_AGENCY)
            self.assertEqual(peer.bets([bet()]).received, 1)
            self.assertEqual(peer.bets([bet()], agency=4).code, pb.ACK_CODE_UNKNOWN_AGENCY)
            self.assertEqual(peer.bets([bet("2")], 1).received, 2)
        self.assertEqual(server.stop(), 0)
        self.assertEqual([row.split(b",")[0] for row in server.bets()], [b"3", b"3"])
        self.assertEqual(server.lines("agencia_finalizada", "success"), [])

    def test_an_agency_that_does_not_exist(self):
        """A certificate alone makes no agency: its number has to be one of this draw."""
        server = self.secure_server(agencies=3)
        for number in (9, 2**32 - 1):
            identity = self.authority.agency(number, str(number))
            with self.peer(server, number, identity) as peer:
                answer = peer.bets([bet()])
                self.assertEqual(answer.code, pb.ACK_CODE_UNKNOWN_AGENCY)
                self.assertNotIn("certificate", answer.detail)
        self.assertEqual(server.stop(), 0)

    def test_the_servers_own(self):
        """It may only ask: by the name in it, and also without a name if it is the very same."""
        nameless = self.authority.server("nameless", uris=())
        asks = "this connection's certificate is the server's own: it may only ask"
        for identity in (certificates.of_server(), nameless):
            server = self.secure_server(agencies=2, identity=identity,
                                        folder=self.folder / pathlib.Path(identity.cert).stem)
            with self.peer(server, 1, identity) as peer:
                self.assertEqual(peer.bets([]).code, pb.ACK_CODE_OK)
                answer = peer.bets([bet()])
                self.assertEqual((answer.code, answer.detail), (pb.ACK_CODE_UNKNOWN_AGENCY, asks))
                peer.send_finished(0)
                answer = peer.ack()
                self.assertEqual((answer.code, answer.detail), (pb.ACK_CODE_UNKNOWN_AGENCY, asks))
            self.assertEqual(server.stop(), 0)
            self.assertEqual(server.bets(), [])

    def test_an_agency_with_anothers_certificate(self):
        """It ends with the server's reason, and nothing is stored."""
        server = self.secure_server(agencies=5)
        agency = self.secure_agency(5, server.port, self.file_of_bets(5, 10),
                                    identity=certificates.of_agency(1), CLI_CONNECT_TIMEOUT="2s")
        self.assertEqual(agency.wait(), 1, agency.output())
        reason = "agency 5 is not this connection's: its certificate is for agency 1"
        self.assertIn(reason, agency.output())
        line, = server.lines("tls_identity")
        self.assertEqual((line.result, line.details["agencia"], line.details["reason"]),
                         ("fail", "5", reason))
        self.assertEqual(server.stop(), 0)
        self.assertEqual(server.bets(), [])


class Modes(Certificates):
    def test_lottery(self):
        """Agencies of both kinds; the lines about TLS say what is in force."""
        server = self.secure_server(agencies=3)
        with self.peer(server, 3) as peer:
            agencies = [self.secure_agency(i, server.port, self.file_of_bets(i, 2000, i))
                        for i in (1, 2)]
            self.assertEqual(peer.bets([bet("3x0")]).received, 1)
            self.assertEqual(peer.finish(1), ["3x0"])
            with self.assertRaises(Closed) as caught:
                peer.end()
                peer.read()
            self.assertNotIsInstance(caught.exception, Cut)
        for i, agency in enumerate(agencies, 1):
            self.check_winners(agency, i)
            line = agency.lines("config", "success")[0]
            self.assertTrue(line.text.endswith(" | tls: on"), line.text)
            self.assertEqual(agency.lines("tls", "success")[0].details["certificate"],
                             str(certificates.of_agency(i).cert))
        self.assertEqual(server.stop(), 0)
        self.check_complete(server, {1: 2000, 2: 2000, 3: 1})
        self.assertTrue(server.lines("config", "success")[0].text.endswith(" | tls: on"))
        line = server.lines("tls", "success")[0]
        self.assertEqual(line.details["certificate"], str(certificates.of_server().cert))
        self.assertRegex(line.details["valid_until"], r"^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ$")
        self.assertIn(" INFO ", line.text)
        self.assertEqual([line.text for line in server.lines() if line.result == "fail"], [])

    def test_bet(self):
        server = self.secure_server(agencies=1)
        agency = self.secure_agency(1, server.port, mode="bet", NOMBRE="Ana Belén",
                                    APELLIDO="Paz Ferreyra", DOCUMENTO="30904465",
                                    NACIMIENTO="1999-03-17", NUMERO="7574")
        self.assertEqual(agency.wait(), 0, agency.output())
        self.assertTrue(agency.lines("apuesta_enviada", "success", dni=30904465, numero=7574))
        self.assertEqual(len(server.bets()), 1)

    def test_echo(self):
        """Any certificate that has a name will do, also that of another agency."""
        server = self.secure_server(mode="echo")
        for identity in (certificates.of_agency(3), certificates.of_server()):
            agency = self.secure_agency(1, server.port, mode="echo", identity=identity,
                                        CLI_LOOP_AMOUNT="3", CLI_LOOP_PERIOD="10ms")
            self.assertEqual(agency.wait(), 0, agency.output())
            self.assertEqual(len(agency.lines("receive_message", "success")), 3)
        self.assertEqual(len(server.lines("receive_message", "success")), 6)
        nameless = self.authority.issue("nameless")
        agency = self.secure_agency(1, server.port, mode="echo", identity=nameless,
                                    CLI_LOOP_AMOUNT="1", CLI_CONNECT_TIMEOUT="2s")
        self.assertEqual(agency.wait(), 1, agency.output())
        self.assertEqual(server.stop(), 0)

    def test_without_tls(self):
        """The lines of configuration say so; no other line speaks of TLS."""
        server = self.server(agencies=1)
        agency = self.agency(1, server.port, self.file_of_bets(1, 10))
        self.check_winners(agency, 1)
        self.assertEqual(server.stop(), 0)
        for program in (server, agency):
            self.assertTrue(program.lines("config", "success")[0].text.endswith(" | tls: off"))
            self.assertEqual(len([text for text in program.texts if "tls" in text]), 1)


class Names(Certificates):
    """Which name a server's certificate has to have."""

    def test_several_addresses(self):
        """Each entry's own host: where the certificate is not for it, the next one is tried."""
        right = self.secure_server(agencies=1)
        wrong = self.secure_server(agencies=1, folder=self.folder / "wrong", identity=(
            self.authority.server("localhost", dns=["localhost"], ips=[])))
        agency = self.secure_agency(
            1, 0, self.file_of_bets(1, 100),
            CLI_SERVER_ADDRESS=f"127.0.0.1:{wrong.port},localhost:{right.port}")
        self.check_winners(agency, 1)
        reasons = [line.details["reason"] for line in agency.lines("connect", "in_progress")]
        self.assertIn(PEERS + "is not for the name of this server", reasons)
        self.assertEqual(len(right.bets()), 100)
        self.assertEqual(wrong.bets(), [])

    def test_server_name(self):
        """With tls.serverName it is that one, whatever the address is: a name or an IP address."""
        identity = self.authority.server("central", dns=["central.test"], ips=["127.0.0.77"])
        server = self.secure_server(agencies=2, identity=identity)
        for i, name in enumerate(("central.test", "127.0.0.77"), 1):
            agency = self.secure_agency(i, server.port, self.file_of_bets(i, 10), server_name=name)
            agency.wait_line("apuestas_enviadas", "success")
        wrong = self.secure_agency(1, server.port, self.file_of_bets(1, 10),
                                   server_name="test", CLI_CONNECT_TIMEOUT="2s")
        self.check_gave_up(wrong, PEERS + "is not for the name of this server")


class Chains(Certificates):
    def test_intermediate_authorities(self):
        """Both sides send what is between their certificate and the authority; without it there is no
        way to the authority."""
        root = certificates.Authority(self.folder / "certs")  # the usual one signs no authorities
        middle = root.between("middle")
        server = self.secure_server(agencies=2, identity=middle.server(chain=[middle.cert]),
                                    authority=root)
        agency = self.secure_agency(1, server.port, self.file_of_bets(1, 10), authority=root,
                                    identity=middle.agency(1, chain=[middle.cert]))
        agency.wait_line("apuestas_enviadas", "success")
        broken = self.secure_agency(2, server.port, self.file_of_bets(2, 10), authority=root,
                                    identity=middle.agency(2), CLI_CONNECT_TIMEOUT="2s")
        server.wait_line("tls_handshake", "fail", certificate="lottery:agency:2",
                         reason=PEERS + "is of another authority")
        self.check_gave_up(broken, OURS + "is of an authority that it does not know")
        context = certificates.agency_context(middle.agency(2, "other", chain=[middle.cert]), root)
        with Peer(server.port, 2, tls=context) as peer:
            self.assertEqual(peer.finish(0), [])
        self.check_winners(agency, 1)

    def test_lists_of_several_authorities(self):
        """With a list of revoked certificates, there has to be one of each authority that signs for
        agencies; lists may stand in one file."""
        root = certificates.Authority(self.folder / "certs")
        middle = root.between("middle")
        lists = [root.revoke(self.folder / "root.crl", root.agency(3).cert),
                 middle.revoke(self.folder / "middle.crl", middle.agency(1).cert)]
        bundle, both = self.folder / "ca.crt", self.folder / "both.crl"
        certificates.append(bundle, root.cert, middle.cert)
        certificates.append(both, *lists)
        none = "there is no list of revoked certificates of the authority of the peer's certificate"
        for crl, reason in ((lists[0], none), (both, PEERS + "is revoked")):
            server = self.secure_server(identity=root.server(), authority=root, crl=crl,
                                        TLS_CA=str(bundle), folder=self.folder / crl.stem)
            for identity in (Identity(root.folder / "agency-3.crt", root.folder / "agency-3.key"),
                             Identity(middle.folder / "agency-1.crt",
                                      middle.folder / "agency-1.key")):
                context = certificates.agency_context(identity, root)
                with self.assertRaises(ssl.SSLError), Peer(server.port, 1, tls=context) as peer:
                    peer.received()
            server.wait_line("tls_handshake", "fail", certificate="lottery:agency:3",
                             reason=PEERS + "is revoked")
            server.wait_line("tls_handshake", "fail", certificate="lottery:agency:1", reason=reason)
        context = certificates.agency_context(middle.agency(2), root)
        with Peer(server.port, 2, tls=context) as peer:
            self.assertEqual(peer.received(), 0)

    def test_several_authorities(self):
        """A file with two authorities: both are trusted, on both sides."""
        both = self.folder / "both.crt"
        certificates.append(both, certificates.usual().cert, certificates.another().cert)
        another = certificates.another()
        server = self.secure_server(agencies=2, TLS_CA=str(both))
        agencies = [self.secure_agency(1, server.port, self.file_of_bets(1, 10)),
                    self.secure_agency(2, server.port, self.file_of_bets(2, 10),
                                       identity=certificates.of_agency(2, another),
                                       CLI_TLS_CA=str(both))]
        for agency in agencies:
            self.check_winners(agency, 1)


class Starts(Certificates):
    """What is wrong with the settings or the files is said at the start, with status 2."""

    def run_program(self, name, *arguments, **settings):
        settings = {key: value for key, value in settings.items() if value is not None}
        done = subprocess.run([BIN / name, *arguments], cwd=self.folder, text=True, timeout=20,
                              capture_output=True, check=False,
                              env=environment_with({"SERVER_PORT": "0", **settings}))
        output = done.stdout + done.stderr
        for line in certificates.key_lines(certificates.usual().folder, self.folder):
            self.assertNotIn(line, output)
        return done.returncode, output

    def check_refused(self, name, settings, *texts):
        status, output = self.run_program(name, **settings)
        self.assertEqual(status, 2, output)
        for text in texts:
            self.assertIn(text, output)
        self.assertNotIn("action: listen", output)

    def both(self):
        """The settings of the two programs by which name they have: (program, settings, names)."""
        return (("lottery-server", certificates.server_settings(), "TLS_{}"),
                ("lottery-agency", {"CLI_ID": "1", "CLI_SERVER_ADDRESS": "127.0.0.1:1",
                                    "CLI_MODE": "echo",
                                    **certificates.agency_settings(certificates.of_agency(1))},
                 "CLI_TLS_{}"))

    def test_half_configured(self):
        """Any of the three alone, two of them, and what needs them."""
        for program, settings, name in self.both():
            keys = [name.format(key) for key in ("CERT", "KEY", "CA")]
            for there in range(1, 7):
                given = {key for i, key in enumerate(keys) if there >> i & 1}
                some = {key: value for key, value in settings.items()
                        if key not in keys or key in given}
                missing = [key for key in keys if key not in given]
                with self.subTest(program, given=given):
                    self.check_refused(program, some, missing[0])
        self.check_refused("lottery-server", {"TLS_CRL": "ca.crl"}, "environment: TLS_CRL")
        self.check_refused("lottery-agency", {"CLI_ID": "1", "CLI_TLS_SERVERNAME": "x"},
                           "CLI_TLS_CERT, CLI_TLS_KEY, CLI_TLS_CA")

    def test_half_configured_in_the_files(self):
        """The place is the file's line."""
        config = self.folder / "config.ini"
        config.write_text("[DEFAULT]\nTLS_CERT = server.crt\n")
        self.check_refused("lottery-server", {}, "config.ini:2: TLS_CERT", "TLS_KEY")
        config.unlink()
        (self.folder / "config.yaml").write_text("id: 1\ntls:\n  cert: agency.crt\n")
        self.check_refused("lottery-agency", {}, "config.yaml", "tls.key")

    def test_unknown_names(self):
        """A misspelt name in the environment is warned of; in a file it ends the start."""
        server = self.server(agencies=1, TLS_CLR="ca.crl")
        self.assertTrue([text for text in server.texts if "TLS_CLR" in text and "WARNING" in text],
                        server.texts)
        (self.folder / "config.ini").write_text("[DEFAULT]\nTLS_CLR = ca.crl\n")
        self.check_refused("lottery-server", {}, "config.ini:2: TLS_CLR: unknown key")

    def test_files(self):
        """Files that cannot be used: the error names the file and says what is wrong with it."""
        garbage = self.folder / "garbage.pem"
        garbage.write_bytes(os.urandom(500))
        empty = self.folder / "empty.pem"
        empty.touch(mode=0o600)
        garbage.chmod(0o600)
        missing = self.folder / "missing.pem"
        encrypted = self.folder / "encrypted.key"
        certificates.openssl("pkcs8", "-topk8", "-in", certificates.of_agency(1).key, "-out",
                             encrypted, "-passout", "pass:secret", "-v2", "aes-256-cbc")
        encrypted.chmod(0o600)
        other = certificates.of_agency(2).key
        for program, settings, name in self.both():
            for key, path, reason in (
                    ("CERT", missing, "No such file"), ("KEY", missing, "No such file"),
                    ("CA", missing, "No such file"), ("CERT", garbage, ""), ("KEY", garbage, ""),
                    ("CA", garbage, ""), ("CERT", empty, ""), ("KEY", empty, ""),
                    ("CA", empty, ""), ("CERT", self.folder, ""), ("KEY", self.folder, ""),
                    ("CA", self.folder, ""), ("KEY", encrypted, "encrypted"),
                    ("KEY", other, "not the key of the certificate"), ("CA", other, "")):
                with self.subTest(program, key=key, path=path.name):
                    self.check_refused(program, {**settings, name.format(key): str(path)},
                                       str(path), reason)
        use = self.authority.agency(1, "use", use="codeSigning")
        for program, settings, name in self.both():
            with self.subTest(program):
                files = {name.format("CERT"): str(use.cert), name.format("KEY"): str(use.key)}
                self.check_refused(program, {**settings, **files}, str(use.cert),
                                   "extended key usage")
        for path in (missing, garbage, empty, self.folder, certificates.usual().cert):
            with self.subTest(path=path.name):
                self.check_refused("lottery-server", {**certificates.server_settings(),
                                                      "TLS_CRL": str(path)}, str(path))

    def test_keys_that_others_can_read(self):
        """Only the owner may; the mode is said, and what to do."""
        for program, settings, name in self.both():
            key = self.folder / f"{program}.key"
            shutil.copy(settings[name.format("KEY")], key)
            for mode in (0o604, 0o620, 0o660, 0o602, 0o666, 0o644):
                key.chmod(mode)
                with self.subTest(program, mode=oct(mode)):
                    self.check_refused(program, {**settings, name.format("KEY"): str(key)},
                                       str(key), "chmod")
        key.chmod(0o400)
        with FakeServer(tls=certificates.server_context()) as fake:
            self.secure_agency(1, fake.port, mode="echo", CLI_TLS_KEY=str(key))
            fake.accept().close()

    @unittest.skipUnless(os.getuid() == 0, "only root gives files away")
    def test_keys_of_somebody_else(self):
        """Root's may be shared with a group; that of another user may not be used at all."""
        program, settings, name = self.both()[0]
        key = self.folder / "server.key"
        shutil.copy(settings[name.format("KEY")], key)
        key.chmod(0o640)
        server = self.secure_server(agencies=1, TLS_KEY=str(key))
        self.assertEqual(server.stop(), 0)
        os.chown(key, 1234, 1234)
        for mode in (0o640, 0o600, 0o400):
            key.chmod(mode)
            self.check_refused(program, {**settings, "TLS_KEY": str(key)}, str(key))


class Health(Certificates):
    def setUp(self):
        super().setUp()
        self.own = self.folder / "own"
        self.own.mkdir()
        self.identity = Identity(self.own / "server.crt", self.own / "server.key")
        self.put(certificates.of_server())

    def put(self, identity):
        for source, target in zip(identity, self.identity):
            shutil.copy(source, target)
        self.identity.key.chmod(0o600)

    def health(self, server, **settings):
        settings = {**certificates.server_settings(self.identity), "SERVER_IP": "127.0.0.1",
                    "SERVER_PORT": str(server.port), **settings}
        done = subprocess.run([BIN / "lottery-server", "--health"], text=True, timeout=30,
                              cwd=self.folder, capture_output=True, check=False,
                              env=environment_with({key: value for key, value in settings.items()
                                                    if value is not None}))
        for line in certificates.key_lines(self.folder, certificates.usual().folder):
            self.assertNotIn(line, done.stdout + done.stderr)
        return done

    def check_healthy(self, server, **settings):
        done = self.health(server, **settings)
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_healthy(self):
        """In both modes, with the server's certificate; the name in it does not matter."""
        self.put(self.authority.server("name", dns=["central.test"], ips=[]))
        for mode in ("lottery", "echo"):
            server = self.secure_server(mode=mode, identity=self.identity, level="DEBUG",
                                        folder=self.folder / mode)
            self.check_healthy(server, SERVER_MODE=mode)
            self.assertEqual(server.lines("tls_handshake"), [])
            self.assertEqual(server.stop(), 0)

    def test_between_new_files_and_reload(self):
        """The new certificate is of the same authority: each trusts the other's, whichever is in
        force."""
        server = self.secure_server(identity=self.identity)
        self.put(self.authority.server("new"))
        self.check_healthy(server)

    def test_bad_files(self):
        """It says which file, and why; nothing is asked."""
        server = self.secure_server(identity=self.identity, level="DEBUG")
        self.identity.key.chmod(0o644)
        done = self.health(server)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn(str(self.identity.key), done.stdout + done.stderr)
        self.put(Identity(certificates.of_server().cert, certificates.of_agency(1).key))
        done = self.health(server)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn(str(self.identity.key), done.stdout + done.stderr)
        self.assertEqual(server.lines("accept_connections", "success"), [])

    def test_not_trusted(self):
        """With an expired certificate, and against another authority: unhealthy, and why."""
        server = self.secure_server(identity=self.identity)
        self.put(self.authority.server("expired", **OLD))
        done = self.health(server)
        self.assertEqual(done.returncode, 1)
        self.assertIn(OURS + "has expired", done.stderr)
        self.put(certificates.of_server())
        done = self.health(server, TLS_CA=str(certificates.another().cert))
        self.assertEqual(done.returncode, 1)
        self.assertIn(PEERS + "is of another authority", done.stderr)

    def test_one_side_without_tls(self):
        """A check without TLS of a server with it, and the other way round."""
        plain = {"TLS_CERT": None, "TLS_KEY": None, "TLS_CA": None}
        server = self.secure_server(identity=self.identity)
        done = self.health(server, **plain)
        self.assertEqual(done.returncode, 1)
        self.assertIn("the server wants TLS: set TLS_CERT, TLS_KEY and TLS_CA", done.stderr)
        server = self.server(folder=self.folder / "plain")
        done = self.health(server)
        self.assertEqual(done.returncode, 1)
        self.assertIn("does not speak TLS", done.stderr)


class ForeignPeers(Certificates):
    """Programs that have nothing of ours but the protocol."""

    def test_openssl_as_agency(self):
        """A whole conversation of frames through the openssl program: bets, the end, the winners."""
        server = self.secure_server(agencies=1)
        with OpensslPeer(server.port, 1, certificates.of_agency(1)) as peer:
            self.assertEqual(peer.received(), 0)
            self.assertEqual(peer.bets([bet("1x0"), bet("1x1", number=1)]).received, 2)
            self.assertEqual(peer.bets([], agency=2).code, pb.ACK_CODE_UNKNOWN_AGENCY)
            self.assertEqual(peer.bets([bet("1x2")], 2).received, 3)
            self.assertEqual(peer.finish(3), ["1x0", "1x2"])
        server.wait_line("close_connection", "success")
        self.assertEqual(server.stop(), 0)
        self.check_complete(server, {1: 3})

    def test_openssl_as_central(self):
        """An agency speaks with it until it has heard nonsense, and does not take that for a
        central."""
        with OpensslCentral() as central:
            agency = self.secure_agency(1, central.port, self.file_of_bets(1, 3),
                                        CLI_CONNECT_TIMEOUT="2s")
            central.send(b"220 mail.test ESMTP\r\n")
            agency.wait_line("connect", "in_progress",
                             reason="unexpected message from the server")
        self.assertEqual(agency.wait(), 1, agency.output())
        self.assertEqual(agency.lines("apuestas_enviadas"), [])

    def test_a_python_agency(self):
        """Thousands of bets, with TLS's records cutting through frames."""
        server = self.secure_server(agencies=2)
        other = threading.Thread(target=self.finish_other, args=(server,))
        other.start()
        with self.peer(server, 1) as peer:
            self.assertEqual(peer.socket.tls.version(), "TLSv1.3")
            data = b"".join(self.batch(peer, i, 50) for i in range(0, 5000, 50))
            for i in range(0, len(data), 7777):
                peer.send_bytes(data[i:i + 7777])
            for i in range(0, 5000, 50):
                self.assertEqual(peer.ack().received, i + 50)
            self.assertEqual(len(peer.finish(5000)), 5000)
        other.join()
        self.assertEqual(server.stop(), 0)
        self.check_complete(server, {1: 5000, 2: 0})

    def batch(self, peer, offset, count):
        message = pb.NewBets(agency_id=peer.agency, offset=offset, bets=[
            bet(f"{peer.agency}x{offset + i}") for i in range(count)])
        return frame(pb.OPCODE_NEW_BETS, message)

    def finish_other(self, server):
        with self.peer(server, 2) as peer:
            peer.finish(0)


if __name__ == "__main__":
    unittest.main()
