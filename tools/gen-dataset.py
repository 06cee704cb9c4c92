#!/usr/bin/env python3
"""Write the bet files of N agencies, agency-1.csv .. agency-N.csv, with made-up people.

A row is `first name,last name,document,birthdate,number`, UTF-8, with CRLF at its end.
The bytes depend only on the arguments: the same seed gives the same files on every machine.
"""

import argparse
import datetime
import os
import random
import re
import signal
import sys
import tempfile

WOMEN = """
    Abril Agustina Ailén Ana Antonella Bárbara Belén Bianca Brenda Camila Candela Carolina Catalina
    Celeste Clara Constanza Daniela Delfina Elena Emilia Eugenia Fátima Florencia Gabriela Guadalupe
    Inés Jazmín Josefina Juana Julieta Lourdes Lucía Luz Magalí Malena María Martina Mercedes Micaela
    Milagros Mónica Morena Natalia Olivia Paula Pilar Rocío Rosario Sofía Valentina Victoria Zoé
""".split()

MEN = """
    Adrián Agustín Alejandro Andrés Ángel Ariel Bautista Benjamín Bruno Cristian Damián Darío Diego
    Elías Emanuel Enzo Ezequiel Facundo Federico Felipe Fernando Franco Gabriel Gastón Germán Gonzalo
    Hernán Ignacio Iván Javier Joaquín Jorge José Juan Julián Lautaro Leandro Lisandro Luciano Luis
    Marcos Martín Mateo Matías Maximiliano Nahuel Nicolás Ramiro Rodrigo Santiago Sebastián Tomás Víctor
""".split()

LONG_FIRST_NAMES = ["María de los Ángeles", "María del Carmen", "José del Valle", "Juan de Dios"]

LAST_NAMES = """
    Acosta Acuña Aguirre Agüero Álvarez Aráoz Arias Ávila Báez Benítez Bianchi Bustos Cabrera Cáceres
    Cardozo Castro Chávez Córdoba Coronel D'Amico D'Angelo Díaz Domínguez Escobar Farías Fernández
    Ferrari Ferreyra Figueroa Flores Gallardo García Giménez Godoy Gómez González Gutiérrez Guzmán
    Heredia Hernández Herrera Ibáñez Juárez Ledesma Lombardi López Lucero Luna Maldonado Mansilla
    Márquez Martínez Medina Méndez Mendoza Miño Molina Morales Muñoz Navarro Núñez Ocampo Ojeda Ortiz
    Páez Paz Peralta Pereyra Pérez Ponce Quiroga Ramírez Ríos Rodríguez Rojas Roldán Romero Rossi Ruiz
    Saavedra Sánchez Silva Sosa Suárez Toledo Torres Vázquez Vega Velázquez Vera Villalba Yáñez Zúñiga
""".split() + ["De la Fuente", "Di Pietro", "San Martín"]

DOCUMENTS = range(20_000_000, 40_000_000)
BIRTHDAYS = range(datetime.date(1980, 1, 1).toordinal(), datetime.date(2005, 1, 1).toordinal())
NUMBERS = range(10_000)

# The sizes of five real agencies. A sixth is as big as the first, and so on.
AGENCY_SIZES = (26_936, 25_518, 16_014, 9_238, 991)
MAX_AGENCIES = 10_000  # as many as the server takes

BLOCK_ROWS = 20_000  # written in one go, so that memory does not grow with the file
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def first_names():
    """About three names of two words for each name of one word, as in reality."""
    names = list(LONG_FIRST_NAMES)
    for given in (WOMEN, MEN):
        names += given
        for step in (7, 19, 31):
            names += [f"{name} {given[(i + step) % len(given)]}" for i, name in enumerate(given)]
    return names


# The columns of a row. No entry needs quotes in CSV.
FIRST_NAMES = first_names()
BIRTHDATES = [datetime.date.fromordinal(day).isoformat() for day in BIRTHDAYS]


def share(total, weights):
    """Split `total` in proportion to `weights`: whole parts that add up to it exactly."""
    parts, before, seen = [], 0, 0
    weight = max(sum(weights), 1)
    for w in weights:
        seen += w
        upto = total * seen // weight
        parts.append(upto - before)
        before = upto
    return parts


def csv_blocks(rng, bets, winners, winner_number):
    """Yield the text of one agency's file; `winners` None means that chance decides."""

    # Of all generators, Python promises only for random() that later versions keep its values.
    rand = rng.random

    def pick(table, count):
        size = len(table)
        return [table[int(rand() * size)] for _ in range(count)]

    number_table = [str(n) for n in NUMBERS if winners is None or n != winner_number]
    for done in range(0, bets, BLOCK_ROWS):
        rows = min(BLOCK_ROWS, bets - done)
        numbers = pick(number_table, rows)
        if winners:
            # Exact and evenly random: each row wins with the chance `winners left / rows left`.
            for i in range(rows):
                if rand() * (bets - done - i) < winners:
                    numbers[i] = str(winner_number)
                    winners -= 1
        columns = (
            pick(FIRST_NAMES, rows),
            pick(LAST_NAMES, rows),
            map(str, pick(DOCUMENTS, rows)),
            pick(BIRTHDATES, rows),
            numbers,
        )
        yield "\r\n".join(map(",".join, zip(*columns))) + "\r\n"


