"""Certificates for tests: an authority with the usual ones of tools/make-certs.sh, and whatever else
somebody might show, made with the openssl program.
"""
import atexit
import collections
import datetime
import functools
import pathlib
import shutil
import ssl
import subprocess
import tempfile

from wire import ROOT

AGENCIES = 5
SERVER_NAMES = {"dns": ("localhost", "server"), "ips": ("127.0.0.1", "::1")}

# One who proves something: the files of a certificate, with those between it and the authority after
# it, and of its key.
Identity = collections.namedtuple("Identity", "cert key")

CONFIG = """
[ca]
default_ca = authority
[authority]
database = {folder}/index.txt
new_certs_dir = {folder}
rand_serial = yes
default_md = sha256
default_days = 30
default_crl_days = 30
unique_subject = no
policy = any
[any]
commonName = supplied
[req]
distinguished_name = none
[none]
"""


def openssl(*arguments):
    """Runs the program; what it prints goes into the error if it fails."""
    result = subprocess.run(["openssl", *map(str, arguments)], text=True, capture_output=True,
                            check=False)
    if result.returncode != 0:
        raise AssertionError(f"openssl {arguments}: {result.stdout}{result.stderr}")
    return result.stdout


def from_now(**time):
    """A time as the openssl program takes it, this timedelta from now."""
    moment = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(**time)
    return moment.strftime("%Y%m%d%H%M%SZ")


class Authority:
    """One that signs: `ca.crt` and `ca.key` of a folder, and what it signs next to them."""

    def __init__(self, folder, identity=None):
        """Makes a key and a certificate of its own, unless they are named."""
        self.folder = pathlib.Path(folder)
        self.cert, self.key = identity or (self.folder / "ca.crt", self.folder / "ca.key")
        self.config = self.folder / "openssl.cnf"
        self.config.write_text(CONFIG.format(folder=self.folder))
        if not self.cert.exists():
            openssl("req", "-x509", "-config", self.config, "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:P-256", "-noenc", "-subj", f"/CN=authority {self.folder.name}",
                    "-days", 30, "-keyout", self.key, "-out", self.cert, "-addext",
                    "basicConstraints=critical,CA:true", "-addext",
                    "keyUsage=critical,keyCertSign,cRLSign")

    def at(self, folder):
        """The same one, which puts what it signs into another folder."""
        folder.mkdir()
        return Authority(folder, Identity(self.cert, self.key))

    # Each argument is a part of a certificate.
    def issue(self, name, uris=(), dns=(), ips=(), use="clientAuth", start=None, end=None,
              is_authority=False, chain=()):
        """Makes NAME.crt and NAME.key; `chain` are files of certificates to append."""
        names = [f"URI:{uri}" for uri in uris] + [f"DNS:{one}" for one in dns] + \
            [f"IP:{ip}" for ip in ips]
        extensions = [f"basicConstraints=critical,CA:{str(is_authority).lower()}",
                      "keyUsage=critical," + ("keyCertSign,cRLSign" if is_authority
                                              else "digitalSignature")]
        if use:
            extensions.append(f"extendedKeyUsage={use}")
        if names:
            extensions.append("subjectAltName=" + ",".join(names))
        made = Identity(self.folder / f"{name}.crt", self.folder / f"{name}.key")
        request, ext = self.folder / f"{name}.csr", self.folder / f"{name}.ext"
        ext.write_text("\n".join(extensions) + "\n")
        (self.folder / "index.txt").write_text("")
        openssl("req", "-new", "-config", self.config, "-newkey", "ec", "-pkeyopt",
                "ec_paramgen_curve:P-256", "-noenc", "-subj", f"/CN={name}", "-keyout", made.key,
                "-out", request)
        openssl("ca", "-batch", "-notext", "-config", self.config, "-cert", self.cert, "-keyfile",
                self.key, "-startdate", start or from_now(hours=-1), "-enddate",
                end or from_now(days=30), "-extfile", ext, "-in", request, "-out", made.cert)
        append(made.cert, *chain)
        return made

    def agency(self, number, name=None, **parts):
        """A certificate of this agency."""
        return self.issue(name or f"agency-{number}", uris=[f"lottery:agency:{number}"], **parts)

    def server(self, name="server", **parts):
        """A certificate of the server, for the usual names unless others are given."""
        parts = {"uris": ["lottery:server"], "use": "serverAuth,clientAuth", **SERVER_NAMES, **parts}
        return self.issue(name, **parts)

    def between(self, name):
        """An authority that this one has signed."""
        folder = self.folder / name
        folder.mkdir()
        return Authority(folder, self.issue(name, use=None, is_authority=True))

    def revoke(self, path, *certs, start=None, end=None):
        """Writes a list of these revoked certificates, in force from start to end."""
        lines = []
        for cert in certs:
            serial = openssl("x509", "-in", cert, "-noout", "-serial").strip().split("=")[1]
            lines.append(f"R\t{from_now(days=30)[2:]}\t{from_now(hours=-1)[2:]}\t{serial}\tunknown"
                         f"\t/CN={cert.stem}\n")
        (self.folder / "index.txt").write_text("".join(lines))
        openssl("ca", "-gencrl", "-config", self.config, "-cert", self.cert, "-keyfile", self.key,
                "-crl_lastupdate", start or from_now(hours=-1), "-crl_nextupdate",
                end or from_now(days=30), "-out", path)
        return path


