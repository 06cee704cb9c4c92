#!/usr/bin/env python3
"""Tests of tools/make-certs.sh: what is in its folder afterwards, as the openssl program sees it."""

import datetime
import fcntl
import os
import pathlib
import re
import shutil
import stat
import subprocess
import tempfile
import unittest

TOOL = pathlib.Path(__file__).resolve().parents[2] / "tools" / "make-certs.sh"
ERROR = r"\Amake-certs\.sh: error: [^\n]+\n\Z"

# In front of the real command: counts those calls that are to be, and at call KILL_AT kills everything,
# the tool too.
KILLER = """#!/bin/sh
{is_counted} || exec {command} "$@"
count=$(($(cat "$KILL_COUNT") + 1))
echo $count >"$KILL_COUNT"
if [ "$count" = "$KILL_AT" ]; then
  {halfway}
  kill -KILL 0
fi
exec {command} "$@"
"""
# The command, which calls of it, and what it still does: the last ones move the first of two files.
STEPS = (("openssl", "true", ":"), ("mv", "true", ":"),
         ("mv", "[ $# -eq 4 ]", '{command} "$1" "$2" "$4"'))


def openssl(*arguments, check=True, **options):
    return subprocess.run(["openssl", *map(str, arguments)], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, check=check, text=True, timeout=60,
                          **options).stdout


class ToolTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name)
        self.certs = self.root / "certs"
        self.env = dict(os.environ)

    def run_tool(self, *arguments):
        return subprocess.run([TOOL, *map(str, arguments)], capture_output=True, text=True,
                              cwd=self.root, env=self.env, timeout=120, start_new_session=True)

    def make(self, *arguments, warning=""):
        """A run that succeeds, and what it says."""
        done = self.run_tool(self.certs, *arguments)
        self.assertEqual(0, done.returncode, done.stderr)
        self.assertRegex(done.stderr, rf"\A{warning}\Z")
        return done.stdout

    def assert_refused(self, reason, *arguments, status=1):
        """One line with the reason, and nothing in the folder has changed."""
        before = self.contents()
        done = self.run_tool(self.certs, *arguments)
        self.assertEqual((status, ""), (done.returncode, done.stdout))
        self.assertRegex(done.stderr, ERROR)
        self.assertIn(reason, done.stderr)
        self.assertEqual(before, self.contents())

    def contents(self):
        if not self.certs.is_dir():
            return None
        return {path.name: path.read_bytes() for path in self.certs.iterdir()}

    def fake(self, command, text):
        folder = self.root / "bin"
        folder.mkdir(exist_ok=True)
        (folder / command).write_text(text)
        (folder / command).chmod(0o755)
        self.env["PATH"] = f"{folder}:{os.environ['PATH']}"

    def days_later(self, days):
        """Whatever the tool asks `date` now is that much later."""
        self.fake("date", f'#!/bin/sh\nexec {shutil.which("date")} -d "{days} days" "$@"\n')

    def cert(self, name, *options):
        return openssl("x509", "-noout", "-in", self.certs / f"{name}.crt", *options)

    def serial(self, name):
        return self.cert(name, "-serial").strip().removeprefix("serial=")

    def revoked(self):
        """The serial numbers in ca.crl, which is the authority's and in force."""
        text = openssl("crl", "-in", self.certs / "ca.crl", "-noout", "-text",
                       "-CAfile", self.certs / "ca.crt")
        self.assertIn("verify OK", text)
        return re.findall("Serial Number: ([0-9A-F]+)", text)

    def assert_complete(self, agencies, *others):
        """Exactly these files; each certificate is the authority's and its key's."""
        names = ["ca", "server", *(f"agency-{agency}" for agency in range(1, agencies + 1))]
        self.assertEqual(sorted([f"{name}.{kind}" for name in names for kind in ("crt", "key")] +
                                list(others)), sorted(self.contents()))
        paths = [self.certs / f"{name}.crt" for name in names]
        verified = openssl("verify", "-x509_strict", "-CAfile", self.certs / "ca.crt", *paths)
        self.assertEqual([f"{path}: OK" for path in paths], verified.splitlines())
        for name in names:
            self.assertEqual(openssl("pkey", "-in", self.certs / f"{name}.key", "-pubout"),
                             self.cert(name, "-pubkey"))


