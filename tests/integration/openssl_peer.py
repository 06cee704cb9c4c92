"""The openssl program as an agency and as a central: TLS by other hands than ours."""
import re
import socket
import subprocess

import certificates
from wire import Frames, Peer

ACCEPT = re.compile(rb"^ACCEPT \S+:(\d+)\n")


class OpensslPeer(Peer):
    """`openssl s_client`: what goes into it and comes out of it are the frames of this agency."""

    def __init__(self, port, agency, identity, *options, timeout=20):
        ours, theirs = socket.socketpair()
        Frames.__init__(self, ours, timeout)  # pylint: disable=non-parent-init-called
        self.agency = agency
        self.draw = ""
        with theirs:
            self.process = subprocess.Popen(
                ["openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-quiet", "-no_ign_eof",
                 "-cert", identity.cert, "-key", identity.key, "-CAfile",
                 certificates.usual().cert, "-verify_ip", "127.0.0.1", "-verify_return_error",
                 *options], stdin=theirs, stdout=theirs, stderr=subprocess.DEVNULL)

    def close(self):
        """It ends as it likes to when its input does."""
        self.socket.shutdown(socket.SHUT_WR)
        try:
            self.process.wait(timeout=10)
        finally:
            self.process.kill()
            self.process.wait()
            self.socket.close()


class OpensslCentral:
    """`openssl s_server`: it waits for one connection, and sends what it is given."""

    def __init__(self, *options):
        identity = certificates.of_server()
        self.process = subprocess.Popen(
            ["openssl", "s_server", "-accept", "127.0.0.1:0", "-naccept", "1", "-cert",
             identity.cert, "-key", identity.key, "-CAfile", certificates.usual().cert, "-Verify",
             "1", "-verify_return_error", *options],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        line = b""
        while (found := ACCEPT.match(line)) is None:
            line = self.process.stdout.readline()
            assert line != b"", "it does not listen"
        self.port = int(found[1])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.communicate()

    def send(self, data):
        self.process.stdin.write(data)
        self.process.stdin.flush()
