"""An agency without any of the C code: only the frame and proto/lottery.proto.

Talks to a server over blocking sockets, plain or with Python's TLS, one message at a time or in raw
bytes.
"""
import contextlib
import importlib
import pathlib
import socket
import ssl
import struct
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
FRAME_MAX = 8192
HEADER = struct.Struct("<BI")


def _load_schema():
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["protoc", f"--proto_path={ROOT}/proto", f"--python_out={folder}",
                        "lottery.proto"], check=True)
        sys.path.insert(0, folder)
        try:
            return importlib.import_module("lottery_pb2")
        finally:
            sys.path.pop(0)


pb = _load_schema()
MESSAGES = {pb.OPCODE_NEW_BETS: pb.NewBets, pb.OPCODE_ACK: pb.Ack,
            pb.OPCODE_FINISHED: pb.Finished, pb.OPCODE_WINNERS: pb.Winners,
            pb.OPCODE_SEAL: pb.Seal}


def _crc32c_table():
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = byte >> 1 ^ (0x82F63B78 if byte & 1 else 0)
        table.append(byte)
    return table


_TABLE = _crc32c_table()


def crc32c(data, crc=0):
    """The CRC-32C of RFC 3720; `crc` is that of what comes before."""
    crc ^= 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ _TABLE[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF


def checksum(lines):
    """The field of a message: of these lines of bets.csv."""
    return crc32c(b"".join(lines)).to_bytes(4, "little")


def frame(opcode, body=b""):
    """One frame around a body: bytes, or a message."""
    if not isinstance(body, bytes):
        body = body.SerializeToString()
    return HEADER.pack(opcode, len(body)) + body


def bet(document="30904465", first="Santiago Lionel", last="Lorca", birthdate="1999-03-17",
        number=7574):
    return pb.Bet(first_name=first, last_name=last, document=document, birthdate=birthdate,
                  number=number)


class Closed(Exception):
    """The other side ended the connection."""


class Cut(Closed):
    """It was cut: with TLS, an end is announced."""


class TlsSocket:
    """A connected socket with Python's TLS around it, for one thread at a time. Unlike ssl.SSLSocket
    it can end one side and go on reading the other, and it tells an end from a cut."""

    def __init__(self, plain, context, **options):
        """Nothing is sent before handshake(). The options are those of SSLContext.wrap_bio()."""
        self.plain = plain
        self.incoming = ssl.MemoryBIO()
        self.outgoing = ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.incoming, self.outgoing, **options)
        self.early = b""  # what was read before somebody asked for it

    def _do(self, act, *arguments):
        """One step of the protocol: with as many bytes of the other side as it needs."""
        while True:
            try:
                return act(*arguments)
            except ssl.SSLWantReadError:
                self.flush()
                data = self.plain.recv(65536)
                if data:
                    self.incoming.write(data)
                else:
                    self.incoming.write_eof()
            finally:
                with contextlib.suppress(ConnectionError):  # the reason is in what was received
                    self.flush()

    def flush(self):
        """Sends what the protocol has for the other side."""
        self.plain.sendall(self.outgoing.read())

    def handshake(self):
        self._do(self.tls.do_handshake)

    def sendall(self, data):
        """In TLS's records, all in one write."""
        for i in range(0, len(data), 65536):
            self.tls.write(data[i:i + 65536])
        self.flush()

    def recv(self, size):
        if self.early:
            data, self.early = self.early[:size], self.early[size:]
            return data
        try:
            return self._do(self.tls.read, size)
        except ssl.SSLZeroReturnError:
            return b""
        except ssl.SSLError as error:
            if isinstance(error, ssl.SSLEOFError) or \
                    error.reason == "UNEXPECTED_EOF_WHILE_READING":
                raise Cut(str(error)) from error
            raise

    def shutdown(self, _):
        """Ends our side with close_notify. OpenSSL then looks for the other side's, too, and would
        stumble over data."""
        with contextlib.suppress(ssl.SSLError):
            while self.incoming.pending:
                self.early += self.tls.read(65536)
        with contextlib.suppress(ssl.SSLError):
            self.tls.unwrap()
        self.flush()

    def close(self):
        self.plain.close()

    def __getattr__(self, name):
        return getattr(self.plain, name)  # settimeout, fileno ...


class Frames:
    """One connection that carries frames, seen from either side."""

    def __init__(self, connection, timeout):
        self.socket = connection
        self.socket.settimeout(timeout)
        self.buffer = b""

    def secure(self, context, **options):
        """Does the handshake of TLS; `context` and options are those of Python's module ssl."""
        self.socket = TlsSocket(self.socket, context, **options)
        self.socket.handshake()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        """Ends our side as is proper, and does not wait for the other one."""
        if isinstance(self.socket, TlsSocket):
            with contextlib.suppress(OSError):
                self.end()
        self.socket.close()

    def end(self):
        """Ends our side; the other one may still send."""
        self.socket.shutdown(socket.SHUT_WR)

    def cut(self):
        """Closes as if the connection had broken: without a word of TLS."""
        self.socket.close()

    def send_bytes(self, data):
        self.socket.sendall(data)

    def read_frame(self):
        """Returns opcode and body; a frame over the limit is a fault of the other side."""
        while True:
            if len(self.buffer) >= HEADER.size:
                opcode, size = HEADER.unpack_from(self.buffer)
                assert HEADER.size + size <= FRAME_MAX, f"frame of {HEADER.size + size} bytes"
                if len(self.buffer) >= HEADER.size + size:
                    body = self.buffer[HEADER.size:HEADER.size + size]
                    self.buffer = self.buffer[HEADER.size + size:]
                    return opcode, body
            data = self.socket.recv(65536)
            if not data:
                raise Closed("in a frame" if self.buffer else "between frames")
            self.buffer += data


class Peer(Frames):
    """One connection of an agency, whose messages name this draw. `receive_buffer` bytes are asked for
    as its SO_RCVBUF. `tls` is an ssl.SSLContext: then the handshake comes first."""

    def __init__(self, port, agency=1, timeout=20, receive_buffer=None, draw="", tls=None):
        super().__init__(socket.socket(), timeout)
        self.agency = agency
        self.draw = draw
        if receive_buffer is not None:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        try:
            self.socket.connect(("127.0.0.1", port))
            if tls is not None:
                self.secure(tls, server_hostname="127.0.0.1")
        except OSError:
            self.socket.close()
            raise

    def send(self, opcode, message):
        self.send_bytes(frame(opcode, message))

    def read(self):
        opcode, body = self.read_frame()
        return MESSAGES[opcode].FromString(body)

    def ack(self):
        message = self.read()
        assert isinstance(message, pb.Ack), message
        return message

    def send_bets(self, bets, offset=0, agency=None):
        self.send(pb.OPCODE_NEW_BETS,
                  pb.NewBets(agency_id=self.agency if agency is None else agency, offset=offset,
                             bets=bets, draw=self.draw))

    def bets(self, bets, offset=0, agency=None):
        self.send_bets(bets, offset, agency)
        return self.ack()

    def received(self):
        return self.bets([]).received

    def send_finished(self, total, agency=None):
        self.send(pb.OPCODE_FINISHED,
                  pb.Finished(agency_id=self.agency if agency is None else agency, total=total,
                              draw=self.draw))

    def winners(self):
        """Returns all documents, from as many frames as there are."""
        documents = []
        while True:
            message = self.read()
            assert isinstance(message, pb.Winners), message
            assert message.agency_id == self.agency
            documents += message.documents
            if not message.more:
                return documents

    def finish(self, total):
        self.send_finished(total)
        return self.winners()