class Certificates(ToolTest):
    def test_files(self):
        """Keys are for their owner alone, whatever the umask; all else is for everybody."""
        self.addCleanup(os.umask, os.umask(0))
        self.assertEqual(f"make-certs.sh: made in {self.certs}: authority, server, agencies (3)\n",
                         self.make(3))
        self.assert_complete(3)
        self.assertEqual(0o700, stat.S_IMODE(self.certs.stat().st_mode))
        for path in self.certs.iterdir():
            self.assertEqual(0o600 if path.suffix == ".key" else 0o644,
                             stat.S_IMODE(path.stat().st_mode), path)

    def test_keys_are_p256(self):
        self.make(0)
        for name in ("ca", "server"):
            text = openssl("pkey", "-in", self.certs / f"{name}.key", "-noout", "-text_pub")
            self.assertIn("prime256v1", text)

    def assert_extensions(self, name, *expected):
        """Exactly these, but for the identifiers of the keys: (name, is it critical, value)."""
        text = self.cert(name, "-text").split("X509v3 extensions:\n")[1].split("    Signature")[0]
        found = re.findall(r" {12}([^\n]+): ?(critical)?\n {16}([^\n]*)\n", text)
        keys = {key: value for key, _, value in found if key.endswith("Key Identifier")}
        self.assertEqual(sorted(expected), sorted(each for each in found if each[0] not in keys))
        return keys

    def test_what_they_say(self):
        """What each is for, and no more; the authority's key is named in each."""
        self.make(1)
        leaf = (("X509v3 Basic Constraints", "critical", "CA:FALSE"),
                ("X509v3 Key Usage", "critical", "Digital Signature"))
        usage = "X509v3 Extended Key Usage", ""
        name = "X509v3 Subject Alternative Name", ""
        authority = self.assert_extensions(
            "ca", ("X509v3 Basic Constraints", "critical", "CA:TRUE, pathlen:0"),
            ("X509v3 Key Usage", "critical", "Certificate Sign, CRL Sign"))
        server = self.assert_extensions(
            "server", *leaf, (*usage, "TLS Web Server Authentication, TLS Web Client Authentication"),
            (*name, "DNS:localhost, DNS:server, IP Address:127.0.0.1, IP Address:0:0:0:0:0:0:0:1, "
             "URI:lottery:server"))
        agency = self.assert_extensions("agency-1", *leaf, (*usage, "TLS Web Client Authentication"),
                                        (*name, "URI:lottery:agency:1"))
        for leaf_keys in (server, agency):
            self.assertEqual(authority["X509v3 Subject Key Identifier"],
                             leaf_keys["X509v3 Authority Key Identifier"])
        self.assertEqual(3, len({keys["X509v3 Subject Key Identifier"]
                                 for keys in (authority, server, agency)}))

    def test_serial_numbers(self):
        """All different, in all folders, and long enough not to be guessed."""
        serials = []
        for _ in range(2):
            self.make(4)
            serials += [self.serial(name) for name in ("ca", "server", "agency-1", "agency-4")]
            shutil.rmtree(self.certs)
        self.assertEqual(8, len(set(serials)))
        self.assertTrue(all(len(serial) >= 36 for serial in serials), serials)

    def test_days(self):
        """Of the server's and the agencies'; the authority outlives them."""
        self.make(1, "--days", 4000)
        for name, valid, over in (("server", 3999, 4001), ("agency-1", 3999, 4001),
                                  ("ca", 4000, 4002)):
            self.assertIn("will not expire", self.cert_ends(name, valid))
            self.assertIn("will expire", self.cert_ends(name, over))

    def cert_ends(self, name, days):
        return openssl("x509", "-noout", "-in", self.certs / f"{name}.crt", "-checkend",
                       days * 86400, check=False)

    def test_names(self):
        """Further names of the server: kept by --renew; not added to a certificate that is there."""
        self.make(0, "--name", "lottery.example", "--name", "10.1.2.3", "--name", "fe80::1")
        names = self.cert("server", "-ext", "subjectAltName")
        for name in ("DNS:localhost", "DNS:lottery.example", "IP Address:10.1.2.3",
                     "IP Address:FE80:0:0:0:0:0:0:1"):
            self.assertIn(name, names)
        self.make(0, "--name", "lottery.example", "--name", "fe80::1", "--name", "localhost")
        self.assert_refused("not for other.example", 0, "--name", "other.example")
        self.assert_refused("not for 10.1.2.4", 0, "--name", "10.1.2.4")
        self.make(0, "--renew", "--name", "other.example", "--name", "localhost")
        self.assertEqual(names.strip() + ", DNS:other.example",
                         self.cert("server", "-ext", "subjectAltName").strip())

    def test_a_folder_of_any_name(self):
        for name in ("-", "a:b c", "$(id)", "sub/folder"):
            with self.subTest(name):
                self.certs = pathlib.Path(self.root / name)
                done = self.run_tool(name, 1)
                self.assertEqual((0, ""), (done.returncode, done.stderr))
                self.assert_complete(1)


