#!/usr/bin/env python3
"""Tests of tools/gen-compose.py and generar-compose.sh: arguments in, a compose file and status out."""

import ipaddress
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
TOOL = "tools/gen-compose.py"
SCRIPT = "generar-compose.sh"
MAKE_CERTS = "tools/make-certs.sh"
USUAL_SUBNET = "172.25.125.0/24"


class ToolTest(unittest.TestCase):
    """A copy of the tool without compose/defaults: what the project's says differs by branch."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        project = pathlib.Path(folder.name) / "project"
        for path in (TOOL, SCRIPT):
            (project / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / path, project / path)
        self.tool = (sys.executable, project / TOOL)
        self.script = ("bash", project / SCRIPT)
        self.defaults = project / "compose" / "defaults"
        self.root = pathlib.Path(folder.name) / "out"
        self.root.mkdir()
        self.out = self.root / "compose.yaml"

    def run_tool(self, *arguments, mode=None, command=None):
        env = {key: value for key, value in os.environ.items() if key != "LOTTERY_MODE"}
        if mode is not None:
            env["LOTTERY_MODE"] = mode
        return subprocess.run([*(command or self.tool), *map(str, arguments)], capture_output=True,
                              encoding="utf-8", env=env, cwd=self.root, timeout=60)

    def generate(self, agencies, *options, mode=None):
        """Makes a compose file, without any output, and returns it as data."""
        done = self.run_tool(self.out, agencies, *options, mode=mode)
        self.assertEqual((0, "", ""), (done.returncode, done.stdout, done.stderr))
        return yaml.safe_load(self.out.read_text(encoding="utf-8"))

    def assert_refused(self, done, reason):
        self.assertEqual((2, ""), (done.returncode, done.stdout))
        self.assertIn(reason, done.stderr)
        self.assertEqual([], sorted(self.root.iterdir()))


class Readable(ToolTest):
    def test_settings_are_readable_in_containers(self):
        """Also where the project was cloned under umask 077: containers run as another user."""
        settings = [self.script[1].parent / name for name in
                    ("server/config.ini", "client/config.yaml", "compose/prometheus.yml")]
        for path in settings:
            path.parent.mkdir(exist_ok=True)
            path.write_text("")
            path.chmod(0o600)
        done = self.run_tool(self.out, 1, command=self.script)
        self.assertEqual(0, done.returncode, done.stderr)
        self.assertEqual([0o644] * 3, [path.stat().st_mode & 0o777 for path in settings])


class Services(ToolTest):
    def test_names_and_images(self):
        """The server, client1 to clientN, and each container is called as its service."""
        stack = self.generate(3)
        self.assertEqual("tp0", stack["name"])
        self.assertEqual(["server", "client1", "client2", "client3"], list(stack["services"]))
        for name, service in stack["services"].items():
            self.assertEqual(name, service["container_name"])
            self.assertEqual("server:latest" if name == "server" else "client:latest",
                             service["image"])
            self.assertEqual(["testing_net"], service["networks"])

    def test_settings_come_from_outside(self):
        """The files are mounted, read-only; the environment has only what they cannot say."""
        services = self.generate(2)["services"]
        self.assertIn("./server/config.ini:/config.ini:ro", services["server"]["volumes"])
        self.assertEqual({"LOTTERY_AGENCIES": "2", "SERVER_MODE": "lottery"},
                         services["server"]["environment"])
        self.assertIn("./client/config.yaml:/config.yaml:ro", services["client2"]["volumes"])
        self.assertEqual({"CLI_ID": "2", "CLI_MODE": "lottery"},
                         services["client2"]["environment"])

    def test_health(self):
        """The server itself is asked, with the settings that it has."""
        test = self.generate(0)["services"]["server"]["healthcheck"]["test"]
        self.assertEqual(["CMD", "/server", "--config", "/config.ini", "--health"], test)

    def test_no_agencies(self):
        """A server alone."""
        services = self.generate(0)["services"]
        self.assertEqual(["server"], list(services))
        self.assertEqual("0", services["server"]["environment"]["LOTTERY_AGENCIES"])

    def test_no_port_is_published(self):
        self.generate(2)
        self.assertNotIn("ports", self.out.read_text(encoding="utf-8"))


class Modes(ToolTest):
    def test_lottery_mounts_the_agency_file(self):
        """Read-only, and where it is missing the start fails instead of making a folder."""
        for agency in (1, 2):
            mount = self.generate(2)["services"][f"client{agency}"]["volumes"][1]
            self.assertEqual({"type": "bind", "source": f"./.data/agency-{agency}.csv",
                              "target": "/bets.csv", "read_only": True,
                              "bind": {"create_host_path": False}}, mount)

    def test_bet_gives_each_agency_a_bet_of_its_own(self):
        """All texts, and no two alike, also where names come round again."""
        services = self.generate(12, "--mode", "bet")["services"]
        self.assertEqual("lottery", services["server"]["environment"]["SERVER_MODE"])
        bets = []
        for agency in range(1, 13):
            environment = services[f"client{agency}"]["environment"]
            self.assertEqual((str(agency), "bet"),
                             (environment.pop("CLI_ID"), environment.pop("CLI_MODE")))
            self.assertEqual(["NOMBRE", "APELLIDO", "DOCUMENTO", "NACIMIENTO", "NUMERO"],
                             list(environment))
            self.assertTrue(all(isinstance(value, str) for value in environment.values()))
            bets.append(environment)
            self.assertEqual(1, len(services[f"client{agency}"]["volumes"]))
        self.assertEqual(["Santiago Lionel", "Lorca", "30904465", "1999-03-17", "7574"],
                         list(bets[0].values()))
        self.assertEqual(12, len({bet["DOCUMENTO"] for bet in bets}))

    def test_echo(self):
        """Both programs get the mode; no bets are mounted."""
        services = self.generate(1, "--mode", "echo")["services"]
        self.assertEqual("echo", services["server"]["environment"]["SERVER_MODE"])
        self.assertEqual({"CLI_ID": "1", "CLI_MODE": "echo"}, services["client1"]["environment"])
        self.assertEqual(1, len(services["client1"]["volumes"]))

    def test_mode_from_the_environment(self):
        """LOTTERY_MODE counts where no option is given; empty is as if it was not set."""
        def mode(*options, **environment):
            return self.generate(1, *options, **environment)["services"]["client1"][
                "environment"]["CLI_MODE"]
        self.assertEqual("echo", mode(mode="echo"))
        self.assertEqual("bet", mode("--mode", "bet", mode="echo"))
        self.assertEqual("lottery", mode(mode=""))

    def test_persist(self):
        """The data directory in a named volume, only when asked: one line names the fragment that says
        so, and all else is as without it."""
        persisted = self.generate(1, "--persist")
        extends = persisted["services"]["server"].pop("extends")
        self.assertEqual({"file": "compose/persist.yaml", "service": "server"}, extends)
        self.assertEqual(1, self.out.read_text(encoding="utf-8").count("persist"))
        self.assertEqual({"server_data": None}, persisted.pop("volumes"))
        self.assertEqual(self.generate(1), persisted)
        fragment = yaml.safe_load((ROOT / extends["file"]).read_text(encoding="utf-8"))
        self.assertEqual({"services": {"server": {"volumes": ["server_data:/data"]}},
                          "volumes": {"server_data": None}}, fragment)


class Tls(ToolTest):
    def setUp(self):
        super().setUp()
        self.certs = self.defaults.parents[1] / "certs"

    def put_certs(self, agencies):
        """Files with the right names are enough."""
        self.certs.mkdir()
        for name in ("ca", "server", *(f"agency-{agency}" for agency in range(1, agencies + 1))):
            for kind in ("crt", "key", *(("crl",) if name == "ca" else ())):
                (self.certs / f"{name}.{kind}").touch()

    def generate_tls(self, agencies, *options):
        self.put_certs(agencies)
        stack = self.generate(agencies, "--tls", *options)
        shutil.rmtree(self.certs)
        return stack

    def test_who_sees_what(self):
        """Each a volume of its own, read-only, into which its own certificate and key come; the service
        that puts them there sees those files, and nobody sees the authority's key."""
        stack = self.generate_tls(2)
        files = {"server": "server", "client1": "agency-1", "client2": "agency-2"}
        volumes = {f"{service}_tls": f"/tls/{name}" for service, name in files.items()}
        services = stack["services"]
        self.assertEqual([*files, "certs"], list(services))
        for service, name in files.items():
            tls = [volume for volume in services[service]["volumes"] if "_tls" in volume]
            self.assertEqual([f"{service}_tls:/tls:ro"], tls)
            self.assertNotIn("secrets", services[service])
        self.assertEqual([f"{volume}:{target}" for volume, target in volumes.items()],
                         services["certs"]["volumes"])
        self.assertEqual(volumes.keys(), stack["volumes"].keys())
        seen = {"ca.crt", "ca.crl", *(f"{name}.{kind}" for name in files.values()
                                      for kind in ("crt", "key"))}
        self.assertEqual(seen, set(services["certs"]["secrets"]))
        self.assertEqual({name: {"file": f"./certs/{name}"} for name in seen}, stack["secrets"])
        self.assertNotIn("ca.key", self.out.read_text(encoding="utf-8"))

    def test_settings(self):
        environment = {name: service.get("environment")
                       for name, service in self.generate_tls(1)["services"].items()}
        plain = {name: service["environment"] for name, service in self.generate(1)["services"].items()}
        self.assertEqual({**plain["server"], "TLS_CERT": "/tls/server.crt",
                          "TLS_KEY": "/tls/server.key", "TLS_CA": "/tls/ca.crt",
                          "TLS_CRL": "/tls/ca.crl"}, environment["server"])
        self.assertEqual({**plain["client1"], "CLI_TLS_CERT": "/tls/agency-1.crt",
                          "CLI_TLS_KEY": "/tls/agency-1.key", "CLI_TLS_CA": "/tls/ca.crt"},
                         environment["client1"])

    def test_order(self):
        """Nobody starts before the files are there."""
        services = self.generate_tls(1)["services"]
        done = {"condition": "service_completed_successfully"}
        self.assertEqual({"certs": done}, services["server"]["depends_on"])
        self.assertEqual({"certs": done, "server": {"condition": "service_started"}},
                         services["client1"]["depends_on"])

    def test_the_service_that_copies(self):
        """What it is allowed to do, and no more."""
        service = self.generate_tls(1)["services"]["certs"]
        self.assertEqual(("none", True, ["ALL"], ["DAC_READ_SEARCH", "CHOWN"],
                          ["no-new-privileges:true"]),
                         tuple(service[key] for key in ("network_mode", "read_only", "cap_drop",
                                                        "cap_add", "security_opt")))

    def test_all_else_is_the_same(self):
        """With every option, what is left without TLS is what is made without --tls."""
        for options in ((), ("--persist",), ("--mode", "bet"), ("--mode", "echo", "--persist")):
            with self.subTest(options):
                stack, plain = self.generate_tls(2, *options), self.generate(2, *options)
                del stack["secrets"], stack["services"]["certs"]
                stack["volumes"] = {name: None for name in stack["volumes"] if "_tls" not in name}
                plain.setdefault("volumes", {})
                for name, service in stack["services"].items():
                    service["depends_on"] = [other for other in service["depends_on"]
                                             if other != "certs"]
                    plain["services"][name].setdefault("depends_on", [])
                    service["environment"] = {key: value for key, value in
                                              service["environment"].items() if "TLS_" not in key}
                    service["volumes"] = [volume for volume in service["volumes"]
                                          if "_tls" not in volume]
                self.assertEqual(plain, stack)

    def test_deterministic(self):
        self.generate_tls(3)
        first = self.out.read_bytes()
        self.generate_tls(3)
        self.assertEqual(first, self.out.read_bytes())

    def test_missing_certificates(self):
        """The file is made, and a warning says what else has to be."""
        for name in ("agency-2.key", "server.crt", "ca.crl"):
            with self.subTest(name):
                self.put_certs(2)
                (self.certs / name).unlink()
                done = self.run_tool(self.out, 2, "--tls")
                self.assertEqual((0, ""), (done.returncode, done.stdout))
                self.assertEqual(f"gen-compose.py: warning: {name} is missing in {self.certs}; "
                                 "run tools/make-certs.sh certs 2 --crl\n", done.stderr)
                shutil.rmtree(self.certs)

    def test_script_makes_them(self):
        """In the project's folder, and only those that are missing."""
        shutil.copy(ROOT / MAKE_CERTS, self.defaults.parents[1] / MAKE_CERTS)
        done = self.run_tool(self.out, 1, "--tls", "--persist", command=self.script)
        self.assertEqual((0, ""), (done.returncode, done.stderr))
        self.assertIn("secrets", self.out.read_text(encoding="utf-8"))
        before = {path.name: path.read_bytes() for path in self.certs.iterdir()}
        done = self.run_tool(self.out, 2, "--tls", command=self.script)
        self.assertEqual((0, ""), (done.returncode, done.stderr))
        after = {path.name: path.read_bytes() for path in self.certs.iterdir()}
        self.assertEqual({"agency-2.crt", "agency-2.key"}, after.keys() - before.keys())
        self.assertEqual(before, {name: after[name] for name in before})
        done = self.run_tool(self.root / "other", "many", "--tls", command=self.script)
        self.assertEqual(2, done.returncode)
        self.assertFalse((self.root / "other").exists())

    def test_script_makes_none_without_it(self):
        self.assertEqual(0, self.run_tool(self.out, 1, command=self.script).returncode)
        self.assertFalse(self.certs.exists())