def write_dataset(args, bets, winners):
    """Write all files in a hidden folder, then move them to their places.

    So a run that fails or is stopped leaves no partial file, and the old set whole.
    """
    os.makedirs(args.out, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".gen-dataset-", dir=args.out) as hidden:
        moves = []
        for agency in range(1, args.agencies + 1):
            name = f"agency-{agency}.csv"
            target = os.path.join(args.out, name)
            if os.path.isdir(target):  # the move would fail halfway through the set
                raise IsADirectoryError(f"{target} is a folder")
            if args.keep_existing and os.path.exists(target):
                continue
            rng = random.Random(f"{args.seed}/{agency}")
            path = os.path.join(hidden, name)
            with open(path, "wb") as file:
                for block in csv_blocks(rng, bets[agency - 1], winners[agency - 1],
                                        args.winner_number):
                    file.write(block.encode())
            moves.append((path, target))
        # Stopping between two moves would mix the old set with the new.
        signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
        for path, target in moves:
            os.replace(path, target)


def stop(signum, _frame):
    for number in STOP_SIGNALS:
        signal.signal(number, signal.SIG_IGN)  # a second one must not end the cleaning up
    sys.exit(128 + signum)


def whole_number(text):
    # int() alone would also take "1_000", " 5 " and digits of other scripts.
    if not re.fullmatch("[0-9]{1,18}", text):
        raise argparse.ArgumentTypeError(f"'{text}' is not a whole number")
    return int(text)


def whole_numbers(text):
    return [whole_number(part) for part in text.split(",")]


def parse_arguments():
    """The arguments, and the counts of bets and of winners (or None) of each agency."""
    parser = argparse.ArgumentParser(
        prog="gen-dataset.py",
        allow_abbrev=False,
        description="Write DIR/agency-1.csv .. DIR/agency-N.csv with the bets of made-up people.",
        epilog="Agency files that exist are replaced, all at the very end; other files stay. "
        "Exit status: 0 written, 2 bad arguments or cannot write.",
    )
    parser.add_argument("--agencies", metavar="N", type=whole_number, required=True,
                        help=f"how many agencies, 1 to {MAX_AGENCIES}")
    amount = parser.add_mutually_exclusive_group(required=True)
    amount.add_argument("--bets", metavar="M", type=whole_numbers,
                        help="bets in all, shared among big and small agencies as in reality (for 5: "
                        "34%%, 32%%, 20%%, 12%%, 1%%), or a list with one count per agency: 151,0,1")
    amount.add_argument("--bets-per-agency", metavar="B", type=whole_number,
                        help="exactly this many bets for each agency")
    parser.add_argument("--seed", metavar="S", type=whole_number, required=True,
                        help="another seed gives other bets")
    parser.add_argument("--out", metavar="DIR", required=True,
                        help="folder for the files, created if it is missing")
    parser.add_argument("--winners", metavar="W", type=whole_numbers,
                        help="exactly this many winning bets in all, in proportion to the agencies' "
                        "bets, or a list with one count per agency; without it chance decides")
    parser.add_argument("--winner-number", metavar="K", type=whole_number, default=7574,
                        help="the number that --winners plants (default: %(default)s)")
    parser.add_argument("--keep-existing", action="store_true",
                        help="leave existing agency files as they are, write only the others")
    args = parser.parse_args()

    if not 1 <= args.agencies <= MAX_AGENCIES:
        parser.error(f"--agencies: {args.agencies} is not within 1..{MAX_AGENCIES}")
    if not args.out or (os.path.lexists(args.out) and not os.path.isdir(args.out)):
        parser.error(f"--out: '{args.out}' is not a folder")
    if args.winner_number not in NUMBERS:
        parser.error(f"--winner-number: {args.winner_number} is not within 0..{NUMBERS[-1]}")

    def per_agency(option, values, weights):
        if len(values) == 1:
            return share(values[0], weights)
        if len(values) != args.agencies:
            parser.error(f"{option}: {len(values)} counts for {args.agencies} agencies")
        return values

    if args.bets is None:
        bets = [args.bets_per_agency] * args.agencies
    else:
        sizes = [AGENCY_SIZES[i % len(AGENCY_SIZES)] for i in range(args.agencies)]
        bets = per_agency("--bets", args.bets, sizes)

    winners = [None] * args.agencies
    if args.winners is not None:
        if sum(args.winners) > sum(bets):
            parser.error(f"--winners: {sum(args.winners)} winners in {sum(bets)} bets")
        winners = per_agency("--winners", args.winners, bets)
        for agency, (b, w) in enumerate(zip(bets, winners), 1):
            if w > b:
                parser.error(f"--winners: {w} winners in the {b} bets of agency {agency}")
    return args, bets, winners


def main():
    args, bets, winners = parse_arguments()
    for signum in STOP_SIGNALS:
        if signal.getsignal(signum) != signal.SIG_IGN:  # under nohup it stays ignored
            signal.signal(signum, stop)
    try:
        write_dataset(args, bets, winners)
    except OSError as error:
        print(f"gen-dataset.py: error: cannot write: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