class Again(ToolTest):
    def test_more_agencies(self):
        """Everything that was there stays; fewer agencies change nothing."""
        self.make(2)
        before = self.contents()
        self.assertIn(": agencies (2)\n", self.make(4))
        self.assert_complete(4)
        after = self.contents()
        self.assertEqual(before, {name: after[name] for name in before})
        for agencies in (4, 1, 0):
            self.assertEqual(f"make-certs.sh: all is in {self.certs} already\n", self.make(agencies))
        self.assertEqual(after, self.contents())

    def test_a_key_that_was_moved_away(self):
        """To where it is used: its certificate stays, and so does ca.crt; ca.key is asked for."""
        self.make(2)
        for name in ("agency-1", "server", "ca"):
            (self.certs / f"{name}.key").unlink()
        before = self.contents()
        self.make(2)
        self.assertEqual(before, self.contents())
        self.assert_refused("ca.key is missing", 3)
        self.assert_refused("ca.key is missing", 2, "--renew")
        self.assert_refused("ca.key is missing", 2, "--revoke", 1)

    def test_renew(self):
        """Other keys and certificates of the same authority, for those that are named."""
        self.make(3)
        before = self.contents()
        self.assertIn(": server, agencies (2)\n", self.make(2, "--renew"))
        self.assert_complete(3)
        same = {name for name, text in self.contents().items() if text == before[name]}
        self.assertEqual({"ca.crt", "ca.key", "agency-3.crt", "agency-3.key"}, same)

    def test_renew_of_a_damaged_server(self):
        """What other names it had cannot be known, which is said."""
        self.make(0, "--name", "lottery.example")
        (self.certs / "server.crt").write_text("garbage")
        self.make(0, "--renew", warning="make-certs.sh: warning: server.crt is no certificate; [^\\n]+\n")
        self.assert_complete(0)

    def test_expiry(self):
        """Said of each certificate that has expired or will within 30 days, not of others."""
        self.make(2, "--days", 100)
        self.make(3, "--days", 300)
        self.days_later(69)
        self.make(3)
        self.days_later(71)
        names = ("agency-1.crt", "agency-2.crt", "server.crt")
        self.make(3, warning="".join(f"make-certs.sh: warning: {name} expires within 30 days; "
                                     "--renew makes a new one\n" for name in
                                     ("server.crt", *names[:2])))
        self.days_later(101)
        self.make(3, warning="".join(f"make-certs.sh: warning: {name} has expired; "
                                     "--renew makes a new one\n" for name in
                                     ("server.crt", *names[:2])))
        self.make(1, "--renew", warning="make-certs.sh: warning: agency-2.crt has expired; [^\n]+\n")

    def replace_authority(self, end):
        """Another certificate for the same key, valid since 2020 and until `end`."""
        key, cert, request = self.certs / "ca.key", self.certs / "ca.crt", self.root / "request"
        (self.root / "index").write_text("")
        (self.root / "config").write_text(
            f"[ca]\ndefault_ca = one\n[one]\ndatabase = {self.root}/index\nrand_serial = yes\n"
            "default_md = sha256\npolicy = any\nx509_extensions = authority\n"
            "[any]\ncommonName = optional\norganizationName = optional\n"
            "[authority]\nbasicConstraints = critical, CA:TRUE\n")
        openssl("x509", "-in", cert, "-x509toreq", "-signkey", key, "-out", request)
        openssl("ca", "-batch", "-notext", "-config", self.root / "config", "-selfsign", "-keyfile", key,
                "-in", request, "-startdate", "20200101000000Z", "-enddate", f"{end:%Y%m%d%H%M%SZ}",
                "-outdir", self.root, "-preserveDN", "-out", cert)

    def test_expiry_of_the_authority(self):
        self.make(0)
        now = datetime.datetime.now(datetime.timezone.utc)
        self.replace_authority(now + datetime.timedelta(days=90))
        self.make(0, "--days", 89)
        self.make(0, "--days", 91, warning="make-certs.sh: warning: the authority [^\n]+ 91 days[^\n]+\n")
        self.replace_authority(now - datetime.timedelta(days=1))
        self.assert_refused("has expired", 1)

    def test_a_folder_that_does_not_fit_together(self):
        """A certificate of another authority, or none; no authority: nothing is made worse."""
        self.make(1)
        others = self.certs
        self.certs = self.root / "mine"
        self.make(1)
        whole = self.contents()
        shutil.copy(others / "agency-1.crt", self.certs)
        self.assert_refused("agency-1.crt is no certificate of the authority", 2)
        (self.certs / "agency-1.crt").write_text("garbage")
        self.assert_refused("agency-1.crt is no certificate of the authority", 2)
        self.make(1, "--renew")
        self.assert_complete(1)
        (self.certs / "ca.crt").write_text("garbage")
        self.assert_refused("ca.crt is no certificate", 2)
        (self.certs / "ca.crt").unlink()
        self.assert_refused("ca.crt is missing, but server.crt is there", 2)
        (self.certs / "ca.crt").write_bytes(whole["ca.crt"])
        (self.certs / "ca.crl").write_text("garbage")
        self.assert_refused("ca.crl is not a list of the authority", 1, "--crl")


