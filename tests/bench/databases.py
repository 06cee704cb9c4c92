"""The same bets in databases, where these are installed, for comparison."""
import contextlib
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import time

ROWS = 150  # per INSERT, as in a batch
VALUE_SIZE = 7000  # bytes, about what a batch has
START_SECONDS = 60
TABLE = ("CREATE TABLE bets (first_name text, last_name text, document text, birthdate date, "
         "number int)")


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


def run(*command, **options):
    return subprocess.run(command, check=True, text=True, stdout=subprocess.PIPE, **options).stdout


def run_all(commands, inputs):
    """Runs the commands at the same time, each with its input file; returns seconds until all ended."""
    begin = time.monotonic()
    with contextlib.ExitStack() as stack:
        clients = [subprocess.Popen(command, stdin=stack.enter_context(open(file, "rb")),
                                    stdout=subprocess.DEVNULL)
                   for command, file in zip(commands, inputs)]
        statuses = [client.wait() for client in clients]
    if any(statuses):
        raise AssertionError(f"{commands[0][0]} ended with {statuses}")
    return time.monotonic() - begin


@contextlib.contextmanager
def running(server, answers):
    """Starts a server, waits until the command `answers` succeeds, and stops the server at the end."""
    process = subprocess.Popen(server, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + START_SECONDS
        while subprocess.run(answers, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                             check=False).returncode != 0:
            if process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"{server[0]} does not start")
            time.sleep(0.05)
        yield
    finally:
        process.send_signal(signal.SIGINT)
        process.wait()


class PostgreSQL:
    """COPY of all bets in one transaction, and durable inserts of the small set by five clients."""
    name = "postgresql"

    def __init__(self, plan, small):
        folders = [None, *sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin"))]
        self.programs = {name: next(filter(None, (shutil.which(name, path=folder)
                                                  for folder in reversed(folders))), None)
                         for name in ("initdb", "postgres", "psql")}
        self.is_installed = None not in self.programs.values()
        self.dataset = plan.dataset(plan.bets)
        self.small = small
        self.scratch = plan.scratch
        # It refuses to run as root.
        self.user = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"] \
            if os.geteuid() == 0 else []

    def write_inserts(self, folder):
        """One file of statements for each agency of the small set."""
        files = []
        for file in self.small.files:
            rows = ["('" + line.replace("'", "''").replace(",", "','") + "')"
                    for line in file.read_text().splitlines()]
            files.append(folder / f"{file.stem}.sql")
            files[-1].write_text("\n".join(
                f"INSERT INTO bets VALUES {','.join(rows[at:at + ROWS])};"
                for at in range(0, len(rows), ROWS)))
        return files

    def run(self, folder):
        data = folder / "postgresql"
        data.mkdir()
        if self.user:
            shutil.chown(data, "postgres", "postgres")
            self.scratch.chmod(0o711)
        run(*self.user, self.programs["initdb"], "--auth=trust", "--username=bench", "--no-sync",
            "--encoding=UTF8", "-D", data, cwd="/")
        port = free_port()
        client = [self.programs["psql"], "-q", "-h", "127.0.0.1", "-p", str(port), "-U", "bench",
                  "-v", "ON_ERROR_STOP=1", "postgres"]
        copies = folder / "copies.sql"
        copies.write_text("BEGIN;\n" + "".join(f"\\copy bets FROM '{file}' CSV\n"
                                               for file in self.dataset.files) + "COMMIT;\n")
        inserts = self.write_inserts(folder)
        with running([*self.user, self.programs["postgres"], "-D", data, "-p", str(port), "-h",
                      "127.0.0.1", "-k", ""], [*client, "-c", "SELECT"]):
            run(*client, "-c", TABLE)
            copy_seconds = run_all([client], [copies])
            insert_seconds = run_all([client] * len(inserts), inserts)
            stored = int(run(*client, "-t", "-c", "SELECT count(*) FROM bets"))
        if stored != self.dataset.bets + self.small.bets:
            raise AssertionError(f"PostgreSQL has {stored} bets")
        return {"copy_bets_per_s": self.dataset.bets / copy_seconds,
                "insert_bets_per_s": self.small.bets / insert_seconds}


class Redis:
    """All bets as values of 7 kB, pipelined by five clients, with appendfsync always."""
    name = "redis"

    def __init__(self, plan, _small):
        self.is_installed = None not in (shutil.which("redis-server"), shutil.which("redis-cli"))
        self.dataset = plan.dataset(plan.bets)

    def write_commands(self, folder):
        """One file per agency with an RPUSH for each piece of its bets, in the protocol of Redis."""
        files = []
        for file in self.dataset.files:
            key = file.stem.encode()
            files.append(folder / f"{file.stem}.resp")
            with open(file, "rb") as bets, open(files[-1], "wb") as out:
                for piece in iter(lambda: bets.read(VALUE_SIZE), b""):
                    out.write(b"*3\r\n$5\r\nRPUSH\r\n$%d\r\n%s\r\n$%d\r\n%s\r\n"
                              % (len(key), key, len(piece), piece))
        return files

    def run(self, folder):
        port = free_port()
        client = ["redis-cli", "-p", str(port)]
        commands = self.write_commands(folder)
        with running(["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--dir", folder,
                      "--save", "", "--appendonly", "yes", "--appendfsync", "always",
                      "--auto-aof-rewrite-percentage", "0"], [*client, "ping"]):
            seconds = run_all([[*client, "--pipe"]] * len(commands), commands)
            stored = sum(int(run(*client, "llen", file.stem)) for file in self.dataset.files)
        sent = sum(-(-file.stat().st_size // VALUE_SIZE) for file in self.dataset.files)
        if stored != sent:
            raise AssertionError(f"Redis has {stored} values of {sent}")
        return {"bets_per_s": self.dataset.bets / seconds}


class Databases:
    """(i) The same bets in PostgreSQL and Redis, where these are installed."""
    letter = "i"

    def __init__(self, plan):
        small = plan.dataset(plan.small_bets)
        self.databases = []
        for kind in (PostgreSQL, Redis):
            database = kind(plan, small)
            if database.is_installed:
                self.databases.append(database)
            else:
                print(f"(i) {database.name}: not installed", file=sys.stderr)

    def run(self, folder):
        figures = {}
        for database in self.databases:
            for name, value in database.run(folder).items():
                figures[f"{database.name}_{name}"] = value
        return figures
