"""Responses and faults of the service, with the marked address in them where that is possible."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from tests.support import faulty_server as faults
from tests.support.faulty_server import Exchange, answer
from tests.support.leak_markers import API_ID, API_KEY, EMAIL

if TYPE_CHECKING:
    from collections.abc import Callable


def _failure(*errors: Any) -> dict[str, Any]:
    return {"success": False, "result_text": f"About {EMAIL}", "result_data": {"errors": list(errors)}}


def _malformed_headers(exchange: Exchange) -> bool:
    """Send headers of which urllib3 warns, with the URL and a traceback."""
    exchange.read()
    exchange.socket.sendall(f"HTTP/1.1 200 OK\r\n{EMAIL} no header\r\nContent-Length: 2\r\n\r\n{{}}".encode())
    return False


def _not_http(exchange: Exchange) -> bool:
    exchange.read()
    exchange.socket.sendall(f"550 {EMAIL} unknown\r\n".encode())
    return False


PAGE = f"<html><body>{EMAIL}: Markedova</body></html>".encode()
ANSWERS: dict[str, Callable[[Exchange], bool]] = {
    "400": answer(_failure(f"'{EMAIL}' is not valid", f"see <{EMAIL}> or mailto:{EMAIL}"), 400),
    "400 result_text alone": answer({"success": False, "result_text": f"{EMAIL} exists"}, 400),
    "400 errors as objects": answer(_failure({"email": EMAIL}, [EMAIL]), 400),
    "400 errors as a dict": answer({"success": False, "result_data": {"errors": {"email": EMAIL}}}, 400),
    "400 escaped": answer(_failure(EMAIL.replace("@", "%40"), quote(EMAIL)), 400),
    "400 long": answer(_failure("x" * 480 + f" {EMAIL} " * 40), 400),
    "400 not found": answer(_failure(f"Item with email '{EMAIL}' not found"), 400),
    "401": answer(_failure(f"{EMAIL} may not"), 401),
    "403 html": answer(PAGE, 403),
    "404 html": answer(PAGE, 404),
    "429": answer(_failure(EMAIL), 429, retry_after=EMAIL),
    "500": answer(_failure(f"SQLSTATE: Duplicate entry '{EMAIL}' for key"), 500),
    "502 html": answer(PAGE, 502),
    "200 html": answer(PAGE),
    "200 empty": answer(b""),
    "200 broken json": answer(f'{{"success": true, "email": "{EMAIL}"'.encode()),
    "200 not json": answer(f"{EMAIL} Markedova".encode()),
    "200 list": answer([EMAIL]),
    "200 without success": answer({"result_text": "Updated", "result_data": {"email": EMAIL}}),
    "redirect": answer(b"", 302, location=f"https://{API_ID}:{API_KEY}@e2.example/{EMAIL}?email={EMAIL}"),
    "redirect to nowhere": answer(b"", 302, location=f"http://[{EMAIL}"),
    "malformed headers": _malformed_headers,
    "not http": _not_http,
    "stall": faults.stall,
    "drip": faults.drip(),
    "reset before reading": faults.reset_before_reading,
    "reset after reading": faults.reset_after_reading,
    "closed": faults.close_after_reading,
    "cut off": faults.cut_off({"success": True, "email": EMAIL}),
    "cut off chunks": faults.cut_off_chunks,
    "lying gzip": faults.lying_gzip,
}  # fmt: skip
SLOW = {"stall", "drip"}
