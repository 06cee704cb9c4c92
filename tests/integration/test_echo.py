"""The echo server: it sends back one line per connection, unchanged."""
import socket
import unittest

from programs import Case

LINE_MAX = 64 * 1024


class Echo(Case):
    def setUp(self):
        super().setUp()
        self.echo = self.server(mode="echo", level="DEBUG")

    def ask(self, *pieces, ends=False):
        """Sends the pieces and returns all that comes back until the server closes."""
        with socket.create_connection(("127.0.0.1", self.echo.port), timeout=20) as connection:
            for piece in pieces:
                connection.sendall(piece)
            if ends:
                connection.shutdown(socket.SHUT_WR)
            answer = b""
            try:
                while data := connection.recv(65536):
                    answer += data
            except ConnectionResetError:
                pass
            return answer

    def test_a_line_comes_back_as_it_was(self):
        """Every byte of it, with the newline; the log line has it without."""
        line = "[CLIENT 1] Message N°1\n".encode()
        self.assertEqual(self.ask(line), line)
        logged = self.echo.wait_line("receive_message", "success")
        self.assertEqual(logged.details, {"ip": "127.0.0.1", "msg": "[CLIENT 1] Message N°1"})

    def test_pieces(self):
        """However the line is cut into pieces, and whatever follows it."""
        self.assertEqual(self.ask(b"he", b"llo", b"\r\n"), b"hello\r\n")
        self.assertEqual(self.ask(b"first\nsecond\n"), b"first\n")
        self.assertEqual(self.ask(b"\n"), b"\n")

    def test_no_newline(self):
        """Where the peer ends its side, the line ends, too."""
        self.assertEqual(self.ask(b"no end", ends=True), b"no end")
        self.assertEqual(self.ask(ends=True), b"")

    def test_the_longest_line(self):
        """64 KiB with the newline; one byte more is refused and logged."""
        line = b"x" * (LINE_MAX - 1) + b"\n"
        self.assertEqual(self.ask(line), line)
        self.assertEqual(self.ask(b"x" + line), b"")
        self.assertEqual(self.echo.wait_line("receive_message", "fail").details["reason"],
                         "line longer than 65536 bytes")
        self.assertEqual(self.ask(b"x" * (LINE_MAX + 1)), b"")

    def test_bytes_that_could_break_the_log(self):
        """Bars, control characters and bytes that are not text come back as they are; the log line
        stays one line with its fields."""
        line = b"a | b: c\x00\x01\x7f \xff\xfe \xe2\x80\xa8\n"
        self.assertEqual(self.ask(line), line)
        logged = self.echo.wait_line("receive_message", "success")
        self.assertEqual(logged.details["msg"], "a / b: c    ??  ")
        self.assertEqual(self.echo.stop(), 0)

    def test_no_data_folder_is_needed(self):
        """Nothing is stored."""
        self.assertEqual(list(self.echo.folder.iterdir()), [])


if __name__ == "__main__":
    unittest.main()
