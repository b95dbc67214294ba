"""A proxy before a server that fails as often, and in the way, that a test asks for."""

import http.client
import threading
from enum import StrEnum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

_HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length", "expect"}


class Fault(StrEnum):
    """What happens to a request that fails."""

    REFUSE = "answered 500, and never passed on"
    LOSE = "passed on, and its answer replaced by 500"
    CUT = "passed on, and its answer ends in the middle"
    SPOIL = "passed on, and a byte of its answer is changed"


METHODS = ("GET", "HEAD", "PUT", "POST", "DELETE")


class FaultyProxy:
    """Passes requests on to ``target``; of those with a method in ``methods`` every n-th fails.

    Attributes:
        endpoint: its own address.
        num_seen: requests with such a method so far.
        num_failed: how many of them failed; no more than ``most``.
        num_bytes: length of all answers' bodies so far.
    """

    def __init__(self, target, fault, *, every, methods=METHODS, most=10**9):
        self._target = urlsplit(target)
        self._fault, self._every, self._methods, self._most = fault, every, methods, most
        self._lock = threading.Lock()
        self.num_seen = self.num_failed = self.num_bytes = 0
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_any(self):
                proxy.handle(self)

            do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = handle_any  # noqa: N815

            def log_message(self, *arguments):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.endpoint = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self):
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *failure):
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def handle(self, request):
        body = request.rfile.read(int(request.headers.get("Content-Length") or 0))
        fails = self._fails(request.command)
        if fails and self._fault is Fault.REFUSE:
            _answer(request, 500, {}, b"")
            return
        status, headers, content = self._passed_on(request, body)
        if fails and self._fault is Fault.LOSE:
            _answer(request, 500, {}, b"")
        elif fails and self._fault is Fault.CUT:
            half = content[: len(content) // 2]
            self.num_bytes += len(half)
            _answer(request, status, headers, half, length=len(content))
            request.close_connection = True
        elif fails:
            _answer(request, status, headers, content[:-1] + bytes([content[-1] ^ 1]))
        else:
            self.num_bytes += len(content)
            _answer(request, status, headers, content)

    def _fails(self, method):
        if method not in self._methods:
            return False
        with self._lock:
            self.num_seen += 1
            fails = self.num_seen % self._every == 0 and self.num_failed < self._most
            self.num_failed += fails
            return fails

    def _passed_on(self, request, body):
        connection = http.client.HTTPConnection(self._target.netloc, timeout=60)
        kept = {k: v for k, v in request.headers.items() if k.lower() not in _HOP_BY_HOP}
        connection.request(request.command, request.path, body, kept)  # the signature needs Host
        response = connection.getresponse()
        content = response.read()
        headers = dict(response.getheaders())
        connection.close()
        if request.command == "HEAD":
            return response.status, headers, b""
        return response.status, headers, content


def _answer(request, status, headers, content, *, length=None):
    request.send_response_only(status)
    for name, value in headers.items():
        if name.lower() not in _HOP_BY_HOP:
            request.send_header(name, value)
    stated = next((v for k, v in headers.items() if k.lower() == "content-length"), None)
    if request.command == "HEAD" and stated is not None:
        request.send_header("Content-Length", stated)
    else:
        request.send_header("Content-Length", str(len(content) if length is None else length))
    request.end_headers()
    request.wfile.write(content)
