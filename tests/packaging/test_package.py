"""What is in the package: no tool has anything to object to, and the services are locked in."""
import pathlib
import re
import shutil
import tempfile
import unittest

from packages import ROOT, changes, depends, main, package, run

EXPOSURE_MAX = 2.0
UNITS = ("lottery-server.service", "lottery-agency@.service")
# The only one of lintian's that is not looked at: a script for System V init, which a package may have
# and no release of Debian asks for.
NOT_ASKED_FOR = "package-supports-alternative-init-but-no-init.d-script"
# The names that the package gives to what it installs, besides documents.
FILES = {
    "etc/lottery/server.ini",
    "usr/bin/lottery-agency",
    "usr/bin/lottery-ctl",
    "usr/bin/lottery-server",
    "usr/lib/systemd/system/lottery-agency@.service",
    "usr/lib/systemd/system/lottery-server.service",
    "usr/lib/sysusers.d/national-lottery.conf",
    "usr/share/bash-completion/completions/lottery-agency",
    "usr/share/bash-completion/completions/lottery-ctl",
    "usr/share/bash-completion/completions/lottery-server",
    "usr/share/doc/national-lottery/examples/agency-1.yaml",
    "usr/share/doc/national-lottery/examples/config.ini",
    "usr/share/doc/national-lottery/examples/config.yaml",
    "usr/share/man/man1/lottery-agency.1.gz",
    "usr/share/man/man5/lottery-agency.yaml.5.gz",
    "usr/share/man/man5/lottery-server.ini.5.gz",
    "usr/share/man/man8/lottery-ctl.8.gz",
    "usr/share/man/man8/lottery-server.8.gz",
}


class Package(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.deb = package()
        cls.folder = pathlib.Path(tempfile.mkdtemp())
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        run("dpkg-deb", "-x", cls.deb, cls.folder)

    def test_files(self):
        """All of them, and all are root's, with usual modes."""
        doc = "usr/share/doc/national-lottery/"
        found = set()
        for line in run("dpkg-deb", "-c", self.deb).splitlines():
            mode, owner, *_, name = line.split()
            self.assertEqual("root/root", owner, line)
            is_program = name.startswith("./usr/bin/") and not name.endswith("/")
            self.assertIn(mode, ("drwxr-xr-x", "-rwxr-xr-x" if is_program else "-rw-r--r--"), line)
            if mode[0] == "-":
                found.add(re.sub(r"^\./lib/", "usr/lib/", name).removeprefix("./"))
        self.assertEqual(FILES, {name for name in found
                                 if not name.startswith(doc) or "/examples/" in name})
        documents = {name.removeprefix(doc).removesuffix(".gz") for name in found}
        for path in ROOT.glob("docs/*.md"):
            self.assertIn(f"docs/{path.name}", documents)
        self.assertLess({"README.md", "ARCHITECTURE.md", "CHANGELOG.md", "SECURITY.md", "changelog",
                         "copyright", "lottery.proto", "control.proto"}, documents)
        self.assertEqual("/etc/lottery/server.ini",
                         run("dpkg-deb", "-I", self.deb, "conffiles").strip())

    def test_libraries_are_needed(self):
        self.assertLess({"libc6", "libuv1", "libcsv3", "libinih1", "systemd"},
                        {name.removesuffix("t64") for name in depends(self.deb)})

    def test_lintian_finds_nothing(self):
        if not shutil.which("lintian"):
            self.skipTest("there is no lintian")
        found = run("lintian", "--allow-root", "--display-info", "--pedantic", "--show-overrides",
                    "--suppress-tags", NOT_ASKED_FOR,
                    "--fail-on", "error,warning,info,pedantic,override", changes())
        self.assertEqual("", found)

    def units(self):
        """The services, as files with names that systemd-analyze takes."""
        if not shutil.which("systemd-analyze"):
            self.skipTest("there is no systemd-analyze")
        folder = self.folder / "units"
        folder.mkdir(exist_ok=True)
        for name in UNITS:
            # Debian 12 has it in /lib, which is the same as /usr/lib there, too.
            path, = self.folder.glob(f"**/lib/systemd/system/{name}")
            text = path.read_text(encoding="utf-8")
            # Verified is also that the programs are there.
            text = re.sub(r"^(Exec\w+=)/usr", rf"\1{self.folder}/usr", text, flags=re.M)
            unit = folder / name.replace("@.", "@1.")
            unit.write_text(text, encoding="utf-8")
            yield unit

    def test_services_are_valid(self):
        for unit in self.units():
            self.assertEqual("", run("systemd-analyze", "verify", "--man=no", unit))

    def test_services_are_locked_in(self):
        for unit in self.units():
            report = run("systemd-analyze", "security", "--no-pager", "--offline=yes",
                         f"--threshold={EXPOSURE_MAX * 10:.0f}", unit)
            exposure = float(re.search(r"Overall exposure level for \S+: ([\d.]+)", report)[1])
            self.assertLess(exposure, EXPOSURE_MAX, report)

    def test_examples_are_valid(self):
        """The settings that come with the package: with the server's, --health asks a server."""
        bin_folder = self.folder / "usr" / "bin"
        agency = self.folder / "usr/share/doc/national-lottery/examples/agency-1.yaml"
        bets = self.folder / "bets.csv"
        bets.write_text("Luz,Paz,28123456,1980-02-29,7574\n", encoding="utf-8")
        self.assertEqual("1 bets, fit\n",
                         run(bin_folder / "lottery-agency", "--config", agency, "--check", bets))
        settings = self.folder / "etc" / "lottery" / "server.ini"
        with self.assertRaisesRegex(AssertionError, "ended with 1: .*connection refused"):
            run(bin_folder / "lottery-server", "--config", settings, "--port", "1", "--health")


if __name__ == "__main__":
    main()
