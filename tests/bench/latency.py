"""How long a durable answer takes, and how long it takes at least."""
import json
import subprocess

from lottery import BIN, Lottery

MESSAGE_SIZE = 64  # bytes, about what a frame with one bet has
MANY = 64
SECONDS = 600


def run_client(*command):
    result = subprocess.run([BIN / command[0], *map(str, command[1:])], check=True, text=True,
                            stdout=subprocess.PIPE, timeout=SECONDS)
    return json.loads(result.stdout)


class Latency:
    """(e) One bet per batch, one in flight, on 1 and on 64 connections."""
    letter = "e"

    def __init__(self, plan):
        self.messages = plan.messages
        self.previous = plan.previous

    def ours(self, folder, connections, count, bin_=BIN):
        folder.mkdir()
        with Lottery(folder, connections, bin_=bin_) as lottery:
            figures = run_client("bench-latency", lottery.port, connections, count)
            lottery.server.stop()
            lottery.check_stored(connections * count)
        return figures

    def run(self, folder):
        # An eighth of the messages on each, or the rounds would take too long.
        part = max(self.messages // 8, 1)
        runs = {
            "bare": run_client("bench-roundtrip", folder / "bare", MESSAGE_SIZE, self.messages),
            "one": self.ours(folder / "one", 1, self.messages),
            "many": self.ours(folder / "many", MANY, part),
        }
        if self.previous:
            runs["previous_one"] = self.ours(folder / "previous_one", 1, self.messages, self.previous)
            runs["previous_many"] = self.ours(folder / "previous_many", MANY, part, self.previous)
        return {f"{name}_{figure}": value for name, figures in runs.items()
                for figure, value in figures.items()}