class Revocation(ToolTest):
    def test_the_list_grows(self):
        """By one certificate each time, and none twice; what it has keeps its date."""
        self.make(3)
        self.assertIn("ca.crl (1 revoked)", self.make(3, "--revoke", 2))
        self.assertEqual([self.serial("agency-2")], self.revoked())
        before = self.contents()
        self.assertIn("is in ca.crl already", self.make(3, "--revoke", 2))
        self.assertEqual(before, self.contents())
        self.make(4)
        self.assertIn("(3 revoked)", self.make(4, "--revoke", 1, "--revoke", 4, "--revoke", 1))
        self.assertEqual({self.serial(f"agency-{agency}") for agency in (1, 2, 4)},
                         set(self.revoked()))
        self.assert_complete(4, "ca.crl")
        self.assertEqual(0o644, stat.S_IMODE((self.certs / "ca.crl").stat().st_mode))

    def test_who_is_refused(self):
        """As openssl sees it: the revoked agency and nobody else."""
        self.make(2)
        self.make(2, "--revoke", 1)
        text = openssl("verify", "-CAfile", self.certs / "ca.crt", "-crl_check", "-CRLfile",
                       self.certs / "ca.crl", *(self.certs / f"{name}.crt" for name in
                                                ("server", "agency-1", "agency-2")), check=False)
        self.assertIn("certificate revoked", text)
        self.assertEqual([self.certs / "server.crt", self.certs / "agency-2.crt"],
                         [pathlib.Path(name) for name in re.findall("(.*): OK", text)])

    def test_dates_and_numbers(self):
        """Each list has the next number; an entry's date is that of its day, in any month."""
        self.make(1)
        self.fake("date", '#!/bin/sh\n[ "$1" = -u ] || exec /bin/date "$@"\necho 251203040506Z\n')
        self.make(1, "--revoke", 1)
        self.make(1, "--crl")
        text = openssl("crl", "-in", self.certs / "ca.crl", "-noout", "-text")
        self.assertIn("Revocation Date: Dec  3 04:05:06 2025 GMT", text)
        self.assertRegex(text, r"CRL Number: *\n *2\n")

    def test_renew_with_revoke(self):
        """The old certificate is in the list, the new one is not."""
        self.make(2)
        old = self.serial("agency-2")
        self.make(2, "--renew", "--revoke", 2)
        self.assertEqual([old], self.revoked())
        self.assertNotEqual(old, self.serial("agency-2"))
        before = self.contents()["ca.crl"]
        self.make(2, "--renew")
        self.assertEqual([old], self.revoked())
        self.assertNotEqual(before, self.contents()["ca.crl"])

    def test_an_empty_list(self):
        self.assertIn("ca.crl (0 revoked)", self.make(1, "--crl"))
        self.assertEqual([], self.revoked())

    def test_expiry_of_the_list(self):
        self.make(0, "--days", 500)
        self.make(0, "--crl", "--days", 100)
        self.days_later(69)
        self.make(0)
        self.days_later(71)
        self.make(0, warning="make-certs.sh: warning: ca.crl is out of date[^\n]+\n")
        self.make(0, "--crl", "--days", 200)
        self.make(0)

    def test_a_certificate_that_is_not_there(self):
        """Never was, or was moved away with its key: none is made only to be revoked."""
        self.make(2)
        self.assert_refused("agency-3.crt, which is to be revoked, is not here", 2, "--revoke", 3)
        self.assert_refused("agency-3.crt", 3, "--renew", "--revoke", 3)
        for kind in ("crt", "key"):
            (self.certs / f"agency-2.{kind}").unlink()
        self.assert_refused("agency-2.crt", 2, "--revoke", 1, "--revoke", 2)


