"""The bets that are sent: agencies' files, made by tools/gen-dataset.py."""
import pathlib
import subprocess

GENERATOR = pathlib.Path(__file__).resolve().parents[2] / "tools" / "gen-dataset.py"
SEED = "7574"


class Dataset:
    """The files, how many bets they have together, and how many of these win (None: not known)."""

    def __init__(self, files, bets, winners=None):
        self.files = files
        self.bets = bets
        self.winners = winners


def make(parent, bets, agencies=5, winners=None):
    """The set with so many bets, made if it is missing; one bet in 10,000 wins unless it says otherwise."""
    folder = parent / f"bets-{bets}-of-{agencies}"
    if winners is not None:
        folder = folder.with_name(f"{folder.name}-with-{winners}")
    files = [folder / f"agency-{agency}.csv" for agency in range(1, agencies + 1)]
    dataset = Dataset(files, bets, winners or max(bets // 10_000, 1))
    if not dataset.files[-1].exists():
        subprocess.run([GENERATOR, "--agencies", str(agencies), "--bets", str(bets), "--winners",
                        str(dataset.winners), "--seed", SEED, "--out", folder], check=True)
    return dataset
