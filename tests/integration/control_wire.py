"""An operator's program and an operator's server without any of the C code: only the frame and
proto/control.proto, over a Unix socket.
"""
import contextlib
import importlib
import pathlib
import socket
import subprocess
import sys
import tempfile
import threading

from wire import ROOT, Closed, Frames, frame

DONE, REFUSED, FAILED, MOVING = 1, 2, 3, 4


def _load_schema():
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["protoc", f"--proto_path={ROOT}/proto", f"--python_out={folder}",
                        "control.proto"], check=True)
        sys.path.insert(0, folder)
        try:
            return importlib.import_module("control_pb2")
        finally:
            sys.path.pop(0)


pb = _load_schema()
COMMANDS = {pb.OPCODE_GET_STATUS: pb.GetStatus, pb.OPCODE_LIST_AGENCIES: pb.ListAgencies,
            pb.OPCODE_LIST_WINNERS: pb.ListWinners, pb.OPCODE_CLOSE: pb.Close,
            pb.OPCODE_DRAW: pb.Draw, pb.OPCODE_NEXT: pb.Next, pb.OPCODE_RELOAD: pb.Reload,
            pb.OPCODE_BACKUP: pb.Backup}
ANSWERS = {pb.OPCODE_RESULT: pb.Result, pb.OPCODE_STATUS: pb.Status,
           pb.OPCODE_AGENCIES: pb.Agencies, pb.OPCODE_WINNERS: pb.Winners,
           pb.OPCODE_SNAPSHOT: pb.Snapshot, pb.OPCODE_SNAPSHOT_FILE: pb.SnapshotFile}
OPCODES = {kind: opcode for kinds in (COMMANDS, ANSWERS) for opcode, kind in kinds.items()}


class Talk(Frames):
    """One connection, seen from either side."""

    def __init__(self, connection, timeout=30):
        super().__init__(connection, timeout)

    def send(self, message):
        self.send_bytes(frame(OPCODES[type(message)], message))


class Operator(Talk):
    """A program that connects to a server's socket."""

    def __init__(self, path, timeout=30):
        connection = socket.socket(socket.AF_UNIX)
        try:
            connection.connect(str(path))
        except OSError:
            connection.close()
            raise
        super().__init__(connection, timeout)

    def read(self):
        """The next message of an answer."""
        opcode, body = self.read_frame()
        return ANSWERS[opcode].FromString(body)

    def ask(self, command):
        """Returns the result and the messages before it."""
        self.send(command)
        messages = []
        while not messages or not isinstance(messages[-1], pb.Result):
            messages.append(self.read())
        return messages[-1], messages[:-1]

    def status(self):
        result, (status,) = self.ask(pb.GetStatus())
        assert result.code == DONE, result
        return status


class FakeControl:
    """A server played by the test. `answer(command)` is called for each command, and returns a list:
    messages to send, bytes to send, exceptions to raise (Closed ends the connection). It runs in a
    thread; what it raises otherwise is raised when the server ends."""

    def __init__(self, path, answer):
        self.path = pathlib.Path(path)
        self.answer = answer
        self.commands = []
        self.failure = None
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(path))
        self.listener.listen(16)
        self.talks = []
        self.threads = [threading.Thread(target=self._accept)]
        self.threads[0].start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        """As a server that is gone; the name stays."""
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for talk in self.talks:
            with contextlib.suppress(OSError):
                talk.socket.shutdown(socket.SHUT_RDWR)
        for thread in self.threads:
            thread.join()
        if self.failure is not None:
            raise self.failure

    def _accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            talk = Talk(connection)
            self.talks.append(talk)
            thread = threading.Thread(target=self._serve, args=(talk,))
            self.threads.append(thread)
            thread.start()

    def _serve(self, talk):
        with talk:
            try:
                while True:
                    opcode, body = talk.read_frame()
                    command = COMMANDS[opcode].FromString(body)
                    self.commands.append(command)
                    for message in self.answer(command):
                        if isinstance(message, Exception):
                            raise message
                        if isinstance(message, bytes):
                            talk.send_bytes(message)
                        else:
                            talk.send(message)
            except (Closed, OSError):
                pass
            except Exception as failure:  # pylint: disable=broad-except
                self.failure = failure
