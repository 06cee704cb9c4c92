"""A proxy that counts and measures every frame that passes."""
import socket
import threading

from wire import HEADER


class FrameProxy(threading.Thread):
    """Sits between an agency and the server; counts frames in both directions and notes the largest."""

    def __init__(self, port):
        super().__init__(daemon=True)
        self.target = port
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.frames = 0
        self.largest = 0

    def run(self):
        while True:
            try:
                one, _ = self.listener.accept()
            except OSError:
                return
            other = socket.create_connection(("127.0.0.1", self.target))
            for pair in ((one, other), (other, one)):
                threading.Thread(target=self.copy, args=pair, daemon=True).start()

    def copy(self, source, target):
        buffer = b""
        while data := source.recv(65536):
            target.sendall(data)
            buffer += data
            while len(buffer) >= HEADER.size:
                size = HEADER.size + HEADER.unpack_from(buffer)[1]
                self.largest = max(self.largest, size)
                if len(buffer) < size:
                    break
                self.frames += 1
                buffer = buffer[size:]
        target.shutdown(socket.SHUT_WR)

    def close(self):
        self.listener.close()