def self_signed(folder, name, uri):
    """A certificate that no authority has signed."""
    made = Identity(folder / f"{name}.crt", folder / f"{name}.key")
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-noenc", "-subj",
            f"/CN={name}", "-days", 30, "-keyout", made.key, "-out", made.cert, "-addext",
            f"subjectAltName=URI:{uri}", "-addext", "basicConstraints=critical,CA:false")
    return made


def append(path, *others):
    """Puts these files at the end of it."""
    with open(path, "ab") as file:
        for other in others:
            file.write(pathlib.Path(other).read_bytes())


def make_folder():
    """One that is removed at the end of all tests."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="lottery-certs-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def make_authority(folder, agencies, *options):
    """The one of this folder, with all that tools/make-certs.sh makes there."""
    subprocess.run([ROOT / "tools" / "make-certs.sh", *options, folder, str(agencies)], check=True,
                   stdout=subprocess.DEVNULL)
    return Authority(folder, Identity(folder / "ca.crt", folder / "ca.key"))


@functools.cache
def usual():
    """The authority of tools/make-certs.sh, made once; what is issued for one test only needs a name
    of its own."""
    return make_authority(make_folder(), AGENCIES)


@functools.cache
def another():
    """An authority that nobody trusts, with the same names in its certificates."""
    authority = Authority(make_folder())
    authority.server()
    for i in range(1, AGENCIES + 1):
        authority.agency(i)
    return authority


def of_agency(number, authority=None):
    """The certificate that is there for an agency."""
    folder = (authority or usual()).folder
    return Identity(folder / f"agency-{number}.crt", folder / f"agency-{number}.key")


def of_server(authority=None):
    """The one that is there for the server."""
    folder = (authority or usual()).folder
    return Identity(folder / "server.crt", folder / "server.key")


def server_settings(identity=None, authority=None, crl=None):
    """The server's settings for its certificate, the usual one unless told."""
    identity = identity or of_server()
    return {"TLS_CERT": str(identity.cert), "TLS_KEY": str(identity.key),
            "TLS_CA": str((authority or usual()).cert), "TLS_CRL": None if crl is None else str(crl)}


def agency_settings(identity, authority=None, server_name=None):
    """The same for an agency."""
    return {"CLI_TLS_CERT": str(identity.cert), "CLI_TLS_KEY": str(identity.key),
            "CLI_TLS_CA": str((authority or usual()).cert), "CLI_TLS_SERVERNAME": server_name}


def _context(protocol, identity, authority):
    context = ssl.SSLContext(protocol)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.options &= ~ssl.OP_IGNORE_UNEXPECTED_EOF  # Python takes a cut for an end
    if identity is not None:
        context.load_cert_chain(identity.cert, identity.key)
    context.load_verify_locations((authority or usual()).cert)
    return context


def agency_context(identity, authority=None):
    """For an agency in Python. `identity` may be None: it shows no certificate."""
    return _context(ssl.PROTOCOL_TLS_CLIENT, identity, authority)


def server_context(identity=None, authority=None):
    """For a central in Python, which asks agencies for their certificates."""
    context = _context(ssl.PROTOCOL_TLS_SERVER, identity or of_server(), authority)
    context.verify_mode = ssl.CERT_REQUIRED
    return context


def key_lines(*folders):
    """The lines of all private keys in these folders, by which they can be found in a text."""
    lines = set()
    for folder in folders:
        for path in pathlib.Path(folder).rglob("*"):
            if path.is_file() and b"PRIVATE KEY" in (data := path.read_bytes()):
                lines |= {line for line in data.decode().splitlines()
                          if len(line) > 16 and not line.startswith("-----")}
    return lines