class Defaults(ToolTest):
    def setUp(self):
        super().setUp()
        self.defaults.parent.mkdir()

    def client(self, *options, mode=None):
        """The environment of the first agency."""
        return self.generate(1, *options, mode=mode)["services"]["client1"]["environment"]

    def test_those_of_the_project(self):
        """Both are named, and taken as they are."""
        text = (ROOT / "compose" / "defaults").read_text(encoding="utf-8")
        named = dict(line.split("=") for line in text.splitlines() if not line.startswith("#"))
        shutil.copy(ROOT / "compose" / "defaults", self.defaults)
        client = self.client()
        self.assertEqual(named, {"mode": client["CLI_MODE"],
                                 "start_delay": client.get("CLI_START_DELAY", "0s")})

    def test_the_usual_ones(self):
        """The lottery without delay, said or not said: the same bytes."""
        self.assertEqual({"CLI_ID": "1", "CLI_MODE": "lottery"}, self.client())
        usual = self.out.read_bytes()
        self.defaults.write_text("mode=lottery\nstart_delay=0s\n")
        self.client()
        self.assertEqual(usual, self.out.read_bytes())

    def test_mode(self):
        """An option wins over LOTTERY_MODE, and that over the file."""
        self.defaults.write_text("mode=echo\n")
        self.assertEqual("echo", self.client()["CLI_MODE"])
        self.assertEqual("echo", self.client(mode="")["CLI_MODE"])
        self.assertEqual("bet", self.client(mode="bet")["CLI_MODE"])
        self.assertEqual("lottery", self.client("--mode", "lottery", mode="bet")["CLI_MODE"])

    def test_start_delay(self):
        """Every agency gets it, in each mode; a delay of 0 is not written."""
        for delay in ("3s", "1m30s", "0.5s", "1500ms"):
            self.defaults.write_text(f"# a comment\n\n start_delay = {delay}\n")
            for mode in ("lottery", "bet", "echo"):
                self.assertEqual(delay, self.client("--mode", mode)["CLI_START_DELAY"])
        for delay in ("0", "0s", "0m0.0s"):
            self.defaults.write_text(f"start_delay={delay}\n")
            self.assertNotIn("CLI_START_DELAY", self.client())

    def test_mistakes(self):
        """Status 2 with the line; no file."""
        for text, reason in (("mode=lotto", ":1: 'lotto'"), ("\nmode:echo", ":2: 'mode:echo'"),
                             ("#\n#\nspeed=1", ":3: 'speed'"), ("start_delay=3", ":1: '3'"),
                             ("start_delay=", ":1: ''"), ("start_delay=-1s", ":1: '-1s'"),
                             ("start_delay=3s; rm", ":1: '3s; rm'"), ("=", ":1: ''")):
            with self.subTest(text):
                self.defaults.write_text(text)
                done = self.run_tool(self.out, 1)
                self.assertEqual((2, ""), (done.returncode, done.stdout))
                self.assertIn(f"compose/defaults{reason}", done.stderr)
                self.assertFalse(self.out.exists())


