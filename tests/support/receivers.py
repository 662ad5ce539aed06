"""What receives alerts in place of an e-mail server and of Slack."""

from __future__ import annotations

import email
import json
import socketserver
import threading
from contextlib import contextmanager
from email import policy
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from email.message import EmailMessage


class _Smtp(socketserver.StreamRequestHandler):
    """As much of RFC 5321 as Python's client needs: no login and no TLS."""

    def handle(self) -> None:
        self._say("220 ready")
        while line := self.rfile.readline().decode().strip():
            command = line.upper()
            if command == "DATA":
                self._say("354 go on")
                self.server.received.append(self._message())  # type: ignore[attr-defined]
            self._say("221 bye" if command == "QUIT" else "250 ok")
            if command == "QUIT":
                return

    def _say(self, text: str) -> None:
        self.wfile.write(f"{text}\r\n".encode())

    def _message(self) -> EmailMessage:
        lines = []
        while (line := self.rfile.readline()) not in (b".\r\n", b""):
            lines.append(line.removeprefix(b"."))
        return email.message_from_bytes(b"".join(lines), policy=policy.default)  # type: ignore[return-value]


class _Webhook(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.received.append(json.loads(body))  # type: ignore[attr-defined]
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *_: Any) -> None:
        """Print nothing."""


@contextmanager
def _serving(server: socketserver.TCPServer) -> Iterator[tuple[int, list[Any]]]:
    server.received = []  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    with server:
        thread.start()
        try:
            yield server.server_address[1], server.received  # type: ignore[attr-defined]
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def smtp_server() -> Iterator[tuple[int, list[EmailMessage]]]:
    """Receive e-mails; yield the port and the messages."""
    with _serving(socketserver.ThreadingTCPServer(("127.0.0.1", 0), _Smtp)) as served:
        yield served


@contextmanager
def slack_webhook() -> Iterator[tuple[int, list[dict[str, Any]]]]:
    """Receive what is posted to Slack's webhook; yield the port and the bodies."""
    with _serving(ThreadingHTTPServer(("127.0.0.1", 0), _Webhook)) as served:
        yield served
