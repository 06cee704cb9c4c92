"""An observer that the test plays: the real page, with what the test wants it to show."""
import base64
import hashlib
import http.server
import json
import re
import threading

from programs import ROOT

PAGE = ROOT / "server" / "observer" / "page" / "index.html"


def policy(html):
    """The policy that allows the style and the script of this page and nothing else."""
    def allow(name):
        text = re.search(rf"<{name}>(.*?)</{name}>", html, re.DOTALL)[1]
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        return f"{name}-src 'sha256-{digest}'"
    return ("default-src 'self'; img-src 'self' data:; " + allow("script") + "; " + allow("style") +
            "; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")


class FakeObserver:
    """Serves on a free port of loopback. `status` and `agencies` are what /api/... answers next;
    either may be a function that returns it, or a number, which is sent as a status without a body.
    """

    def __init__(self, status, agencies=()):
        self.status = status
        self.agencies = list(agencies)
        self.paths = []  # that were asked for
        observer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                observer.paths.append(self.path)
                html = PAGE.read_text(encoding="utf-8")
                answers = {"/": ("text/html; charset=utf-8", html),
                           "/api/status": ("application/json", observer.status),
                           "/api/agencies": ("application/json", observer.agencies)}
                kind, body = answers.get(self.path, ("text/plain", 404))
                body = body() if callable(body) else body
                code = body if isinstance(body, int) else 200
                data = (b"" if isinstance(body, int) else body.encode() if isinstance(body, str)
                        else json.dumps(body).encode())
                self.send_response(code)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(data)))
                if self.path == "/":
                    self.send_header("Content-Security-Policy", policy(html))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_):
                pass

        self.handler = Handler
        self.server = None
        self.start(0)

    def start(self, port):
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", port), self.handler)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        self.address = f"http://127.0.0.1:{self.port}/"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,))
        self.thread.start()

    def stop(self):
        """Lets nobody in any more. Connections that are open remain until their next request."""
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()
