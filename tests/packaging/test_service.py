"""The life of the package on a bare Debian with systemd: installed, at work, upgraded, removed, purged.

Usage: test_service.py RELEASE [OPTION OF UNITTEST]...
"""
import json
import pathlib
import re
import shutil
import signal
import sys
import tempfile
import time
import unittest

from machine import PAUSE, SECONDS, Machine, NoMachine
from packages import ROOT, depends, main, make_next, package, run

RELEASES = ("bookworm", "trixie")
SERVER = "lottery-server.service"
SETTINGS = "/etc/lottery/server.ini"
DATA = "/var/lib/lottery"
CTL = ("lottery-ctl", "--data-dir", DATA)
AGENCIES = (1, 2)
WAITING = 3  # an agency that never gets where it wants to go
WINNERS = 3
# Where nothing of the package may stay, and what changes there all the time, or by each package.
FOLDERS = ("etc", "usr", "var/lib", "var/log")
NOT_COMPARED = re.compile(r"etc/(ld\.so\.cache|(passwd|group|shadow|gshadow)-?|\.pwd\.lock)$|"
                          r"var/lib/(dpkg|apt|systemd)/|var/log/(journal/|dpkg\.log)|"
                          r"usr/share/(info|man)/.*(dir|index)|.*\.(cache|pyc)$")


