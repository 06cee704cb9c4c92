#!/usr/bin/env python3
"""The fragments in compose/ with the stacks that they are for, without an engine. tests/e2e/ has them at
work."""

import copy
import json
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
COMPOSE = ROOT / "compose"
STACKS = ("echo.yaml", "five-agencies.yaml")
FRAGMENTS = ("persist.yaml", "monitor.yaml", "prometheus.yaml")
GENERATED = ([], ["--persist"], ["--mode", "echo"], ["--mode", "bet"])
MONITOR, PROMETHEUS = "monitor.yaml", "prometheus.yaml"
PUBLISHED = re.compile(r"127\.0\.0\.1:\$\{(?P<variable>\w+):-(?P<host>\d+)\}:(?P<container>\d+)")


def load(path):
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def merge(stack, fragment):
    """As Compose does for what is used here: mappings key by key, lists one after the other."""
    merged = copy.deepcopy(stack)
    for key, value in fragment.items():
        old = merged.get(key)
        if isinstance(old, dict):
            merged[key] = merge(old, value)
        elif isinstance(old, list):
            merged[key] = old + [item for item in value if item not in old]
        else:
            merged[key] = copy.deepcopy(value)
    return merged


def ports_of(service):
    """(variable, port on this machine, port in the container) of each that is published; an error for
    one that others could reach."""
    return [(match["variable"], int(match["host"]), int(match["container"]))
            for match in (PUBLISHED.fullmatch(port) for port in service.get("ports", []))]


class FragmentCase(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name)

    def generate(self, *options):
        """A compose file of three agencies where the project's root would be."""
        out = self.root / "docker-compose-dev.yaml"
        subprocess.run([sys.executable, ROOT / "tools" / "gen-compose.py", out, "3", *options],
                       check=True, timeout=60, capture_output=True)
        return out

    def stacks(self):
        """(name, the stack) of all that there are."""
        for options in GENERATED:
            yield " ".join(["generated", *options]), load(self.generate(*options))
        for name in STACKS:
            yield name, load(COMPOSE / name)


class Files(FragmentCase):
    def test_all_are_described(self):
        """README.md there has a row for each file, and none of these tests has forgotten one."""
        files = {path.name for path in COMPOSE.iterdir()} - {"README.md"}
        rows = re.findall(r"^\| `([^`]+)` \|", (COMPOSE / "README.md").read_text(), re.M)
        self.assertEqual(sorted(files), sorted(rows))
        self.assertEqual({*STACKS, *FRAGMENTS}, {name for name in files if name.endswith(".yaml")})

    def test_commands(self):
        """Each file shows a command that it is part of, with files that exist."""
        for name in (*STACKS, *FRAGMENTS):
            with self.subTest(name):
                text = (COMPOSE / name).read_text()
                command = re.search(r"^#   docker compose (.*) up -d$", text, re.M)[1]
                named = re.findall(r"-f (\S+)", command)
                self.assertIn(f"compose/{name}", named)
                for file in named:
                    self.assertTrue(file == "docker-compose-dev.yaml" or (ROOT / file).exists(), file)

    def test_paths(self):
        """A fragment that goes with every stack has none: Compose takes them from the first file's
        folder."""
        for name in FRAGMENTS:
            text = (COMPOSE / name).read_text()
            self.assertEqual(re.search(r"[\s\"']\.\.?/", text) is not None, name == PROMETHEUS, name)


class Monitor(FragmentCase):
    def test_with_every_stack(self):
        """The server gets the setting and one port, and nothing else changes."""
        fragment = load(COMPOSE / MONITOR)
        for name, stack in self.stacks():
            with self.subTest(name):
                merged = merge(stack, fragment)
                server = merged["services"]["server"]
                address = server["environment"].pop("SERVER_HTTP_ADDRESS")
                ports = ports_of({"ports": server.pop("ports")})
                self.assertEqual([("MONITOR_PORT", 9090, int(address.rpartition(":")[2]))], ports)
                self.assertEqual(stack, merged)

    def test_all_containers_may_ask(self):
        """In the container it listens on all addresses: published ports arrive on another than loopback."""
        environment = load(COMPOSE / MONITOR)["services"]["server"]["environment"]
        self.assertEqual("0.0.0.0", environment["SERVER_HTTP_ADDRESS"].rpartition(":")[0])


