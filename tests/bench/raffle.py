"""How long a start takes, and the draw after the last agency has finished."""
import re
import shutil
import subprocess
import time

from lottery import Lottery, count_lines
from wire import Peer, pb

AGENCIES = 6  # five with bets, and one without that finishes last
FIVE_FINISHED = re.compile("(?s)(action: agencia_finalizada.*?){5}")
SECONDS = 1800
MADE = ["winners.csv", "winners.index", "seal.txt", "seal.leaves", "result.txt"]


def time_of(*command):
    begin = time.monotonic()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.monotonic() - begin


class Stored:
    """A folder where the draw waits for one more agency, and can be held again and again."""

    def __init__(self, folder, dataset, **settings):
        folder.mkdir()
        self.folder = folder
        self.winners = dataset.winners
        self.settings = settings
        with Lottery(folder, AGENCIES, **settings) as lottery:
            lottery.start_agencies(dataset)
            lottery.wait_sent()
            lottery.server.wait_text(FIVE_FINISHED)
            for program in lottery.agencies.values():
                program.stop()
            lottery.server.stop()
            lottery.check_stored(dataset.bets)
        self.data = lottery.data
        self.journal = folder / "bets.journal"  # as it was before the draw
        shutil.copyfile(self.data / "bets.journal", self.journal)

    def draw(self, hold):
        """Seconds of a start, and of what `hold` does with a peer that is the last agency."""
        shutil.copyfile(self.journal, self.data / "bets.journal")
        for name in MADE:
            (self.data / name).unlink(missing_ok=True)
        begin = time.monotonic()
        with Lottery(self.folder, AGENCIES, **self.settings) as lottery:
            start_seconds = time.monotonic() - begin
            with Peer(lottery.port, AGENCIES, timeout=SECONDS) as peer:
                peer.received()
                begin = time.monotonic()
                seconds = hold(peer, begin)
            lottery.server.stop()
        if count_lines(self.data / "winners.csv") != self.winners:
            raise AssertionError(f"there should be {self.winners} winners")
        return start_seconds, seconds

    def hold_draw(self):
        """Seconds of a start, and from the last Finished until its answer, Winners."""
        def hold(peer, begin):
            peer.finish(0)
            return time.monotonic() - begin
        return self.draw(hold)

    def seal(self):
        """Seconds from the last Finished until the Seal; the draw follows."""
        def hold(peer, begin):
            peer.send(pb.OPCODE_FINISHED,
                      pb.Finished(agency_id=AGENCIES, total=0, want_seal=True))
            opcode, _ = peer.read_frame()
            seconds = time.monotonic() - begin
            if opcode != pb.OPCODE_SEAL:
                raise AssertionError(f"opcode {opcode} came before the seal")
            peer.winners()
            return seconds
        return self.draw(hold)[1]


class Raffle:
    """(f) From the last Finished to its Winners, compared with wc -l and cat of the stored bets; before
    that, the start of the server on them. And from the last Finished to the Seal, in a draw that has
    one."""
    letter = "f"

    def __init__(self, plan):
        sizes = {"": plan.bets, **({"tenfold_": plan.bets * 10} if plan.large else {})}
        self.stored = {name: Stored(plan.scratch / f"stored-{bets}", plan.dataset(bets))
                       for name, bets in sizes.items()}
        self.sealed = Stored(plan.scratch / "stored-sealed", plan.dataset(plan.bets),
                             LOTTERY_SEAL="yes")

    def run(self, _folder):
        figures = {}
        for name, stored in self.stored.items():
            bets = stored.data / "bets.csv"
            figures[f"{name}start_s"], figures[f"{name}raffle_s"] = stored.hold_draw()
            figures[f"{name}wc_s"] = time_of("wc", "-l", bets)
            figures[f"{name}cat_s"] = time_of("cat", bets)
        figures["seal_s"] = self.sealed.seal()
        return figures
