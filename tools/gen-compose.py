#!/usr/bin/env python3
"""Write a compose file: the lottery server and N agencies.

The bytes depend on the arguments, LOTTERY_MODE and compose/defaults alone. The file names the project's files as
./server/config.ini and so on: it works where it lies in the project's root.
"""

import argparse
import ipaddress
import os
import pathlib
import re
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[1]
DEFAULTS = ROOT / "compose" / "defaults"
CERTS = ROOT / "certs"
MODES = ("lottery", "bet", "echo")
DURATION = re.compile(r"0|([0-9]+([.][0-9]*)?(ns|us|µs|ms|s|m|h))+")  # as Go writes it
MAX_AGENCIES = 10_000  # as many as the server takes

SUBNET = ipaddress.ip_network("172.25.125.0/24")
# What needs an address besides the agencies: the network's own two, the gateway, the server, and
# the container of validar-echo-server.sh.
OTHER_ADDRESSES = 5
# A Linux bridge has 1023 ports; the server and validar-echo-server.sh need one each.
MAX_BRIDGE_AGENCIES = 1021

HEADER = """\
# Made by tools/gen-compose.py; make it again instead of editing it.
name: tp0
services:
  server:
{persist}\
    container_name: server
    image: server:latest
{depends_on}\
    environment:
      LOTTERY_AGENCIES: "{agencies}"
      SERVER_MODE: {server_mode}
{tls_environment}\
    volumes:
      - ./server/config.ini:/config.ini:ro
{tls_volume}\
    networks:
      - testing_net
    healthcheck:
      test: ["CMD", "/server", "--config", "/config.ini", "--health"]
      interval: 10s
      timeout: 5s
      retries: 3
"""
PERSIST = """\
    extends: {file: compose/persist.yaml, service: server}
"""
CLIENT = """
  client{id}:
    container_name: client{id}
    image: client:latest
{depends_on}\
    environment:
      CLI_ID: "{id}"
      CLI_MODE: {mode}
{tls_environment}\
{start_delay}\
{bet}\
    volumes:
      - ./client/config.yaml:/config.yaml:ro
{tls_volume}\
{bets_file}\
    networks:
      - testing_net
"""
# The long form, as with the short one a file that is missing becomes an empty folder.
BETS_FILE = """\
      - type: bind
        source: ./.data/agency-{id}.csv
        target: /bets.csv
        read_only: true
        bind:
          create_host_path: false
"""
START_DELAY = """\
      CLI_START_DELAY: {start_delay}
"""
BET = """\
      NOMBRE: {first_name}
      APELLIDO: {last_name}
      DOCUMENTO: "{document}"
      NACIMIENTO: "{birthdate}"
      NUMERO: "{number}"
"""
NETWORK = """
networks:
  testing_net:
    ipam:
      driver: default
      config:
        - subnet: {subnet}
"""
# Compose takes the service from there, but no volume.
DATA_VOLUME = "server_data"

DEPENDS_ON_SERVER = """\
    depends_on:
      - server
"""
# With --tls. The keys in certs/ are for the user who made them, and the containers run as another one,
# who must see no key but his own. So a service that ends at once copies each file into a volume of the
# service whose it is. Compose's secrets alone do not do it: they are mounted with the owner and mode
# that they have, and uid, gid and mode are only for secrets in a swarm.
#
# It runs as root, but can only read the files that are named here (ca.key is not) and give copies to a
# group: no network, nothing else to write to. The programs may read the copies and not change them.
# `up`, which starts it again, copies again.
CERTS_SERVICE = """
  certs:
    image: server:latest
    user: "0:0"
    network_mode: none
    read_only: true
    cap_drop: [ALL]
    cap_add: [DAC_READ_SEARCH, CHOWN]
    security_opt: ["no-new-privileges:true"]
    entrypoint: ["sh", "-euc"]
    command:
      - |
        copy() {{
          install -g 999 -m 0440 "/run/secrets/$$1" "/tls/$$2/.new"
          mv "/tls/$$2/.new" "/tls/$$2/$$1"
        }}
        copy ca.crl server
        for folder in /tls/*; do
          owner=$${{folder#/tls/}}
          for file in ca.crt "$$owner.key" "$$owner.crt"; do
            copy "$$file" "$$owner"
          done
        done
    secrets: [{secrets}]
    volumes:
{volumes}\
"""
DEPENDS_ON_CERTS = """\
    depends_on:
      certs: {condition: service_completed_successfully}
"""
DEPENDS_ON_BOTH = DEPENDS_ON_CERTS + """\
      server: {condition: service_started}
"""
TLS_ENVIRONMENT = """\
      {prefix}TLS_CERT: /tls/{owner}.crt
      {prefix}TLS_KEY: /tls/{owner}.key
      {prefix}TLS_CA: /tls/ca.crt
"""
TLS_CRL = """\
      TLS_CRL: /tls/ca.crl
"""
TLS_VOLUME = """\
      - {volume}:/tls:ro
"""