class Prometheus(FragmentCase):
    def setUp(self):
        super().setUp()
        self.service = load(COMPOSE / PROMETHEUS)["services"]["prometheus"]

    def test_target(self):
        """Its settings name a service of the stack, on a network that both are in, and the port of the
        observer."""
        jobs = load(COMPOSE / "prometheus.yml")["scrape_configs"]
        target, = (target for job in jobs for config in job["static_configs"]
                   for target in config["targets"])
        merged = merge(merge(load(self.generate()), load(COMPOSE / MONITOR)), load(COMPOSE / PROMETHEUS))
        service, _, port = target.partition(":")
        address = merged["services"][service]["environment"]["SERVER_HTTP_ADDRESS"]
        self.assertEqual(address.rpartition(":")[2], port)
        self.assertTrue(set(self.service["networks"]) & set(merged["services"][service]["networks"]))
        self.assertEqual([service], self.service["depends_on"])

    def test_settings_are_mounted(self):
        """Read-only, from the project's root; where they are missing the start fails. What it stores is
        in a volume with a name: one without would remain after `down`."""
        mount, data = self.service["volumes"]
        self.assertEqual("compose/prometheus.yml", mount["source"].removeprefix("./"))
        self.assertTrue((ROOT / mount["source"]).is_file())
        self.assertEqual("/etc/prometheus/prometheus.yml", mount["target"])
        self.assertTrue(mount["read_only"])
        self.assertFalse(mount["bind"]["create_host_path"])
        self.assertIn(data.partition(":")[0], load(COMPOSE / PROMETHEUS)["volumes"])

    def test_ports_differ(self):
        """Both fragments together publish two ports, on loopback."""
        server = load(COMPOSE / MONITOR)["services"]["server"]
        (one, one_host, _), = ports_of(server)
        (other, other_host, _), = ports_of(self.service)
        self.assertNotEqual(one, other)
        self.assertNotEqual(one_host, other_host)

    def test_image_is_pinned(self):
        """To a version, so that tomorrow's start is today's."""
        self.assertRegex(self.service["image"], r"^prom/prometheus:v\d+\.\d+\.\d+$")


def has_compose():
    return shutil.which("docker") is not None and subprocess.run(
        ["docker", "compose", "version"], capture_output=True, timeout=60).returncode == 0


@unittest.skipUnless(has_compose(), "there is no Docker Compose")
class Compose(FragmentCase):
    """What Compose itself makes of them; it needs no engine for that."""

    def config(self, *files):
        command = ["docker", "compose"]
        for file in files:
            command += ["-f", file]
        done = subprocess.run([*command, "config", "--format", "json"], cwd=self.root, text=True,
                              capture_output=True, timeout=60)
        self.assertEqual(0, done.returncode, done.stderr)
        self.assertEqual("", done.stderr)
        return json.loads(done.stdout)

    def test_all_together(self):
        """The generated stack with all fragments, where they lie in the project."""
        shutil.copytree(COMPOSE, self.root / "compose")
        generated = self.generate()
        alone = self.config(generated)
        config = self.config(generated, *(self.root / "compose" / name for name in FRAGMENTS))
        self.assertEqual({*alone["services"], "prometheus"}, set(config["services"]))
        published = {name: [(port["host_ip"], port["published"], port["target"])
                            for port in service.get("ports", [])]
                     for name, service in config["services"].items()}
        self.assertEqual({"server": [("127.0.0.1", "9090", 9090)],
                          "prometheus": [("127.0.0.1", "9091", 9090)]},
                         {name: ports for name, ports in published.items() if ports})
        server = config["services"]["server"]
        self.assertEqual({**alone["services"]["server"]["environment"],
                          "SERVER_HTTP_ADDRESS": "0.0.0.0:9090"}, server["environment"])
        for mount in config["services"]["prometheus"]["volumes"]:
            if mount["type"] == "bind":
                self.assertTrue(pathlib.Path(mount["source"]).is_file(), mount)
        for client in ("client1", "client2", "client3"):
            self.assertEqual(alone["services"][client], config["services"][client])

    def test_monitor_with_stacks_of_the_folder(self):
        for name in STACKS:
            with self.subTest(name):
                config = self.config(COMPOSE / name, COMPOSE / MONITOR)
                self.assertEqual("0.0.0.0:9090",
                                 config["services"]["server"]["environment"]["SERVER_HTTP_ADDRESS"])


if __name__ == "__main__":
    unittest.main()