class Mistakes(ToolTest):
    def test_bad_arguments(self):
        """One line with the reason, status 2, no folder."""
        for reason, *arguments in (
                ("DIR and N",), ("'x' is not a whole number", "x"), ("''", ""), ("unknown", "-1"),
                ("'1.5'", "1.5"), ("'010'", "010"), ("'٣'", "٣"), ("0..10000", 10001),
                ("0..10000", "9" * 30), ("too much", 1, 2), ("unknown option '--renw'", 1, "--renw"),
                ("--days needs", 1, "--days"), ("1..36500", 1, "--days", 0),
                ("1..36500", 1, "--days", 36501), ("'-1'", 1, "--days", -1),
                ("1..10000", 1, "--revoke", 0), ("--revoke: 'x'", 1, "--revoke", "x"),
                ("--name: ''", 0, "--name", ""), ("neither", 0, "--name", "a b"),
                ("neither", 0, "--name", "a,DNS:b"), ("neither", 0, "--name", "1.2.3"),
                ("neither", 0, "--name", "1.2.3.256"), ("neither", 0, "--name", "x:1"),
                ("neither", 0, "--name", "$ENV::HOME"), ("neither", 0, "--name", "a..b")):
            with self.subTest(arguments):
                self.assert_refused(reason, *arguments, status=2)
        self.assertFalse(self.certs.exists())

    def test_help(self):
        done = self.run_tool("--help")
        self.assertEqual((0, ""), (done.returncode, done.stderr))
        for option in ("--days", "--name", "--renew", "--revoke", "--crl", "Exit status"):
            self.assertIn(option, done.stdout)

    def test_what_is_missing(self):
        """No openssl, an old one, or one that fails: its words are shown, and nothing is left."""
        self.fake("openssl", "#!/bin/sh\nexit 127\n")
        self.assert_refused("there is no openssl", 1)
        self.fake("openssl", "#!/bin/sh\necho 'OpenSSL 1.1.1w  11 Sep 2023'\n")
        self.assert_refused("1.1.1w", 1)
        self.fake("openssl", "#!/bin/sh\n[ $1 = version ] || { echo no entropy; exit 1; }\n"
                  "echo OpenSSL 3.0.0\n")
        done = self.run_tool(self.certs, 1)
        self.assertEqual((1, ""), (done.returncode, done.stdout))
        self.assertEqual("no entropy\nmake-certs.sh: error: 'openssl req' failed for ca\n", done.stderr)
        self.assertEqual({}, self.contents())

    def test_folders_that_cannot_be(self):
        """A file, or a folder in which others could replace a key."""
        self.certs.mkdir()
        self.certs.chmod(0o777)
        self.assert_refused("others can write", 1)
        self.certs.chmod(0o770)
        self.assert_refused("others can write", 1)
        self.certs.rmdir()
        self.certs.write_text("")
        self.assert_refused("cannot be made", 1)

    def test_one_at_a_time(self):
        self.certs.mkdir(mode=0o700)
        folder = os.open(self.certs, os.O_RDONLY)
        self.addCleanup(os.close, folder)
        fcntl.flock(folder, fcntl.LOCK_EX)
        self.assert_refused("another make-certs.sh is at work", 1)
        fcntl.flock(folder, fcntl.LOCK_UN)
        self.make(1)


