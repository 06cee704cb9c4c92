"""The bets that are sent: five agencies' files, as tools/gen-dataset.py makes them."""
import pathlib
import subprocess

GENERATOR = pathlib.Path(__file__).resolve().parents[2] / "tools" / "gen-dataset.py"
SEED = "7574"
AGENCIES = 5


class Dataset:
    """The files, how many bets they have together, and how many of these win (None: not known)."""

    def __init__(self, folder, bets, winners=None):
        self.files = [folder / f"agency-{agency}.csv" for agency in range(1, AGENCIES + 1)]
        self.bets = bets
        self.winners = winners


def make(parent, bets):
    """The set of so many bets, made where it is missing; one in 10,000 wins, as chance has it."""
    folder = parent / f"bets-{bets}"
    dataset = Dataset(folder, bets, max(bets // 10_000, 1))
    if not dataset.files[-1].exists():
        subprocess.run([GENERATOR, "--agencies", str(AGENCIES), "--bets", str(bets), "--winners",
                        str(dataset.winners), "--seed", SEED, "--out", folder], check=True)
    return dataset
