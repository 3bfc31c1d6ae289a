"""A bystander: a small HTTP server with one answer for every path. A program that needs the standard library only.

python bystander.py NAME ADDRESS PORT STATUS BODY
"""

from __future__ import annotations

import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Server(ThreadingHTTPServer):
    """Prepared for a drill, which opens many short connections at once through the proxy in front."""

    daemon_threads = True
    request_queue_size = 1024
    allow_reuse_address = True


def handler(name: str, status: int, body: str) -> type[BaseHTTPRequestHandler]:
    """The handler that answers any request with `status` and `body`, and its name in a header."""
    payload = f"{body}\n".encode()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 60
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            if length:
                self.rfile.read(length)
            self.send_response(status)
            self.send_header("Content-Type", "text/plain; charset=utf-8")
            self.send_header("Content-Length", str(len(payload)))
            self.send_header("X-Served-By", name)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(payload)

        do_HEAD = do_POST = do_PUT = do_DELETE = do_PATCH = do_OPTIONS = do_GET  # noqa: N815

        def log_message(self, format: str, *args: object) -> None:
            """Log nothing: a drill would fill the log."""

    return Handler


def main(argv: list[str]) -> None:
    """Serve until killed."""
    name, address, port, status, body = argv
    with Server((address, int(port)), handler(name, int(status), body)) as server:
        server.serve_forever()


if __name__ == "__main__":
    main(sys.argv[1:])