class Service(unittest.TestCase):
    release = None

    def setUp(self):
        self.deb = package()
        self.folder = pathlib.Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder)
        try:
            self.machine = self.enterContext(Machine(self.release, depends(self.deb)))
        except NoMachine as reason:
            self.skipTest(str(reason))
        self.before = self.files()

    def run_in(self, *command, **options):
        return self.machine.run(*command, **options)

    def install(self, deb):
        shutil.copy(deb, self.machine.path("/root/package.deb"))
        return self.run_in("dpkg", "--force-confold", "-i", "/root/package.deb")

    def property(self, unit, name):
        return self.run_in("systemctl", "show", "--value", "-p", name, unit)

    def journal(self, unit):
        return self.run_in("journalctl", "--no-pager", "-o", "cat", "-u", unit)

    def wait_for(self, what, question):
        """Asks until the answer is true, and returns it."""
        deadline = time.monotonic() + SECONDS
        while not (answer := question()):
            if time.monotonic() > deadline:
                self.fail(f"not within {SECONDS} s: {what}\n{self.journal('lottery-*')}")
            time.sleep(PAUSE)
        return answer

    def files(self):
        root = self.machine.root
        return {name for folder in FOLDERS for path in (root / folder).rglob("*")
                if not NOT_COMPARED.match(name := str(path.relative_to(root)))}

    def owner(self, path):
        return self.run_in("stat", "-c", "%U:%G %a", path)

    def test_life(self):
        """One after the other, on one machine."""
        self.installs()
        self.purges_without_a_trace()
        self.refuses_bad_settings()
        self.serves()
        self.holds_a_draw()
        self.reloads()
        self.is_watched()
        self.is_upgraded()
        self.is_removed()
        self.keeps_data_when_purged()

    def installs(self):
        """Users, settings, programs and manuals are there, and nothing runs."""
        self.install(self.deb)
        self.assertEqual("", self.run_in("dpkg", "--verify", "national-lottery"))
        for user, home in (("lottery-server", DATA), ("lottery-agency", f"{DATA}-agency")):
            name, _, uid, _, _, folder, shell = self.run_in("getent", "passwd", user).split(":")
            self.assertEqual((user, home, "/usr/sbin/nologin"), (name, folder, shell))
            self.assertLess(int(uid), 1000)
        self.assertEqual("root:root 644", self.owner(SETTINGS))
        self.assertEqual("disabled", self.run_in("systemctl", "is-enabled", SERVER, check=False))
        self.assertEqual("inactive", self.run_in("systemctl", "is-active", SERVER, check=False))
        self.assertFalse(self.machine.path(DATA).exists())
        for program in ("lottery-server", "lottery-agency", "lottery-ctl"):
            self.assertRegex(self.run_in(program, "--version"), r"^lottery-\w+ [\d.]+$")
        self.assertTrue(self.machine.path("/usr/share/man/man8/lottery-server.8.gz").exists())

    def purges_without_a_trace(self):
        """What was never used leaves nothing but the users, whose numbers are not to be used again."""
        self.run_in("dpkg", "--purge", "national-lottery")
        self.assertEqual(set(), self.files() - self.before)
        self.assertEqual(set(), self.before - self.files())
        self.assertIn("lottery-server", self.run_in("getent", "passwd", "lottery-server"))

    def change(self, name, value):
        """Sets one of the server's settings, as an administrator does."""
        path = self.machine.path(SETTINGS)
        text = path.read_text(encoding="utf-8")
        kept = [line for line in text.splitlines() if not line.startswith(f"{name} ")]
        path.write_text("\n".join([*kept, f"{name} = {value}", ""]), encoding="utf-8")

    def refuses_bad_settings(self):
        """A bad setting is in the journal, and the service does not start again and again."""
        self.install(self.deb)
        self.change("SERVER_WORKERS", "many")
        self.run_in("systemctl", "start", SERVER, check=False)
        self.wait_for("failed", lambda: self.property(SERVER, "ActiveState") == "failed")
        self.assertEqual("2", self.property(SERVER, "ExecMainStatus"))
        self.assertEqual("0", self.property(SERVER, "NRestarts"))
        # Lines have their priority, and no time but the journal's.
        critical = self.run_in("journalctl", "--no-pager", "-o", "cat", "-p", "crit", "-u", SERVER)
        self.assertRegex(critical, rf"^CRITICAL action: config [^\n]* reason: {SETTINGS}:\d+: ")
        self.run_in("systemctl", "reset-failed", SERVER)

    def serves(self):
        """Enabled and started, it answers; its data is its own, and root may operate it."""
        self.change("SERVER_WORKERS", 2)
        self.change("LOTTERY_AGENCIES", len(AGENCIES))
        self.run_in("systemctl", "enable", "--now", SERVER)
        self.assertEqual("active", self.property(SERVER, "ActiveState"))
        # It is ready when the start has returned.
        self.run_in("lottery-server", "--config", SETTINGS, "--health")
        self.assertEqual("lottery-server:lottery-server 750", self.owner(DATA))
        self.assertEqual("lottery-server:lottery-server 640", self.owner(f"{DATA}/bets.csv"))
        self.assertEqual(0, json.loads(self.run_in(*CTL, "--json", "status"))["bets"])
        self.run_in("setpriv", "--reuid=nobody", "--clear-groups", *CTL, "status", status=1)
        pid = self.property(SERVER, "MainPID")
        status = self.run_in("cat", f"/proc/{pid}/status")
        for line in (r"CapEff:\t0+$", r"CapBnd:\t0+$", r"NoNewPrivs:\t1$", r"Seccomp:\t2$"):
            self.assertRegex(status, re.compile(f"^{line}", re.M))

    def holds_a_draw(self):
        """Two agencies as services: both end well, with their winners."""
        run("/usr/bin/python3", "-B", ROOT / "tools" / "gen-dataset.py", "--agencies", len(AGENCIES),
            "--bets", 500, "--winners", WINNERS, "--seed", 1, "--out", self.folder)
        example = self.machine.path("/usr/share/doc/national-lottery/examples/agency-1.yaml")
        for agency in AGENCIES:
            text = example.read_text(encoding="utf-8").replace("id: 1", f"id: {agency}")
            self.machine.path(f"/etc/lottery/agency-{agency}.yaml").write_text(text, encoding="utf-8")
            shutil.copy(self.folder / f"agency-{agency}.csv", self.machine.path("/root/bets.csv"))
            self.run_in("install", "-D", "-o", "lottery-agency", "-m", "640", "/root/bets.csv",
                        f"{DATA}-agency/{agency}/bets.csv")
            self.run_in("systemctl", "start", f"lottery-agency@{agency}")
        winners = 0
        for agency in AGENCIES:
            unit = f"lottery-agency@{agency}.service"
            self.wait_for(f"end of {unit}",
                          lambda unit=unit: self.property(unit, "ActiveState") != "active")
            self.assertEqual("success", self.property(unit, "Result"), self.journal(unit))
            path = f"{DATA}-agency/{agency}/winners.txt"
            self.assertEqual("lottery-agency:lottery-agency", self.owner(path).split()[0])
            winners += len(self.machine.path(path).read_text(encoding="utf-8").splitlines())
        self.assertEqual(WINNERS, winners)
        status = json.loads(self.run_in(*CTL, "--json", "status"))
        self.assertEqual((500, WINNERS), (status["bets"], status["drawn"]["winners"]))
        # An agency can neither read the bets of all nor operate the server.
        for command in (("cat", f"{DATA}/bets.csv"), (*CTL, "close")):
            self.run_in("setpriv", "--reuid=lottery-agency", "--regid=lottery-agency",
                        "--clear-groups", *command, status=1)
        self.assertIn(f"action: sorteo | result: success | ganadores: {WINNERS}", self.journal(SERVER))

    def reloads(self):
        """The same process goes on, with the settings as they are now; bad ones are refused."""
        pid = self.property(SERVER, "MainPID")
        self.change("LOGGING_LEVEL", "DEBUG")
        self.run_in("systemctl", "reload", SERVER)
        self.assertIn("action: recarga | result: success", self.journal(SERVER))
        self.change("LOGGING_LEVEL", "LOUD")
        self.run_in("systemctl", "reload", SERVER, status=1)
        self.change("LOGGING_LEVEL", "INFO")
        self.assertEqual(500, json.loads(self.run_in(*CTL, "--json", "status"))["bets"])
        self.assertEqual((pid, "active"), (self.property(SERVER, "MainPID"),
                                           self.property(SERVER, "ActiveState")))

    def is_watched(self):
        """A supervisor that hangs is killed and started again."""
        drop_in = self.machine.path(f"/run/systemd/system/{SERVER}.d/soon.conf")
        self.run_in("mkdir", "-p", f"/run/systemd/system/{SERVER}.d")
        self.run_in("sh", "-c", "printf '[Service]\\nWatchdogSec=1s\\nRestartSec=0\\n' > "
                    f"/run/systemd/system/{SERVER}.d/{drop_in.name}")
        self.run_in("systemctl", "daemon-reload")
        self.run_in("systemctl", "restart", SERVER)
        pid = self.property(SERVER, "MainPID")
        self.run_in("systemctl", "kill", "--kill-whom=main", "--signal=STOP", SERVER)
        self.wait_for("restart", lambda: self.property(SERVER, "MainPID") not in ("0", pid) and
                      self.property(SERVER, "ActiveState") == "active")
        self.assertIn("Watchdog timeout", self.journal(SERVER))
        self.run_in("rm", f"/run/systemd/system/{SERVER}.d/{drop_in.name}")
        self.run_in("systemctl", "daemon-reload")
        self.assertEqual(500, json.loads(self.run_in(*CTL, "--json", "status"))["bets"])

    def is_upgraded(self):
        """The next version runs afterwards, with the settings that an administrator has changed."""
        pid = self.property(SERVER, "MainPID")
        settings = self.machine.path(SETTINGS).read_text(encoding="utf-8")
        self.install(make_next(self.deb, self.folder))
        self.assertIn("+next", self.run_in("dpkg-query", "-W", "-f", "${Version}", "national-lottery"))
        self.assertEqual(settings, self.machine.path(SETTINGS).read_text(encoding="utf-8"))
        self.assertIn("next version", self.machine.path(f"{SETTINGS}.dpkg-dist").read_text())
        self.assertEqual("active", self.property(SERVER, "ActiveState"))
        self.assertNotEqual(pid, self.property(SERVER, "MainPID"))
        self.assertEqual("enabled", self.run_in("systemctl", "is-enabled", SERVER))
        self.run_in("lottery-server", "--config", SETTINGS, "--health")
        self.assertEqual(500, json.loads(self.run_in(*CTL, "--json", "status"))["bets"])

    def is_removed(self):
        """Server and agencies are stopped, cleanly; settings and data stay."""
        waiting = f"lottery-agency@{WAITING}.service"
        path = self.machine.path(f"/etc/lottery/agency-{WAITING}.yaml")
        path.write_text(f"id: {WAITING}\nserver:\n  address: localhost:1\nconnect:\n  timeout: 0s\n"
                        "bets:\n  allowEmpty: true\n", encoding="utf-8")
        self.run_in("install", "-D", "/dev/null", f"{DATA}-agency/{WAITING}/bets.csv")
        self.run_in("systemctl", "enable", "--now", waiting)
        self.wait_for("agency", lambda: "action: connect" in self.journal(waiting))
        self.run_in("dpkg", "--remove", "national-lottery")
        for unit in (SERVER, waiting):
            self.assertEqual("inactive", self.run_in("systemctl", "is-active", unit, check=False))
            last_run = self.journal(unit).rpartition("\nStarted ")[2]
            self.assertIn("action: exit | result: success", last_run)
            self.assertIn(f"{unit}: Deactivated successfully.", last_run)
        self.assertTrue(self.machine.path(SETTINGS).exists())
        self.assertTrue(self.machine.path(f"{DATA}/bets.csv").exists())
        self.assertFalse(self.machine.path("/usr/bin/lottery-server").exists())

    def keeps_data_when_purged(self):
        """Of the package nothing stays, but what people have put there."""
        printed = self.run_in("dpkg", "--purge", "national-lottery")
        for folder in (DATA, f"{DATA}-agency"):
            self.assertIn(f"{folder} still has data", printed)
        left = self.files() - self.before
        self.assertEqual({"etc/lottery", *(f"etc/lottery/agency-{agency}.yaml"
                                           for agency in (*AGENCIES, WAITING))},
                         {name for name in left if not name.startswith("var/lib/lottery")})
        self.assertIn("var/lib/lottery/bets.csv", left)
        self.assertIn("var/lib/lottery-agency/1/winners.txt", left)
        state = self.machine.path("/var/lib/systemd")
        self.assertEqual([], [path for path in state.rglob("*lottery*")])


if __name__ == "__main__":
    if len(sys.argv) < 2 or sys.argv[1] not in RELEASES:
        print(__doc__.strip(), file=sys.stderr)
        sys.exit(2)
    Service.release = sys.argv.pop(1)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # what is open is closed then, too
    main()
