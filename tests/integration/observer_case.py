"""Asks a server's observer over HTTP."""
import contextlib
import http.client
import os
import signal

from programs import Case, wait_until


class Answer:
    """What came back: `code`, `headers`, `body`."""

    def __init__(self, response):
        self.code = response.status
        self.headers = response.headers
        self.body = response.read()

    def text(self):
        return self.body.decode("ascii")


def ask(port, path, method="GET", host="127.0.0.1", timeout=20):
    """One request on a connection of its own."""
    connection = http.client.HTTPConnection(host, port, timeout=timeout)
    try:
        connection.request(method, path)
        return Answer(connection.getresponse())
    finally:
        connection.close()


def raw_request(path, method="GET", *headers):
    """The bytes of a request."""
    lines = [f"{method} {path} HTTP/1.1", "Host: lottery", *headers, "", ""]
    return "\r\n".join(lines).encode("latin-1")


class ObserverCase(Case):
    """A test with a server that has an observer."""

    def observed(self, *arguments, **settings):
        server = self.server(*arguments, **{"level": "DEBUG", "SERVER_HTTP_ADDRESS": "0", **settings})
        server.wait_line("start_process", "success", process="observer")
        return server

    def ask(self, server, path, **how):
        return ask(server.http_port(), path, **how)

    def readiness(self, server):
        """None if it is ready, otherwise the reasons."""
        answer = self.ask(server, "/readyz")
        lines = answer.text().splitlines()
        if answer.code == 200:
            self.assertEqual(lines, ["ready"])
            return None
        self.assertEqual(answer.code, 503)
        self.assertTrue(lines)
        for line in lines:
            self.assertRegex(line, "^not ready: .")
        return [line.split(": ", 1)[1] for line in lines]

    def wait_ready(self, server):
        wait_until(lambda: self.readiness(server) is None, "the server to be ready")

    def wait_reason(self, server, reason):
        """Waits until it is not ready for this reason, and maybe others."""
        wait_until(lambda: reason in (self.readiness(server) or []), reason)

    @contextlib.contextmanager
    def stopped(self, pid):
        """Inside, the process stands still."""
        os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)