class Stacks(ToolTest):
    def test_are_what_is_generated(self):
        """The stacks in compose/ differ from the tool's own in their first comment, and in that their
        paths begin in that folder."""
        for name, agencies, mode in (("echo", 2, "echo"), ("five-agencies", 5, "lottery")):
            with self.subTest(name):
                self.generate(agencies, "--mode", mode)
                generated = self.out.read_text(encoding="utf-8")
                stack = (ROOT / "compose" / f"{name}.yaml").read_text(encoding="utf-8")
                self.assertEqual(generated.split("\n", 1)[1],
                                 stack.split("\n", 2)[2].replace(" ../", " ./"))


class Size(ToolTest):
    def subnet(self, agencies):
        config = self.generate(agencies)["networks"]["testing_net"]["ipam"]["config"]
        return ipaddress.ip_network(config[0]["subnet"])

    def test_the_subnet_has_room_for_all(self):
        """The usual one as long as it can be; then one around it, with an address for each agency,
        the server, the gateway and the echo check."""
        self.assertEqual(USUAL_SUBNET, str(self.subnet(5)))
        self.assertEqual(USUAL_SUBNET, str(self.subnet(251)))
        for agencies in (252, 507, 508, 1000):
            subnet = self.subnet(agencies)
            self.assertTrue(subnet.supernet_of(ipaddress.ip_network(USUAL_SUBNET)))
            self.assertGreaterEqual(len(list(subnet.hosts())), agencies + 3)
        self.assertEqual("172.25.124.0/22", str(self.subnet(1000)))

    def test_a_thousand_agencies(self):
        services = self.generate(1000)["services"]
        self.assertEqual(1001, len(services))
        self.assertEqual("1000", services["client1000"]["environment"]["CLI_ID"])

    def test_more_than_one_network_takes(self):
        """As many as the server takes can be written; a warning says that one machine is not enough."""
        done = self.run_tool(self.out, 1022)
        self.assertEqual(0, done.returncode)
        self.assertIn("warning", done.stderr)


