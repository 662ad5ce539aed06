"""``python -m airflow_provider_envoke.sandbox`` runs the sandbox as a process."""

from __future__ import annotations

import argparse
import asyncio
import math
import os
import signal
import sys
from pathlib import Path
from typing import Any

from airflow_provider_envoke.sandbox.fault_chooser import FaultChooser
from airflow_provider_envoke.sandbox.faults import FAULTS
from airflow_provider_envoke.sandbox.server import SandboxServer
from airflow_provider_envoke.sandbox.store import ContactStore, read_contacts


def main(arguments: list[str] | None = None) -> int:
    """Run the sandbox until SIGTERM or SIGINT, and return the exit code."""
    options = _parser().parse_args(arguments)
    try:
        store = ContactStore(_read_seed(options.seed), duplicate_check=not options.no_duplicate_check)
    except OSError as error:
        return _fail(f"--seed {options.seed}: cannot read the file ({error.strerror})")
    except ValueError as error:
        return _fail(f"--seed {options.seed}: not a JSON list of contacts ({error})")
    try:
        faults = _fault_chooser(options)
    except ValueError as error:
        return _fail(f"--fault: {error}")
    server = SandboxServer(
        store,
        api_id=options.api_id,
        api_key=options.api_key,
        latency_s=options.latency_ms / 1000,
        faults=faults,
    )
    try:
        asyncio.run(_serve(server, options.host, options.port))
    except OSError as error:
        return _fail(
            f"cannot listen on {options.host} port {options.port} ({os.strerror(error.errno or 0)}); try --port 0"
        )
    return 0


async def _serve(server: SandboxServer, host: str, port: int) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    port = await server.start(host, port)
    url_host = f"[{host}]" if ":" in host else host
    sys.stdout.write(f"Envoke sandbox ready on http://{url_host}:{port}/\n")
    sys.stdout.flush()
    await stop.wait()
    await server.stop()


def _read_seed(path: str | None) -> list[dict[str, Any]]:
    return read_contacts(Path(path).read_bytes()) if path else []


def _fault_chooser(options: argparse.Namespace) -> FaultChooser:
    shares, contacts = dict(options.fault), dict(options.fault_for)
    if len(shares) < len(options.fault) or len(contacts) < len(options.fault_for):
        raise ValueError("the same fault or contact is given twice")
    return FaultChooser(shares, seed=options.fault_seed, contacts=contacts, retry_after_s=options.retry_after_s)


def _fail(reason: str) -> int:
    sys.stderr.write(f"Envoke sandbox: {reason}\n")
    return 2


def _port(text: str) -> int:
    number = int(text)
    if not 0 <= number <= 65_535:
        raise argparse.ArgumentTypeError(f"{number} is not a port (0 to 65535)")
    return number


def _milliseconds(text: str) -> float:
    number = float(text)
    if not 0 <= number < math.inf:
        raise argparse.ArgumentTypeError(f"{text} is not 0 or a positive number")
    return number


def _seconds(text: str) -> int:
    number = int(text)
    if number < 0:
        raise argparse.ArgumentTypeError(f"{number} is not 0 or a positive number")
    return number


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


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m airflow_provider_envoke.sandbox",
        description="A stand-in for the Envoke API that keeps contacts in memory. The page at / shows them.",
    )
    parser.add_argument(
        "--host", default="127.0.0.1", help="address to listen on (default: 127.0.0.1, this machine only)"
    )
    parser.add_argument(
        "--port", type=_port, default=8025, help="port to listen on; 0 chooses a free port (default: 8025)"
    )
    parser.add_argument("--seed", metavar="FILE", help="file with a JSON list of contacts to start with")
    parser.add_argument(
        "--latency-ms", type=_milliseconds, default=0, help="delay of every API response (default: 0)"
    )
    parser.add_argument(
        "--api-id", default="sandbox-id", help="user name that clients must send (default: sandbox-id)"
    )
    parser.add_argument(
        "--api-key", default="sandbox-key", help="password that clients must send (default: sandbox-key)"
    )
    parser.add_argument(
        "--no-duplicate-check", action="store_true", help="allow contacts to share an email address"
    )
    _add_faults(parser)
    return parser


def _add_faults(parser: argparse.ArgumentParser) -> None:
    faults = parser.add_argument_group("faults", "Make requests fail on purpose. The faults: " + ", ".join(FAULTS))
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
        type=int,
        default=0,
        help="a different seed chooses different requests (default: 0)",
    )
    faults.add_argument(
        "--retry-after-s",
        metavar="N",
        type=_seconds,
        default=1,
        help="value of Retry-After, in seconds (default: 1)",
    )


if __name__ == "__main__":
    sys.exit(main())