PEOPLE = (
    ("Santiago Lionel", "Lorca"),
    ("Agustina Belén", "Zambrano"),
    ("Joaquín", "Núñez"),
    ("Milagros", "De la Fuente"),
    ("Tiago Nicolás", "Rivera"),
)


def example_bet(agency):
    """A bet of the agency's own; its document is nobody else's."""
    first_name, last_name = PEOPLE[(agency - 1) % len(PEOPLE)]
    return BET.format(first_name=first_name, last_name=last_name,
                      document=30_904_464 + agency,
                      birthdate=f"{1999 - (agency - 1) % 20}-03-17",
                      number=(7574 + 1111 * (agency - 1)) % 10_000)


def subnet(agencies):
    """The usual subnet, or the smallest one around it with room for all."""
    network = SUBNET
    while network.num_addresses < agencies + OTHER_ADDRESSES:
        network = network.supernet()
    return network


def tls_volume(owner):
    """The volume with the files of a server or an agency, as the files are called."""
    return f"{owner.replace('agency-', 'client')}_tls"


def tls_parts(owner, prefix=""):
    """What a service needs to prove who it is; nothing without an owner."""
    return {"tls_environment": TLS_ENVIRONMENT.format(prefix=prefix, owner=owner) if owner else "",
            "tls_volume": TLS_VOLUME.format(volume=tls_volume(owner)) if owner else ""}


def server(agencies, mode, persist, tls):
    parts = tls_parts(tls and "server")
    if tls:
        parts["tls_environment"] += TLS_CRL
    return HEADER.format(agencies=agencies, server_mode="echo" if mode == "echo" else "lottery",
                         persist=PERSIST if persist else "",
                         depends_on=DEPENDS_ON_CERTS if tls else "", **parts)


def client(agency, mode, start_delay, tls):
    has_delay = any(digit in start_delay for digit in "123456789")
    return CLIENT.format(id=agency, mode=mode,
                         depends_on=DEPENDS_ON_BOTH if tls else DEPENDS_ON_SERVER,
                         start_delay=START_DELAY.format(start_delay=start_delay)
                         if has_delay else "",
                         bet=example_bet(agency) if mode == "bet" else "",
                         bets_file=BETS_FILE.format(id=agency) if mode == "lottery" else "",
                         **tls_parts(tls and f"agency-{agency}", "CLI_"))


def owners(agencies):
    """Who has a certificate, by the names of their files."""
    return ["server", *(f"agency-{agency}" for agency in range(1, agencies + 1))]


def cert_files(agencies):
    """The files of certs/ that a stack needs."""
    return ["ca.crt", "ca.crl", *(f"{owner}.{kind}" for owner in owners(agencies)
                                  for kind in ("crt", "key"))]


def certs_service(agencies):
    volumes = "".join(f"      - {tls_volume(owner)}:/tls/{owner}\n" for owner in owners(agencies))
    return CERTS_SERVICE.format(secrets=", ".join(cert_files(agencies)), volumes=volumes)


def compose(args):
    parts = [server(args.agencies, args.mode, args.persist, args.tls)]
    parts += [client(agency, args.mode, args.start_delay, args.tls)
              for agency in range(1, args.agencies + 1)]
    volumes = [DATA_VOLUME] if args.persist else []
    if args.tls:
        parts.append(certs_service(args.agencies))
        volumes += map(tls_volume, owners(args.agencies))
    parts.append(NETWORK.format(subnet=subnet(args.agencies)))
    if volumes:
        parts.append("\nvolumes:\n" + "".join(f"  {volume}:\n" for volume in volumes))
    if args.tls:
        parts.append("\nsecrets:\n" + "".join(f"  {file}: {{file: ./certs/{file}}}\n"
                                              for file in cert_files(args.agencies)))
    return "".join(parts)