class Output(ToolTest):
    def test_deterministic(self):
        """The same arguments give the same bytes."""
        for options in ((), ("--mode", "bet", "--persist")):
            self.generate(7, *options)
            first = self.out.read_bytes()
            self.generate(7, *options)
            self.assertEqual(first, self.out.read_bytes())

    def test_replaced_as_a_whole(self):
        """An earlier file goes, nothing else comes, and others can read it."""
        self.addCleanup(os.umask, os.umask(0o022))
        self.out.write_text("x" * 100_000)
        self.out.chmod(0o600)
        self.generate(1)
        self.assertEqual([self.out], list(self.root.iterdir()))
        self.assertEqual(0o644, self.out.stat().st_mode & 0o777)

    def test_bad_arguments(self):
        """A reason, status 2, no file."""
        for arguments, reason in (
                ((), "OUT"), ((self.out,), "N"), ((self.out, "x"), "'x' is not a whole number"),
                ((self.out, "-1"), "-1"), ((self.out, "1.5"), "'1.5'"), ((self.out, "1_0"), "'1_0'"),
                ((self.out, "٣"), "'٣'"), ((self.out, ""), "''"), ((self.out, "10001"), "0..10000"),
                ((self.out, "1", "2"), "unrecognized"), ((self.out, "1", "--mode", "x"), "'x'"),
                ((self.out, "1", "--pers"), "--pers")):
            with self.subTest(arguments):
                self.assert_refused(self.run_tool(*arguments), reason)
        self.assert_refused(self.run_tool(self.out, "1", mode="x"), "LOTTERY_MODE: 'x'")

    def test_cannot_write(self):
        """A folder that is not there, or a target that is not a file: nothing is written."""
        self.assert_refused(self.run_tool(self.root / "no" / "file", 1), "cannot write")
        self.assert_refused(self.run_tool("", 1), "cannot write")
        done = self.run_tool("/dev/null", 1)
        self.assertEqual(2, done.returncode)
        self.assertIn("not a regular file", done.stderr)