class Killed(ToolTest):
    """At each of its steps, with SIGKILL: the next run completes the folder."""

    def kill_at_each_step(self, arguments, check):
        """From the folder as it is now, which may not be there."""
        count = self.root / "count"
        self.env["KILL_COUNT"] = str(count)
        plain_path = os.environ["PATH"]
        start = self.root / "start"
        if self.certs.exists():
            shutil.move(self.certs, start)
        for command, is_counted, halfway in STEPS:
            real = shutil.which(command)
            text = KILLER.format(command=real, is_counted=is_counted,
                                 halfway=halfway.format(command=real))
            step, killed = 0, True
            while killed:
                step += 1
                shutil.rmtree(self.certs, ignore_errors=True)
                if start.exists():
                    shutil.copytree(start, self.certs)
                self.fake(command, text)
                count.write_text("0")
                self.env["KILL_AT"] = str(step)
                killed = self.run_tool(self.certs, *arguments).returncode == -9
                self.env["PATH"] = plain_path
                (self.root / "bin" / command).unlink()
                with self.subTest(command=command, halfway=halfway, step=step):
                    check()
            self.assertGreater(step, 2)

    def test_making(self):
        def check():
            self.make(1, "--crl")
            self.assert_complete(1, "ca.crl")
        self.kill_at_each_step((1,), check)

    def test_renewing(self):
        """The server keeps its names, and the list its entries."""
        self.make(1, "--name", "lottery.example")
        self.make(1, "--revoke", 1)
        revoked = [self.serial("agency-1")]

        def check():
            self.make(1)
            self.assert_complete(1, "ca.crl")
            self.assertIn("DNS:lottery.example", self.cert("server", "-ext", "subjectAltName"))
            self.assertEqual(revoked, self.revoked())
        self.kill_at_each_step((1, "--renew"), check)

    def test_stopped(self):
        """With SIGTERM nothing is left, either."""
        self.fake("openssl", f"#!/bin/sh\n[ $1 = version ] || kill -TERM $PPID\n"
                  f"exec {shutil.which('openssl')} \"$@\"\n")
        self.assertEqual(143, self.run_tool(self.certs, 1).returncode)
        self.assertEqual({}, self.contents())


if __name__ == "__main__":
    unittest.main()
