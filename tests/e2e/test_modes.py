"""The modes bet and echo in containers, and settings that change without a build."""
import csv
import io

from engine import docker
from stack import Case, exit_status, lines, server_file, wait_line

CLIENT_SETTINGS = """\
server:
  address: "server:{port}"
loop:
  amount: {amount}
  period: "{period}"
log:
  level: "{level}"
"""


class Bet(Case):
    def test_each_agency_sends_its_own(self):
        """Each agency's bet is sent, logged as stored, and in the file."""
        self.stack.generate(3, "--mode", "bet")
        self.stack.compose("up", "-d")
        sent = []
        for agency in (1, 2, 3):
            self.assertEqual(exit_status(f"client{agency}"), 0)
            line, = lines(f"client{agency}", "apuesta_enviada", "success")
            self.assertEqual(lines("server", "apuesta_almacenada", "success", **line.details)[0]
                             .details, line.details)
            sent.append([str(agency), line.details["dni"], line.details["numero"]])
        self.assertEqual(sent[0], ["1", "30904465", "7574"])
        rows = csv.reader(io.StringIO(server_file("bets.csv")))
        self.assertEqual(sorted([row[0], row[3], row[5]] for row in rows), sent)
        self.assert_no_failure("server", "client1", "client2", "client3")


class Echo(Case):
    def assert_config(self, container, **details):
        self.assertEqual(lines(container, "config", "success")[-1].details.items() & details.items(),
                         details.items())

    def assert_echoed(self, agency, amount):
        """Every message of the last run came back, in order."""
        client = f"client{agency}"
        self.assertEqual(exit_status(client), 0)
        texts = [line.details["msg"] for line in lines(client, "receive_message", "success")]
        self.assertEqual(texts[-amount:], [f"[CLIENT {agency}] Message N°{number}"
                                           for number in range(1, amount + 1)])
        wait_line("server", "receive_message", "success", msg=texts[-1])

    def assert_checked(self, result):
        done = self.stack.run("sh", "validar-echo-server.sh", check=False)
        self.assertEqual(done.stdout, f"action: test_echo_server | result: {result}\n")
        self.assertEqual(done.returncode, 0 if result == "success" else 1)

    def test_messages_and_settings(self):
        """Five agencies, five messages each; then both programs start again with other settings,
        the same images, and another port, which the echo check finds as well."""
        self.stack.write_settings(
            "SERVER_PORT = 12345\nSERVER_LISTEN_BACKLOG = 8\nLOGGING_LEVEL = DEBUG",
            CLIENT_SETTINGS.format(port=12345, amount=5, period="100ms", level="DEBUG"))
        self.stack.generate(5, "--mode", "echo")
        self.stack.compose("up", "-d")
        for agency in range(1, 6):
            self.assert_echoed(agency, 5)
            self.assert_config(f"client{agency}", client_id=str(agency), loop_amount="5",
                               loop_period="100ms", log_level="DEBUG")
        self.assertEqual(len(lines("server", "receive_message", "success")), 25)
        self.assert_config("server", port="12345", listen_backlog="8", logging_level="DEBUG")
        self.assert_checked("success")

        self.stack.write_settings(
            "SERVER_PORT = 12346\nSERVER_LISTEN_BACKLOG = 16\nLOGGING_LEVEL = INFO",
            CLIENT_SETTINGS.format(port=12346, amount=2, period="250ms", level="INFO"))
        docker("restart", "server")
        docker("start", "client1")
        self.assert_echoed(1, 2)
        self.assert_config("server", port="12346", listen_backlog="16", logging_level="INFO")
        self.assert_config("client1", loop_amount="2", loop_period="250ms", log_level="INFO",
                           server_address="server:12346")
        self.assert_checked("success")
        self.assert_no_failure("server", *(f"client{agency}" for agency in range(1, 6)))

    def test_stop(self):
        """Stopped in the middle of their work, first an agency, then the server, then all: each ends
        with 0 after it has closed everything, and the others go on."""
        self.stack.write_settings("", CLIENT_SETTINGS.format(port=12345, amount=5000, period="50ms",
                                                             level="INFO"))
        self.stack.generate(3, "--mode", "echo")
        self.stack.compose("up", "-d")
        for client in ("client1", "client2", "client3"):
            wait_line(client, "receive_message", "success", count=3)
        docker("stop", "-t", "20", "client1")
        self.assert_stopped("client1")  # it may have been between two connections
        seen = len(lines("client2", "receive_message"))
        wait_line("client2", "receive_message", "success", count=seen + 3)
        self.assert_no_failure("server", "client1", "client2", "client3")

        docker("stop", "-t", "20", "server")
        self.assert_stopped("server", "listener", "process")
        docker("start", "server")
        seen = len(lines("client2", "receive_message"))
        wait_line("client2", "receive_message", "success", count=seen + 3)

        self.stack.compose("stop", "--timeout", "20")
        self.assert_stopped("server", "listener", "process")
        self.assert_stopped("client2")
        self.assert_stopped("client3")