class Script(ToolTest):
    def test_says_what_it_makes(self):
        """Called as the course does; where it is called from does not matter."""
        done = self.run_tool("here.yaml", 2, command=self.script)
        self.assertEqual((0, ""), (done.returncode, done.stderr))
        self.assertEqual("Nombre del archivo de salida: here.yaml\nCantidad de clientes: 2\n",
                         done.stdout)
        services = yaml.safe_load((self.root / "here.yaml").read_text(encoding="utf-8"))["services"]
        self.assertEqual(["server", "client1", "client2"], list(services))

    def test_options_and_mode_are_passed_on(self):
        done = self.run_tool(self.out, 1, "--persist", mode="echo", command=self.script)
        self.assertEqual(0, done.returncode)
        stack = yaml.safe_load(self.out.read_text(encoding="utf-8"))
        self.assertEqual("echo", stack["services"]["client1"]["environment"]["CLI_MODE"])
        self.assertIn("volumes", stack)

    def test_bad_arguments(self):
        for arguments in ((), (self.out,), (self.out, "many")):
            done = self.run_tool(*arguments, command=self.script)
            self.assertEqual(2, done.returncode)
            self.assertIn("error", done.stderr)
            self.assertFalse(self.out.exists())


if __name__ == "__main__":
    unittest.main()