def warn_of_missing_certs(agencies):
    missing = [file for file in cert_files(agencies) if not (CERTS / file).is_file()]
    if missing:
        print(f"gen-compose.py: warning: {missing[0]} is missing in {CERTS}; "
              f"run tools/make-certs.sh certs {agencies} --crl", file=sys.stderr)


def write_whole(path, text):
    """Write to another file, then move it: the target is never half written."""
    if os.path.exists(path) and not os.path.isfile(path):
        raise OSError(f"'{path}' is not a regular file")
    folder = os.path.dirname(path) or "."
    with tempfile.TemporaryDirectory(prefix=".gen-compose-", dir=folder) as hidden:
        hidden_path = os.path.join(hidden, "compose")
        with open(hidden_path, "w", encoding="utf-8") as file:
            file.write(text)
        os.replace(hidden_path, path)


class BadDefaults(Exception):
    """Says what is wrong with compose/defaults, and where."""


def read_defaults():
    """The settings of compose/defaults; those that it does not name are the usual ones."""
    values = {"mode": MODES[0], "start_delay": "0s"}
    text = DEFAULTS.read_text(encoding="utf-8") if DEFAULTS.exists() else ""
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        name, _, value = (part.strip() for part in line.partition("="))
        if name not in values:
            raise BadDefaults(f"{DEFAULTS}:{number}: '{name}' is none of {', '.join(values)}")
        values[name] = value
        if name == "mode" and value not in MODES:
            raise BadDefaults(f"{DEFAULTS}:{number}: '{value}' is none of {', '.join(MODES)}")
        if name == "start_delay" and not DURATION.fullmatch(value):
            raise BadDefaults(f"{DEFAULTS}:{number}: '{value}' is not a duration, like 3s")
    return values


def agency_count(text):
    # int() alone would also take "1_000", " 5 " and digits of other scripts.
    if not re.fullmatch("[0-9]{1,18}", text):
        raise argparse.ArgumentTypeError(f"'{text}' is not a whole number")
    if int(text) > MAX_AGENCIES:
        raise argparse.ArgumentTypeError(f"{text} is not within 0..{MAX_AGENCIES}")
    return int(text)


def parse_arguments():
    parser = argparse.ArgumentParser(
        prog="gen-compose.py",
        allow_abbrev=False,
        description="Write the compose file OUT: the server and N agencies, client1 to clientN.",
        epilog="Exit status: 0 written, 2 bad arguments or cannot write.",
    )
    parser.add_argument("out", metavar="OUT", help="the file to write")
    parser.add_argument("agencies", metavar="N", type=agency_count,
                        help=f"how many agencies, 0 to {MAX_AGENCIES}")
    parser.add_argument("--mode", choices=MODES,
                        help="what the agencies do (default: LOTTERY_MODE, else as "
                        "compose/defaults says)")
    parser.add_argument("--persist", action="store_true",
                        help="keep the server's data in a volume, even if its container is removed")
    parser.add_argument("--tls", action="store_true",
                        help="the server and the agencies prove who they are, with the files in certs/ "
                        "that tools/make-certs.sh certs N --crl makes")
    args = parser.parse_args()
    try:
        defaults = read_defaults()
    except (BadDefaults, OSError, UnicodeDecodeError) as error:
        parser.error(str(error))
    args.start_delay = defaults["start_delay"]
    if args.mode is None:
        args.mode = os.environ.get("LOTTERY_MODE") or defaults["mode"]
        if args.mode not in MODES:
            parser.error(f"LOTTERY_MODE: '{args.mode}' is none of {', '.join(MODES)}")
    return args


def main():
    args = parse_arguments()
    if args.agencies > MAX_BRIDGE_AGENCIES:
        print("gen-compose.py: warning: the network of one machine has room for "
              f"{MAX_BRIDGE_AGENCIES} agencies", file=sys.stderr)
    try:
        write_whole(args.out, compose(args))
    except OSError as error:
        print(f"gen-compose.py: error: cannot write: {error}", file=sys.stderr)
        return 2
    if args.tls:
        warn_of_missing_certs(args.agencies)
    return 0


if __name__ == "__main__":
    sys.exit(main())
