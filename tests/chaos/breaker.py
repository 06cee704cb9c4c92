"""A server for draws that an operator runs, and everything that kills and stops its processes."""
import threading

from scene import Scene
from programs import Server, children_of

WEIGHTS = {"server": 2, "ledger": 4, "worker": 2, "coordinator": 4, "scanner": 2, "ctl": 3, "agency": 1}


class StartingServer(Server):
    """A server to which `while_starting(pid)` happens before it listens."""

    def __init__(self, while_starting, *arguments, **settings):
        self.while_starting = while_starting
        super().__init__(*arguments, **settings)

    def wait_line(self, action, *arguments, **details):
        if action == "listen":
            self.while_starting(self.process.pid)
        return super().wait_line(action, *arguments, **details)


class Breaker(Scene):
    """Who breaks things. Agencies and commands are those of the class that is made of this one."""

    def __init__(self, generator, tally, agencies, tls):
        super().__init__(generator, tally, agencies, tls)
        self.is_calm = False  # nothing is broken any more, so that the day can end
        self.draws = []  # with their agencies' programs
        self.commands = []  # lottery-ctl that run
        self.lock = threading.RLock()  # of the agencies
        self.may_rest = threading.Event()  # nobody has to be continued any more
        self.settings_lock = threading.Lock()  # while bad settings are in the file
        self.was_killed = False  # the server that starts
        self.config = self.folder / "config.ini"
        self.settings = {}
        self.breaker = self.own_generator()
        self.threads = []

    def start_agency(self, draw, agency):
        raise NotImplementedError

    # --- the server -----------------------------------------------------------------------------

    def configure(self, **settings):
        """Writes the file of settings, with these more."""
        new = self.config.with_suffix(".new")
        lines = {**self.settings, **settings}
        new.write_text("[DEFAULT]\n" + "".join(f"{key} = {lines[key]}\n" for key in lines
                                               if lines[key] is not None))
        new.rename(self.config)

    def make_server(self):
        with self.settings_lock:
            try:
                return StartingServer(self.while_starting, self.data, port=self.port, level="DEBUG",
                                      agencies=None, workers=0, SERVER_WORKERS=None,
                                      LOTTERY_AGENCIES=None,
                                      arguments=["--config", str(self.config)])
            except AssertionError as error:
                if "lottery-server ended without listen" in str(error) and self.was_killed:
                    return None
                raise

    def while_starting(self, pid):
        self.was_killed = False
        if self.is_calm or self.breaker.random() > 0.15:
            return
        self.is_over.wait(self.breaker.expovariate(1 / 0.02))
        victims = [pid, *children_of(pid)]
        victim = self.breaker.choice(victims)
        self.was_killed = True
        self.kill_pid(victim, "server" if victim == pid else "ledger")

    def pids(self, role):
        if role == "server":
            return [self.server.process.pid]
        if role == "scanner":
            return [pid for one in self.pids("coordinator") for pid in children_of(one)]
        if role == "ctl":
            return [one.process.pid for one in list(self.commands) if one.process.poll() is None]
        children = set(children_of(self.server.process.pid))
        pids = []
        for text in list(self.server.texts):
            if f"action: start_process | result: success | process: {role} " in text:
                pids.append(int(text.rsplit("pid: ", 1)[1].split(" ")[0]))
        return [pid for pid in pids if pid in children]

    # --- who breaks things ----------------------------------------------------------------------

    def strike(self, generator, role):
        """Kills one of this role, or stops it for a while."""
        if role == "agency":
            self.strike_agency(generator)
            return
        pids = self.pids(role)
        if not pids:
            return
        pid = generator.choice(pids)
        if generator.random() < 0.25:
            self.stop_pid(pid)
        else:
            self.kill_pid(pid, role)

    def strike_agency(self, generator):
        with self.lock:
            running = [(draw, agency) for draw in self.draws for agency in draw.agencies
                       if draw.agencies[agency].process.poll() is None]
            if not running:
                return
            draw, agency = generator.choice(running)
            if generator.random() < 0.25:
                self.stop_pid(draw.agencies[agency].process.pid)
                return
            draw.agencies[agency].kill()
            self.tally.kills["agency"] += 1
            self.start_agency(draw, agency)

    def any_role(self, generator):
        return generator.choices(list(WEIGHTS), WEIGHTS.values())[0]

    def break_things(self):
        """A thread: strikes now and then, and starts the server again when it is dead."""
        try:
            while not self.is_over.wait(self.breaker.uniform(0.02, 0.5)):
                self.revive_server()
                if not self.is_calm:
                    self.strike(self.breaker, self.any_role(self.breaker))
        except Exception as error:  # noqa: BLE001 - a thread must not end without a word
            self.fault(f"the server does not come back: {error!r}")

    def continue_stopped(self):
        """A thread of its own: a process that was stopped in the middle of its birth keeps the output of
        a dead server open."""
        while not self.may_rest.wait(0.02):
            self.go_on()
        self.go_on(everybody=True)

    def haunt(self, generator, scale):
        """Strikes once to three times within the next moments: an act has begun."""
        for _ in range(generator.randrange(1, 4)):
            if self.is_over.wait(generator.expovariate(1 / scale)) or self.is_calm:
                return
            self.strike(generator, self.any_role(generator))

    def haunt_scanners(self, generator):
        """A thread: seals and winners are made within milliseconds, by processes of their own. As soon
        as there are some, strikes now and then."""
        while not self.is_over.wait(0.002):
            if self.is_calm or not self.pids_at_work() or generator.random() > 0.5:
                continue
            self.is_over.wait(generator.choice((0, 0, 0.001, 0.003, 0.01)))
            self.strike(generator, generator.choice(("server", "ledger", "coordinator", "scanner",
                                                     "scanner")))
            self.is_over.wait(0.3)

    def pids_at_work(self):
        return [pid for child in children_of(self.server.process.pid) for pid in children_of(child)]
