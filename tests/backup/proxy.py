"""A server between pgkeel and an S3 server that breaks what passes: errors, throttling, cut uploads, refused logins."""

import threading
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

__all__ = ["LOST", "FaultProxy"]

LOST = 1  # what is asked is done, and the answer does not come

_HOP = {"connection", "transfer-encoding", "content-length", "host"}


class FaultProxy:
    """Passes requests on, except for the next ones, which get an answer of the test's."""

    def __init__(self, target: str) -> None:  # noqa: C901 - the handler is in it
        self.target = target
        self.faults: list[tuple[str, int, bytes]] = []  # method, status (0: the line is cut, LOST), body
        self.is_away = False  # every line is cut until it comes back
        self.flip = False  # give objects back with a bit turned
        self.seen: list[str] = []
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: Any) -> None:
                return

            def _pass(self) -> None:
                length = int(self.headers.get("content-length") or 0)
                fault = proxy.next_fault(self.command)
                if fault is not None and fault[1] == 0:
                    self.rfile.read(length // 2)  # half of the upload arrives
                    self.connection.close()
                    self.close_connection = True
                    return
                body = self._chunks() if self.headers.get("transfer-encoding") == "chunked" else self.rfile.read(length)
                if fault is not None and fault[1] == LOST:
                    proxy.ask(self.command, self.path, dict(self.headers), body)
                    self.connection.close()
                    self.close_connection = True
                    return
                if fault is not None:
                    self._answer(fault[1], {}, fault[2])
                    return
                self._answer(*proxy.ask(self.command, self.path, dict(self.headers), body))

            def _chunks(self) -> bytes:
                body = b""
                while size := int(self.rfile.readline().split(b";")[0], 16):
                    body += self.rfile.read(size)
                    self.rfile.readline()
                self.rfile.readline()
                return body

            def _answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
                self.send_response(status)
                for name, value in headers.items():
                    if name.lower() not in _HOP:
                        self.send_header(name, value)
                self.send_header(
                    "content-length", str(len(body)) if self.command != "HEAD" else headers.get("Content-Length", "0")
                )
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(body)

            do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = _pass  # noqa: N815 - the base class's names

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def next_fault(self, method: str) -> tuple[str, int, bytes] | None:
        self.seen.append(method)
        if self.is_away:
            return method, 0, b""
        for fault in self.faults:
            if fault[0] in {method, "*"}:
                self.faults.remove(fault)
                return fault
        return None

    def ask(self, method: str, path: str, headers: dict[str, str], body: bytes) -> tuple[int, dict[str, str], bytes]:
        kept = {name: value for name, value in headers.items() if name.lower() not in _HOP}
        if not any(name.lower() == "content-type" for name in kept):
            kept["Content-Type"] = "application/octet-stream"  # urllib's own would be a form, which moto reads away
        request = urllib.request.Request(f"{self.target}{path}", data=body or None, headers=kept, method=method)
        try:
            with urllib.request.urlopen(request) as answer:
                content = answer.read()
                if self.flip and method == "GET" and "list-type" not in path and content:
                    content = content[:-1] + bytes([content[-1] ^ 1])
                return answer.status, dict(answer.headers), content
        except urllib.error.HTTPError as err:
            with err:
                return err.code, dict(err.headers), err.read()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
