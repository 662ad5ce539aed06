"""The options of ``python -m airflow_provider_envoke.sandbox``, and its help."""

from __future__ import annotations

import argparse
import math

from airflow_provider_envoke.sandbox.faults import FAULTS
from airflow_provider_envoke.sandbox.strict import EXAMPLE

_DESCRIPTION = """\
A stand-in for the Envoke API that keeps contacts in memory, for demos and tests.
The page at / shows the contacts, what has changed, and the requests."""

_FILES = f"""\
files:
  --seed    a JSON list of contacts, as the API returns them; every field is optional:
            [{{"email": "jon@example.com", "city": "Laval", "consent_status": "Express",
              "interests": ["Newsletter"], "custom_fields": {{"plan": "gold"}}}}]
  --strict  the custom fields and tags that the account has; a list that is missing is empty:
            {EXAMPLE}"""


def read_options(arguments: list[str] | None = None) -> argparse.Namespace:
    """Return the options of the command line; exit with code 2 and a message if one is invalid."""
    return _parser().parse_args(arguments)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m airflow_provider_envoke.sandbox",
        usage="%(prog)s [--port PORT] [--seed FILE] [--strict FILE] [options]",
        description=_DESCRIPTION,
        epilog=_FILES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    server = parser.add_argument_group("server")
    server.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    server.add_argument(
        "--port", type=_port, default=8025, help="port to listen on; 0 chooses a free one (default: %(default)s)"
    )
    server.add_argument(
        "--latency-ms",
        metavar="MS",
        type=_milliseconds,
        default=0,
        help="delay of every API response, in milliseconds (default: %(default)s)",
    )
    server.add_argument(
        "--api-id", metavar="ID", default="sandbox-id", help="user name of clients (default: %(default)s)"
    )
    server.add_argument(
        "--api-key", metavar="KEY", default="sandbox-key", help="password of clients (default: %(default)s)"
    )
    account = parser.add_argument_group("account")
    account.add_argument("--seed", metavar="FILE", help="contacts to start with (default: none)")
    account.add_argument(
        "--strict",
        metavar="FILE",
        help="custom fields and tags of the account; refuse writes of any others, and of unknown fields",
    )
    account.add_argument(
        "--no-duplicate-check", action="store_true", help="allow contacts to share an email address"
    )
    _add_faults(parser)
    return parser


def _add_faults(parser: argparse.ArgumentParser) -> None:
    width = max(map(len, FAULTS))
    names = (f"  {fault.name:{width}}  {fault.description.replace('`', '')}" for fault in FAULTS.values())
    faults = parser.add_argument_group("faults", "Make requests fail on purpose. The faults:\n" + "\n".join(names))
    faults.add_argument(
        "--fault",
        metavar="NAME=SHARE",
        type=_share,
        action="append",
        default=[],
        help="a fault, and the share of requests that get it, 0 to 1; can be repeated",
    )
    faults.add_argument(
        "--fault-for",
        metavar="KEY=NAME",
        type=_key_and_name,
        action="append",
        default=[],
        help="a contact's id, email address or remote id, and the fault of all its writes; can be repeated",
    )
    faults.add_argument(
        "--fault-seed",
        metavar="N",
        type=_integer,
        default=0,
        help="a different seed chooses different requests (default: %(default)s)",
    )
    faults.add_argument(
        "--retry-after-s",
        metavar="S",
        type=_seconds,
        default=1,
        help="value of Retry-After, in seconds (default: %(default)s)",
    )


def _port(text: str) -> int:
    number = _integer(text)
    if not 0 <= number <= 65_535:
        raise argparse.ArgumentTypeError(f"{number} is not a port (0 to 65535)")
    return number


def _milliseconds(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 <= number < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is not 0 or a positive number")
    return number


def _seconds(text: str) -> int:
    number = _integer(text)
    if number < 0:
        raise argparse.ArgumentTypeError(f"{number} is not 0 or a positive number")
    return number


def _integer(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not an integer") from None


def _share(text: str) -> tuple[str, float]:
    name, _, share = text.partition("=")
    try:
        return name, float(share)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=SHARE, such as stall=0.1") from None


def _key_and_name(text: str) -> tuple[str, str]:
    key, _, name = text.rpartition("=")
    if not key:
        raise argparse.ArgumentTypeError(f"{text!r} is not KEY=NAME, such as 1001=error_500")
    return key, name
