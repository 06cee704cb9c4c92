"""A server played by the test: it reads what an agency sends and answers as the test wants."""
import socket

from wire import Frames, Peer, pb


class Caller(Peer):
    """One connection of an agency, seen from the server."""

    def __init__(self, connection, timeout):
        Frames.__init__(self, connection, timeout)

    def answer(self, received=0, code=pb.ACK_CODE_OK, detail="", **fields):
        self.send(pb.OPCODE_ACK, pb.Ack(code=code, received=received, detail=detail, **fields))

    def read_question(self):
        """NewBets without bets, the first message of every connection."""
        message = self.read()
        assert isinstance(message, pb.NewBets) and not message.bets, message
        return message

    def read_bets(self):
        message = self.read()
        assert isinstance(message, pb.NewBets) and message.bets, message
        return message

    def read_finished(self):
        message = self.read()
        assert isinstance(message, pb.Finished), message
        return message

    def send_winners(self, documents, agency=1, more=False, drawn=None):
        self.send(pb.OPCODE_WINNERS, pb.Winners(agency_id=agency, documents=documents, more=more,
                                                drawn=drawn))


class FakeServer:
    """Listens on a port of its own. `tls` is an ssl.SSLContext: then each connection begins with the
    handshake."""

    def __init__(self, timeout=30, tls=None):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.listener.settimeout(timeout)
        self.timeout = timeout
        self.tls = tls
        self.port = self.listener.getsockname()[1]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.listener.close()

    def accept(self):
        connection, _ = self.listener.accept()
        caller = Caller(connection, self.timeout)
        if self.tls is not None:
            try:
                caller.secure(self.tls, server_side=True)
            except OSError:
                caller.socket.close()
                raise
        return caller


def free_port():
    """A port on which nobody listens right now."""
    with FakeServer() as server:
        return server.port
