"""Draws that an operator runs, one after the other in one data directory, while everything breaks."""
import contextlib
import json
import re
import shutil
import signal
import subprocess
import sys
import threading
import time

from breaker import Breaker  # it says where the others are
from certificates import make_authority
from programs import BIN, ROOT, Program, environment_with, wait_until
from control_wire import OPCODES, Operator, pb as control
from wire import frame
from told import PHASES, Draw, rfc3339
from witness import Witness

NUMBERS = 97  # that bets are on, and that are drawn
COMMAND_S = 150  # a command has ended by then, whatever happens
SAID = re.compile(r"^number +(\d+)$|the number (\d+) is drawn", re.MULTILINE)
ROOT_LINE = re.compile(r"^root +(\S+)$", re.MULTILINE)


class Day(Breaker):
    """Several draws in one server, with an operator who uses lottery-ctl, and somebody who kills."""

    def __init__(self, generator, tally, agencies, bets, tls):
        super().__init__(generator, tally, agencies + 1, tls)
        self.most_bets = bets
        self.until = None
        self.vkey = None

    # --- agencies -------------------------------------------------------------------------------

    def start_agency(self, draw, agency):
        draw.agencies[agency] = Program("lottery-agency", [], {
            "CLI_ID": str(agency), "CLI_SERVER_ADDRESS": f"127.0.0.1:{self.proxy.port}",
            "CLI_BATCH_MAXAMOUNT": str(self.breaker.choice((1, 7, 50, 1000))),
            "CLI_BETS_FILE": str(draw.file(agency, "csv")), "CLI_CONNECT_TIMEOUT": "60s",
            "CLI_DRAW": draw.id, "CLI_SEAL_FILE": str(draw.file(agency, "seal")),
            "CLI_SEAL_KEY": self.vkey, "CLI_WINNERS_FILE": str(draw.file(agency, "winners")),
            **self.agency_tls(agency)},
            self.folder)

    def begin(self, draw):
        """The draw takes bets: its agencies start, but for one now and then that is late."""
        generator = self.generator
        self.draws.append(draw)
        for agency in range(1, self.count):
            draw.rows[agency] = [
                ("Ana María", f"d'Olivo, {agency}", f"{agency:02}{i:06}", "1984-02-29",
                 generator.randrange(NUMBERS))
                for i in range(generator.randrange(self.most_bets // 20, self.most_bets // 4))]
            with open(draw.file(agency, "csv"), "w", encoding="utf-8", newline="") as file:
                for first, last, document, date, number in draw.rows[agency]:
                    file.write(f'{first},"{last}",{document},{date},{number}\r\n')
        if draw.kind != "all" and generator.random() < 0.5:
            draw.held_back.add(generator.randrange(1, self.count))
        draw.witness = Witness(self, draw, self.count, draw.kind == "all", generator.random())
        draw.witness.start()
        with self.lock:
            for agency in draw.rows:
                if agency not in draw.held_back:
                    self.start_agency(draw, agency)
        draw.close_due = time.monotonic() + generator.uniform(0.05, 1.5)

    def let_late_ones_in(self, draw):
        with self.lock:
            for agency in draw.held_back:
                self.start_agency(draw, agency)
            draw.held_back.clear()

    def reap_agencies(self):
        with self.lock:
            for draw in self.draws:
                for agency, program in list(draw.agencies.items()):
                    if program.process.poll() is not None:
                        del draw.agencies[agency]
                        self.reap(draw, agency, program)

    def reap(self, draw, agency, program):
        """An agency has ended by itself: what it was told."""
        status = program.wait()
        cut = program.lines("apuestas_enviadas", "fail")
        told = program.lines("consulta_ganadores", "success")
        for line in program.lines("cierre", "success"):
            if "numero" in line.details:
                draw.note_number(line.details["numero"], f"agency {agency}")
            if "root" in line.details:
                draw.note_root(line.details["root"], f"agency {agency}")
        results = program.lines("cierre", "success", checked="result")
        taken = int(cut[-1].details.get("taken", -1)) if cut else len(draw.rows[agency])
        if status != (1 if cut else 0) or len(told) != 1 or len(results) != 1 or taken < 0:
            self.fault(f"draw {draw.id}, agency {agency} ended with {status}: "
                       f"{program.output()[-3000:]}")
        winners = int(told[0].details["cant_ganadores"]) if told else -1
        if agency in draw.told and draw.told[agency] != (status, taken, winners):
            self.fault(f"draw {draw.id}, agency {agency} was told {draw.told[agency]}, and now "
                       f"{(status, taken, winners)}")
        draw.told[agency] = (status, taken, winners)
        program.kill()

    # --- the operator ---------------------------------------------------------------------------

    def command(self, *words):
        """Runs lottery-ctl. Returns its status, output and errors."""
        program = Program("lottery-ctl", ["--data-dir", str(self.data), *words], {}, self.folder)
        self.commands.append(program)
        try:
            status = program.wait(COMMAND_S)
        except subprocess.TimeoutExpired:
            self.fault(f"{words} has no end: {program.output()}{self.server.output()[-6000:]}")
            status = None
        self.commands.remove(program)
        program.kill()
        return status, "\n".join(program.texts), program.errors

    def act(self, draw, *words, scale=0.02):
        """A command that changes something, while somebody is particularly busy. Whether it was done is
        what the draw has to show later. Returns as command()."""
        haunter = threading.Thread(target=self.haunt, args=(self.own_generator(), scale))
        if self.generator.random() < 0.8:
            haunter.start()
        status, output, errors = self.command(*words)
        if haunter.ident is not None:
            haunter.join()
        for found in SAID.finditer(output + errors):
            draw.note_number(found[1] or found[2], f"{words}")
        for found in ROOT_LINE.finditer(output):
            draw.note_root(found[1], f"{words}")
        if status == 0 and words[0] in ("close", "draw", "next"):
            draw.done.add(" ".join(words[:2]))
        self.tally.commands += 1
        return status, output, errors

    def look(self):
        """The state of the draw in force; None: nobody says it."""
        status, output, _ = self.command("status", "--json")
        if status != 0:
            return None
        state = json.loads(output)
        if state["phase"] not in PHASES:
            return None  # it is starting
        draw = self.draws[-1]
        if state["draw"] == draw.id:
            draw.note_status(state)
        return state

    def close(self, draw):
        status, _, errors = self.act(draw, "close")
        if status == 0 or "closed already" in errors:
            draw.note_closed()

    def draw_number(self, draw):
        """Every time another number, sometimes two at once."""
        others = [n for n in range(NUMBERS) if n not in draw.attempts]
        numbers = self.generator.sample(others, 2 if self.generator.random() < 0.3 else 1)
        draw.attempts.update(numbers)
        second = threading.Thread(target=lambda: self.give(draw, numbers[-1]))
        if len(numbers) > 1:
            second.start()
        self.give(draw, numbers[0])
        if second.ident is not None:
            second.join()

    def give(self, draw, number):
        """May fail: the draw then has another number, or none."""
        status, output, _ = self.act(draw, "draw", str(number), "--source", f"Bolillero {number}")
        if status == 0:
            draw.note_number(number, "draw")
            if not draw.roots:
                self.tally.unsealed += 1
                self.fault(f"draw {draw.id} has a number, and no seal: {output}")

    def reload(self, draw):
        """With other settings, or with bad ones, which are refused; by a signal, or by a command."""
        what = self.generator.random()
        if what < 0.2:
            with self.settings_lock:
                self.configure(**self.bad_settings())
                status, _, errors = self.act(draw, "reload", scale=0.1)
                self.configure()
            if status == 0:
                self.fault(f"bad settings were taken: {errors}")
            return
        self.settings["SERVER_WORKERS"] = str(self.generator.randrange(1, 4))
        renews = self.tls is not None and self.generator.random() < 0.5
        if renews:
            self.renew()
        with self.settings_lock:
            self.configure()
        if what < 0.4:
            with contextlib.suppress(ProcessLookupError):
                self.server.signal(signal.SIGHUP)
            return
        status, _, errors = self.act(draw, "reload", scale=0.1)
        self.tally.reloads += status == 0
        self.tally.renewals += renews and status == 0
        if status == 1 and "refused: " in errors and "under way" not in errors:
            self.fault(f"a reload was refused: {errors}")

    def bad_settings(self):
        """A winning number that is a word, or a key that is not the certificate's."""
        if self.tls is None or self.generator.random() < 0.5:
            return {"LOTTERY_WINNER_NUMBER": "many"}
        return {"TLS_KEY": self.tls.folder / "agency-1.key"}

    def renew(self):
        """Other certificates for the server and for an agency, from the same authority, and its list of
        revoked ones. They are in another folder, because a server that starts meanwhile must not find a
        half of them."""
        folder = self.folder / f"certificates-{len(list(self.folder.glob('certificates-*')))}"
        shutil.copytree(self.tls.folder, folder)
        self.tls = make_authority(folder, 1, "--renew", "--crl")
        self.settings.update(self.server_tls())

    def disturb(self, draw):
        """What the operator should not ask for now: it is refused, or nothing happens."""
        what = self.generator.random()
        if what < 0.4:
            self.reload(draw)
        elif what < 0.55 and not draw.attempts:
            if self.act(draw, "next", "too-early")[0] == 0:
                self.fault(f"draw {draw.id}: the next one began before it was drawn")
        elif what < 0.75 and draw.closed_at is None:
            number = self.generator.randrange(NUMBERS)
            if number not in draw.attempts:
                draw.attempts.add(number)
                self.give(draw, number)
        elif what < 0.9:
            self.say_half()
        elif draw.closed_at is not None:
            self.close(draw)

    def say_half(self):
        """A command whose connection breaks before all of it is there: it is none."""
        commands = (control.Close(), control.Draw(number=NUMBERS), control.Next(draw="half"),
                    control.Reload())
        command = self.generator.choice(commands)
        whole = frame(OPCODES[type(command)], command)
        with contextlib.suppress(OSError), Operator(self.data / "control.sock") as talk:
            talk.send_bytes(whole[:self.generator.randrange(1, len(whole))])

    def hold(self, draw):
        """The operator's part of a draw, until it is drawn."""
        limit = time.monotonic() + 100
        renews = self.tls is not None and self.generator.random() < 0.7
        while draw.phase < 2 and not self.tally.faults:
            time.sleep(self.generator.uniform(0, 0.08))
            self.look_at_time(limit)
            self.reap_agencies()
            state = self.look()
            if state is None:
                continue
            if renews:
                self.reload(draw)  # the server answers, and agencies are connected or about to be
                renews = False
            elif not self.is_calm and self.generator.random() < 0.15:
                self.disturb(draw)
            elif state["phase"] == "open" and draw.kind == "operator" and \
                    time.monotonic() > draw.close_due:
                self.close(draw)
            elif state["phase"] in ("closed", "sealed") and self.generator.random() < 0.6:
                self.draw_number(draw)
        if self.generator.random() < 0.6:
            self.draw_number(draw)  # it has one
            self.look()

    def look_at_time(self, limit):
        if time.monotonic() > self.until:
            self.is_calm = True
            self.proxy.calm_down()
        if time.monotonic() > max(limit, self.until + 60):
            draw = self.draws[-1]
            self.fault(f"draw {draw.id} does not go on: told {draw.told}, {self.look()} " +
                       "\n".join(p.output()[-800:] for p in draw.agencies.values()) +
                       self.server.output()[-6000:])

    def go_to_next(self, old, new):
        """Until the next draw is in force; whatever happens, it is one of the two."""
        limit = time.monotonic() + 100
        while not self.tally.faults:
            words = ["next", new.id]
            if new.kind == "time":
                new.close_ats.append(rfc3339(int(time.time()) + self.generator.randrange(1, 4)))
                words += ["--close-at", new.close_ats[-1]]
            status, _, errors = self.act(old, *words, scale=0.1)
            self.look_at_time(limit)
            current = (self.data / "current").read_text()
            if current not in (f"{old.id}\n", f"{new.id}\n"):
                self.fault(f"current: {current}")
            state = self.look()
            if state is not None and state["draw"] == new.id:
                break
            if status == 0 and (current != f"{new.id}\n" or state is not None):
                self.fault(f"the next draw, {new.id}, had begun: {current} {state}")
            if status == 1 and "refused: " in errors and not any(
                    reason in errors for reason in ("under way", "not ready yet", "starting",
                                                    "is the draw in force")):
                self.fault(f"the next draw, {new.id}, was refused: {errors}")
        self.tally.nexts += 1

    # --- checks ---------------------------------------------------------------------------------

    def check(self, draw):
        """All that can be seen of a draw that is over."""
        if draw.is_checked:
            return
        draw.is_checked = True
        draw.note_number(re.search(r"^number (\d+)$", (draw.folder / "result.txt").read_text(
            encoding="utf-8"), re.MULTILINE)[1], "result.txt")
        draw.note_root((draw.folder / "seal.txt").read_text(encoding="utf-8").split("\n")[2], "seal.txt")
        number = next(iter(draw.numbers))
        stored = {agency: [] for agency in range(1, self.count + 1)}
        for row in (draw.folder / "bets.csv").read_bytes().split(b"\r\n")[:-1]:
            fields = row.split(b",")
            stored[int(fields[0])].append(fields[-3].decode())
        for agency, rows in draw.rows.items():
            self.check_agency(draw, agency, rows, stored[agency], number)
        there = stored[draw.witness.agency]
        self.count_bets(draw.witness.acked, there)
        if draw.witness.taken is None or not draw.witness.check(there, number):
            self.fault(f"draw {draw.id}: the witness has {draw.witness.taken} bets, {len(there)} are "
                       "stored, or others")
        self.check_acta(draw, number)
        self.tally.seals += 1
        self.tally.closings[draw.kind] += 1
        self.tally.manual_draws += 1

    def count_bets(self, acked, stored):
        self.tally.bets += len(stored)
        self.tally.lost += max(0, acked - len(stored))
        self.tally.doubled += len(stored) - len(set(stored))

    def check_agency(self, draw, agency, rows, stored, number):
        status, taken, winners = draw.told[agency]
        self.count_bets(taken, stored)
        if stored != [row[2] for row in rows[:taken]]:
            self.fault(f"draw {draw.id}, agency {agency}: {taken} were taken, {len(stored)} are stored, "
                       "or others")
        won = [row[2] for row in rows[:taken] if row[4] == number]
        listed = draw.file(agency, "winners").read_text().split()
        if winners != len(won) or listed != won:
            self.fault(f"draw {draw.id}, agency {agency} was told {winners} winners, {listed}, of {won}")

    def run_verifier(self, *arguments):
        return subprocess.run([sys.executable, ROOT / "tools" / "verify-draw.py", *map(str, arguments),
                               "--key", self.vkey], encoding="utf-8", capture_output=True, timeout=120)

    def verify(self, draw):
        """What tools/verify-draw.py finds, with each agency's evidence."""
        return self.run_verifier(draw.folder, *(argument for agency in draw.rows for argument in (
            "--agency", draw.file(agency, "csv"), "--seal", draw.file(agency, "seal"),
            "--winners", draw.file(agency, "winners"))))

    def check_acta(self, draw, number):
        done = self.verify(draw)
        if done.returncode != 0:
            self.fault(f"verify-draw.py {draw.id}: {done.returncode} {done.stderr}{done.stdout}")
            return
        if f"  número: {number}\n" not in done.stdout:
            self.fault(f"draw {draw.id} has the number {number}: {done.stdout}")
        acts = re.findall(r"^  \S+Z  uid \d+  (.*)$", done.stdout, re.MULTILINE)
        numbers = [act for act in acts if re.fullmatch(r"draw \d+", act)]
        if len(numbers) > 1 or acts.count("close") > 1 or not draw.done.issubset(acts):
            self.fault(f"draw {draw.id}: done was {draw.done}, and recorded {acts}")

    def check_folder(self, draw):
        """What --check says, once the server has stopped."""
        done = subprocess.run([BIN / "lottery-server", "--check", draw.folder], encoding="utf-8",
                              env=environment_with({}), capture_output=True, timeout=60)
        if done.returncode != 0 or "sound" not in done.stdout:
            self.fault(f"--check {draw.id}: {done.returncode} {done.stdout}{done.stderr}")
        for number in re.findall(r"number (\d+)", done.stdout):
            draw.note_number(number, "--check")

    # --- the day --------------------------------------------------------------------------------

    def run(self, until):
        self.until = until
        self.settings = {"LOTTERY_DRAW": "manual", "LOTTERY_DRAW_ID": "d0",
                         "LOTTERY_AGENCIES": str(self.count), "SERVER_WORKERS": "2",
                         **self.server_tls()}
        first = self.plan(0)
        if first.kind == "time":
            first.close_ats.append(rfc3339(int(time.time()) + self.generator.randrange(2, 5)))
            self.settings["LOTTERY_CLOSE_AT"] = first.close_ats[0]
        self.configure()
        self.start_server()
        self.threads = [threading.Thread(target=self.break_things),
                        threading.Thread(target=self.haunt_scanners, args=(self.own_generator(),))]
        going_on = threading.Thread(target=self.continue_stopped)
        for thread in [going_on, *self.threads]:
            thread.start()
        try:
            self.hold_all(first)
            self.finish()
        except AssertionError as error:
            self.fault(f"{error}")
        finally:
            self.quiet()
            self.may_rest.set()
            going_on.join()
            for draw in self.draws:
                draw.witness.join()
            self.end([program for draw in self.draws for program in draw.agencies.values()])

    def plan(self, turn):
        kind = self.generator.choices(("all", "operator", "time"), (3, 5, 2))[0]
        return Draw(self, f"d{turn}", kind)

    def hold_all(self, draw):
        """Draw after draw, as long as there is time."""
        self.vkey = wait_until(self.find_key, "the key of the seals")
        self.begin(draw)
        while not self.tally.faults:
            self.hold(draw)
            if self.generator.random() < 0.7:
                self.let_late_ones_in(draw)
            if self.generator.random() < 0.5:
                self.wait_told([draw])
            if self.is_calm or self.tally.faults:
                break
            following = self.plan(len(self.draws))
            self.go_to_next(draw, following)
            self.begin(following)
            draw = following
            self.let_late_ones_in(self.draws[-2])
            self.wait_told(self.draws[:-1])

    def find_key(self):
        """The first one that was logged; all have to be the same."""
        lines = [line for server in self.servers for line in server.lines("seal_key", "success")]
        return lines[0].details["vkey"] if lines else None

    def wait_told(self, draws):
        """Until everybody knows the winners of these draws; then checks them."""
        limit = time.monotonic() + 100
        while not self.tally.faults and not all(draw.is_told() for draw in draws):
            time.sleep(0.02)
            self.look_at_time(limit)
            self.reap_agencies()
            for draw in draws:
                if draw.phase == 2 and draw.held_back and draw is not self.draws[-1]:
                    self.let_late_ones_in(draw)
                elif draw.held_back and self.generator.random() < 0.05:
                    self.let_late_ones_in(draw)
        for draw in draws:
            if not self.tally.faults and not draw.is_checked:
                self.check(draw)

    def quiet(self):
        """Nothing is killed any more, and the server runs."""
        self.is_calm = True
        self.is_over.set()
        for thread in self.threads:
            thread.join()

    def finish(self):
        """Everybody is told, also of the old draws, and after a restart again."""
        self.is_calm = True
        self.proxy.calm_down()
        self.wait_told(self.draws)
        self.quiet()
        self.revive_server()
        for is_last in (False, True):
            if self.tally.faults:
                return
            self.ask_again()
            if self.server.stop() != 0:
                self.fault("the server did not stop cleanly: " + self.server.output()[-3000:])
            for draw in self.draws:
                self.check_folder(draw)
            keys = {line.details["vkey"] for server in self.servers
                    for line in server.lines("seal_key", "success")}
            if keys != {self.vkey}:
                self.fault(f"the key of the seals has changed: {keys}")
            if not is_last:
                self.start_server()
        done = self.run_verifier(self.data, "--all")
        if done.returncode != 0 or done.stdout.count("ACTA DEL SORTEO") < len(self.draws):
            self.fault(f"verify-draw.py --all: {done.returncode} {done.stderr}{done.stdout}")
        self.tally.days += 1

    def ask_again(self):
        """One agency of each draw: it is told the same as before."""
        again = [(draw, self.generator.choice(list(draw.rows))) for draw in self.draws]
        with self.lock:
            for draw, agency in again:
                draw.file(agency, "winners").unlink()
                self.start_agency(draw, agency)
        limit = time.monotonic() + 60
        while any(draw.agencies for draw in self.draws) and not self.tally.faults:
            time.sleep(0.02)
            self.reap_agencies()
            self.look_at_time(limit)
