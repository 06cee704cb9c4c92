"""What anybody was ever told about a draw, which all has to agree."""
import datetime
import os
import time

PHASES = {"open": 0, "closed": 1, "sealed": 1, "drawn": 2}
CLOSINGS = {"all": "all finished", "operator": "operator", "time": "deadline"}


def rfc3339(seconds):
    return datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc).strftime(
        "%Y-%m-%dT%H:%M:%SZ")


class Draw:
    """One of the draws, and all that was ever said of it."""

    def __init__(self, day, draw, kind):
        self.day = day
        self.id = draw
        self.kind = kind
        self.close_ats = []  # closing times it was to begin with, as texts; one of them counts
        self.close_due = None  # by the monotonic clock: when the operator closes
        self.closed_at = None  # the same: since when somebody has known that it is closed
        self.phase = 0
        self.numbers = {}  # all numbers that were shown, and by whom first
        self.roots = {}
        self.attempts = set()  # numbers that were given
        self.done = set()  # the operator's acts that were answered with success
        self.rows = {}
        self.agencies = {}  # programs that have not ended
        self.told = {}  # of an agency that has ended: exit status, bets that were taken, winners
        self.held_back = set()  # agencies that start late
        self.witness = None
        self.is_checked = False

    @property
    def folder(self):
        return self.day.data / self.id

    def file(self, agency, kind):
        return self.day.folder / f"{self.id}-{agency}.{kind}"

    def note_closed(self):
        if self.closed_at is None:
            self.closed_at = time.monotonic()

    def was_closed_at(self, moment):
        return self.closed_at is not None and self.closed_at < moment

    def note_number(self, number, who):
        self.numbers.setdefault(int(number), who)
        self.day.tally.most_numbers = max(self.day.tally.most_numbers, len(self.numbers))
        if len(self.numbers) > 1:
            self.day.fault(f"draw {self.id} has more than one number: {self.numbers}")

    def note_root(self, root, who):
        self.roots.setdefault(root, who)
        if len(self.roots) > 1:
            self.day.fault(f"draw {self.id} has more than one seal: {self.roots}")

    def note_status(self, status):
        """What `status --json` says of it."""
        phase = PHASES[status["phase"]]
        if phase < self.phase:
            self.day.fault(f"draw {self.id} was further already: {status}")
        self.phase = max(phase, self.phase)
        if phase > 0:
            self.note_closed()
            self.note_closing(status["closed"], status["close_at"])
        if status["sealed"] is not None:
            self.note_root(status["sealed"]["root"], "status")
        if status["drawn"] is not None:
            self.note_number(status["drawn"]["number"], "status")
            if not self.roots:
                self.day.tally.unsealed += 1
                self.day.fault(f"draw {self.id} has a number, and no seal: {status}")

    def note_closing(self, closed, close_at):
        uid = os.getuid() if self.kind == "operator" else 0
        if closed["by"] != CLOSINGS[self.kind] or (closed["uid"] or 0) != uid:
            self.day.fault(f"draw {self.id} is to be closed by {self.kind}: {closed}")
        if close_at not in (self.close_ats or [None]):
            self.day.fault(f"draw {self.id} is to be closed at one of {self.close_ats}: {close_at}")
        if closed["by"] == "deadline" and closed["time"] < close_at:
            self.day.fault(f"draw {self.id} was closed before {close_at}: {closed}")

    def is_told(self):
        return len(self.told) == len(self.rows) and not self.witness.is_alive()
