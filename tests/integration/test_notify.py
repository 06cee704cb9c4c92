"""What a service manager hears from the server: sd_notify(3), on a socket of ours."""
import os
import pathlib
import re
import signal
import socket
import struct
import subprocess
import time

from programs import (BIN, Case, Program, children_of, environment_with, main, wait_until)

WATCHDOG_S = 1.0
SIGNS = ("WATCHDOG=1", "EXTEND_TIMEOUT_USEC=30000000")


class Manager:
    """The manager's end. It keeps every message with its time and its sender's pid."""

    def __init__(self, name):
        self.name = str(name)
        self.heard = []
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        self.socket.bind(self.name.replace("@", "\0", 1))

    def hear(self, seconds):
        """Waits for a message for this long at most; None: there was none."""
        self.socket.settimeout(max(seconds, 0.001))
        try:
            data, extra, _, _ = self.socket.recvmsg(4096, socket.CMSG_SPACE(12))
        except TimeoutError:
            return None
        pid = struct.unpack("3i", extra[0][2])[0]
        self.heard.append((time.monotonic(), pid, data.decode()))
        return data.decode()

    def states(self):
        """The messages so far that tell a state."""
        return [text for _, _, text in self.heard if text not in SIGNS]

    def wait_state(self, start, seconds=30):
        """Waits for the next state; it has to begin like this. Returns it."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            text = self.hear(deadline - time.monotonic())
            if text is not None and text not in SIGNS:
                assert text.startswith(start), f"{text!r} instead of {start!r}"
                return text
        raise AssertionError(f"not within {seconds} s: {start!r} after {self.heard}")

    def hear_for(self, seconds):
        """Hears whatever comes in this time; returns it."""
        before = len(self.heard)
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self.hear(deadline - time.monotonic())
        return [text for _, _, text in self.heard[before:]]

    def longest_silence(self, since):
        """Seconds between two signs of life, or states, from `since` on."""
        times = [since, *(at for at, _, _ in self.heard if at >= since)]
        return max(after - before for before, after in zip(times, times[1:]))

    def close(self):
        self.socket.close()


class NotifyCase(Case):
    def setUp(self):
        super().setUp()
        self.manager = Manager(self.folder / "notify")
        self.addCleanup(self.manager.close)
        self.data = self.folder / "data"
        self.data.mkdir()
        self.config = self.folder / "config.ini"

    def start(self, **settings):
        """A server, which may not listen yet. Agencies are a setting of the file."""
        self.configure()
        settings = {"SERVER_PORT": "0", "SERVER_IP": "127.0.0.1", "SERVER_WORKERS": "2",
                    "LOTTERY_DATA_DIR": str(self.data), "LOGGING_LEVEL": "DEBUG",
                    "NOTIFY_SOCKET": self.manager.name, "ASAN_OPTIONS": "detect_leaks=0", **settings}
        program = Program("lottery-server", ["--config", str(self.config)], settings, self.folder)
        self.programs.append(program)
        return program

    def configure(self, text="LOTTERY_AGENCIES = 1"):
        new = self.config.with_suffix(".new")
        new.write_text(f"[DEFAULT]\n{text}\n")
        new.rename(self.config)

    def wait_ready(self):
        """READY comes, after the text about the start. Returns the port that it names."""
        self.manager.wait_state("STATUS=reading what is stored")
        ready = self.manager.wait_state("READY=1\nSTATUS=listening on port ")
        return int(re.search(r"port (\d+)", ready)[1])

    def assert_only_this_speaks(self, server):
        self.assertEqual({pid for _, pid, _ in self.manager.heard}, {server.process.pid})

    def ledger_of(self, server):
        """The pid of the ledger that was started last."""
        return int(server.lines("start_process", "success", process="ledger")[-1].details["pid"])

    def fill(self, count):
        """Bets that a ledger has to read in its recovery: the server that took them was killed."""
        bets = self.folder / "bets.csv"
        bets.write_text("".join(f"Ana,Paz,{i},1999-03-17,1\r\n" for i in range(count)))
        server = self.start(NOTIFY_SOCKET=None)
        port = server.wait_line("listen", "success").details["port"]
        agency = self.agency(1, port, bets, level="ERROR")
        wait_until(lambda: (self.data / "bets.csv").exists() and
                   (self.data / "bets.csv").stat().st_size > count * 20, "the bets are stored")
        agency.kill()
        server.kill()
        for child in children_of(server.process.pid):
            wait_until(lambda pid=child: not pathlib.Path(f"/proc/{pid}").exists(), "all have ended")

    def stop_in_recovery(self, known):
        """SIGSTOP to a ledger before it has recovered, as fast as we can. `known` are pids of others."""
        pid = wait_until(lambda: next((pid for pid in children_of(self.server_pid)
                                       if pid not in known), None), "a ledger is started", pause=0)
        os.kill(pid, signal.SIGSTOP)
        return pid


class States(NotifyCase):
    def test_ready_when_it_listens_and_not_before(self):
        server = self.start()
        port = self.wait_ready()
        with socket.create_connection(("127.0.0.1", port), timeout=10):
            pass
        self.assertEqual(server.wait_line("listen", "success").details["port"], str(port))
        self.assertEqual(server.stop(), 0)
        self.manager.wait_state("STOPPING=1\nSTATUS=stopping")
        self.manager.hear_for(0.1)
        self.assertEqual(len(self.manager.states()), 3)
        self.assert_only_this_speaks(server)

    def test_mode_echo_and_an_abstract_name(self):
        self.manager.close()
        self.manager = Manager(f"@lottery-test-{os.getpid()}-{id(self)}")
        self.addCleanup(self.manager.close)
        server = self.start(SERVER_MODE="echo")
        self.wait_ready()
        self.assertEqual(server.stop(), 0)
        self.manager.wait_state("STOPPING=1")

    def test_a_start_that_fails(self):
        """Never ready; and the manager has the reason, too."""
        with socket.create_server(("127.0.0.1", 0)) as other:
            server = self.start(SERVER_PORT=str(other.getsockname()[1]))
            self.assertEqual(server.wait(), 1)
        self.manager.wait_state("STATUS=reading")
        self.assertIn("in use", self.manager.wait_state("STOPPING=1\nSTATUS="))
        self.manager.hear_for(0.1)
        self.assertEqual(len(self.manager.states()), 2)

    def test_reload(self):
        server = self.start()
        self.wait_ready()
        before_us = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        server.signal(signal.SIGHUP)
        told = self.manager.wait_state("RELOADING=1\n")
        told_us = int(re.search(r"^MONOTONIC_USEC=(\d+)$", told, re.M)[1])
        self.assertGreaterEqual(told_us, before_us)
        self.assertLessEqual(told_us, time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000)
        self.manager.wait_state("READY=1\n")
        server.wait_line("recarga", "success")
        self.configure("LOTTERY_AGENCIES = none")
        server.signal(signal.SIGHUP)
        self.manager.wait_state("RELOADING=1\n")
        self.manager.wait_state("READY=1\n")
        self.assertIn("config.ini", server.wait_line("recarga", "fail").details["reason"])
        server.signal(signal.SIGHUP)
        self.manager.wait_state("RELOADING=1\n")
        server.signal(signal.SIGTERM)
        self.assertEqual(server.wait(), 0)
        self.manager.hear_for(0.1)
        self.assertTrue(self.manager.states()[-1].startswith("STOPPING=1\n"))

    def test_movements_of_an_operator(self):
        """They are told like a reload; and the text names the draw."""
        server = self.start(LOTTERY_DRAW="manual", LOTTERY_DRAW_ID="d0")
        self.manager.wait_state("STATUS=reading")
        self.assertTrue(self.manager.wait_state("READY=1\n").endswith(", draw d0"))
        for command in (["close"], ["draw", "7"], ["next", "d1"], ["reload"]):
            done = subprocess.run([BIN / "lottery-ctl", "--data-dir", self.data, *command], timeout=60,
                                  env=environment_with({}), capture_output=True, text=True)
            self.assertEqual(done.returncode, 0, done.stderr)
        self.manager.wait_state("RELOADING=1\n")
        self.assertTrue(self.manager.wait_state("READY=1\n").endswith(", draw d1"))
        self.manager.wait_state("RELOADING=1\n")
        self.assertTrue(self.manager.wait_state("READY=1\n").endswith(", draw d1"))
        self.assertEqual(server.stop(), 0)
        self.assert_only_this_speaks(server)

    def test_a_socket_that_cannot_be_used(self):
        """Absent, no socket, a folder, too long, not of this family: the server does not care."""
        (self.folder / "file").write_text("")
        for name in (self.folder / "absent" / "notify", self.folder / "file", self.folder,
                     "/" + "x" * 200, "notify", "vsock:2:1", ""):
            with self.subTest(name=str(name)):
                server = self.start(NOTIFY_SOCKET=str(name), WATCHDOG_USEC="1000")
                server.wait_line("accept_connections", "in_progress", count=2)
                self.assertEqual(server.stop(), 0)
                self.assertEqual([line.text for line in server.lines() if line.result == "fail"], [])

    def test_a_manager_that_does_not_read(self):
        """Its queue is full after a while; nobody waits for it."""
        server = self.start(WATCHDOG_USEC="2000")
        server.wait_line("accept_connections", "in_progress", count=2)
        with self.assertRaises(BlockingIOError), \
                socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as other:
            other.setblocking(False)
            while True:
                other.sendto(b"x", self.manager.name)
        server.signal(signal.SIGHUP)
        server.wait_line("recarga", "success")
        self.assertEqual(server.stop(), 0)


class Watchdog(NotifyCase):
    def start(self, **settings):
        settings = {"WATCHDOG_USEC": str(int(WATCHDOG_S * 1e6)), **settings}
        server = super().start(**settings)
        self.server_pid = server.process.pid
        return server

    def test_signs_of_life(self):
        """They come in time, from the supervisor alone, whatever becomes of the others."""
        server = self.start()
        self.wait_ready()
        begin = time.monotonic()
        server.wait_line("start_process", "success", count=4)
        for role in ("worker", "ledger", "coordinator"):
            pid = server.lines("start_process", "success", process=role)[-1].details["pid"]
            os.kill(int(pid), signal.SIGKILL)
        self.manager.hear_for(2 * WATCHDOG_S)
        self.assertLess(self.manager.longest_silence(begin), WATCHDOG_S)
        self.assertIn("WATCHDOG=1", self.manager.heard[-1])
        self.assertEqual(server.stop(), 0)
        self.assert_only_this_speaks(server)

    def test_a_supervisor_that_hangs(self):
        server = self.start()
        self.wait_ready()
        server.signal(signal.SIGSTOP)
        wait_until(lambda: b"\nState:\tT" in
                   pathlib.Path(f"/proc/{self.server_pid}/status").read_bytes(), "it is stopped")
        self.manager.hear_for(0.1)  # what was on its way
        self.assertEqual(self.manager.hear_for(1.5 * WATCHDOG_S), [])
        server.signal(signal.SIGCONT)
        self.assertEqual(self.manager.hear(10), "WATCHDOG=1")
        self.assertEqual(server.stop(), 0)

    def test_another_process_is_watched(self):
        server = self.start(WATCHDOG_PID="1")
        self.wait_ready()
        self.assertEqual(self.manager.hear_for(1.5 * WATCHDOG_S), [])
        self.assertEqual(server.stop(), 0)

    def test_a_long_recovery(self):
        """At the start and in a reload: it lives, asks for more time, and is not ready."""
        self.fill(60000)
        server = self.start()
        ledger = self.stop_in_recovery(known=())
        self.manager.wait_state("STATUS=reading")
        self.hold(ledger)
        self.manager.wait_state("READY=1\n")
        server.wait_line("start_process", "success", count=4)
        known = children_of(self.server_pid)
        server.signal(signal.SIGHUP)
        self.manager.wait_state("RELOADING=1\n")
        self.hold(self.stop_in_recovery(known))
        self.manager.wait_state("READY=1\n")
        server.wait_line("recarga", "success")
        self.assertEqual(server.stop(), 0)
        self.assert_only_this_speaks(server)

    def hold(self, ledger):
        """Hears for a while, in which nothing but signs may come; then lets the ledger go on."""
        begin = time.monotonic()
        told = self.manager.hear_for(2 * WATCHDOG_S)
        self.assertLess(self.manager.longest_silence(begin), WATCHDOG_S)
        self.assertEqual(set(told), set(SIGNS))
        os.kill(ledger, signal.SIGCONT)

    def test_a_long_stop(self):
        """A ledger that does not end: it lives, until it has killed it."""
        server = self.start()
        self.wait_ready()
        server.wait_line("start_process", "success", count=4)
        ledger = self.ledger_of(server)
        server.signal(signal.SIGTERM)
        self.manager.wait_state("STOPPING=1\n")
        begin = time.monotonic()
        while len(children_of(self.server_pid)) > 1:
            os.kill(ledger, signal.SIGSTOP)
        while server.process.poll() is None:
            self.manager.hear(0.1)
        self.assertEqual(server.wait(), 0)
        self.assertGreater(time.monotonic() - begin, 3)
        self.assertLess(self.manager.longest_silence(begin), WATCHDOG_S)


if __name__ == "__main__":
    main()
