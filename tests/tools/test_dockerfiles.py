#!/usr/bin/env python3
"""What the two Dockerfiles say about their images, without an engine. tests/e2e/ looks at the images."""

import pathlib
import re
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]


class Dockerfile:
    """The stages of a Dockerfile, and what an image of one inherits."""

    def __init__(self, program):
        text = (ROOT / program / "Dockerfile").read_text(encoding="utf-8")
        lines = [line for line in text.splitlines() if not line.startswith("#")]
        self.stages = []  # (name, base, text)
        for line in re.sub(r"\\\n\s*", " ", "\n".join(lines)).splitlines():
            if start := re.fullmatch(r"FROM (\S+)(?: AS (\S+))?", line):
                self.stages.append((start[2], start[1], []))
            elif line:
                self.stages[-1][2].append(line)

    def chain(self, name):
        """The instructions of an image: those of the stages that it is made from, oldest first. None is
        the last stage."""
        found = self.stages[-1] if name is None else next(s for s in self.stages if s[0] == name)
        names = {stage[0] for stage in self.stages}
        before = self.chain(found[1]) if found[1] in names else []
        return before + found[2]

    def labels(self, name):
        return {key: value for line in self.chain(name) if line.startswith("LABEL ")
                for key, value in re.findall(r'(\S+?)="([^"]*)"', line)}


class Images(unittest.TestCase):
    """Every image that `make docker-image` leaves."""

    SHIPPED = (("server", None, "lottery-server"), ("client", None, "lottery-agency"),
               ("client", "netcat", "lottery-netcat"))

    def test_labels(self):
        """What the image is, of which version, on which terms, and made from what."""
        cmake = (ROOT / "CMakeLists.txt").read_text(encoding="utf-8")
        version = re.search(r"project\(lottery VERSION ([\d.]+)", cmake)[1]
        for program, stage, title in self.SHIPPED:
            with self.subTest(title):
                dockerfile = Dockerfile(program)
                prefix = "org.opencontainers.image."
                labels = dockerfile.labels(stage)
                self.assertTrue(labels.pop(f"{prefix}description"))
                self.assertEqual({f"{prefix}title": title, f"{prefix}version": version,
                                  f"{prefix}licenses": "MIT",
                                  f"{prefix}base.name": "docker.io/library/debian:bookworm-slim"}, labels)
                self.assertEqual("debian:bookworm-slim", dockerfile.stages[0][1])

    def test_stop_signal(self):
        """The signal that the programs stop on, said and not left to the engine."""
        for program, stage, title in self.SHIPPED:
            self.assertEqual(["STOPSIGNAL SIGTERM"],
                             [line for line in Dockerfile(program).chain(stage)
                              if line.startswith("STOPSIGNAL")], title)

    def test_shared_stages(self):
        """runtime and common are the same in both, so that the images share their layers."""
        server, client = Dockerfile("server"), Dockerfile("client")
        for name in ("runtime", "common"):
            self.assertEqual(server.chain(name), client.chain(name))


if __name__ == "__main__":
    unittest.main()
