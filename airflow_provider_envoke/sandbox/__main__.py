"""``python -m airflow_provider_envoke.sandbox`` runs the sandbox as a process."""

from __future__ import annotations

import asyncio
import errno
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_provider_envoke.sandbox.fault_chooser import FaultChooser
from airflow_provider_envoke.sandbox.options import read_options
from airflow_provider_envoke.sandbox.server import SandboxServer
from airflow_provider_envoke.sandbox.store import ContactStore, read_contacts
from airflow_provider_envoke.sandbox.strict import read_account_fields

if TYPE_CHECKING:
    from argparse import Namespace


def main(arguments: list[str] | None = None) -> int:
    """Run the sandbox until SIGTERM or SIGINT, and return the exit code."""
    options = read_options(arguments)
    try:
        server = SandboxServer(
            _store(options),
            api_id=options.api_id,
            api_key=options.api_key,
            latency_s=options.latency_ms / 1000,
            faults=_fault_chooser(options),
        )
    except ValueError as error:
        return _fail(str(error))
    try:
        asyncio.run(_serve(server, options.host, options.port))
    except OSError as error:
        # A host name that is not found has a negative number, which os.strerror does not know.
        number = error.errno or 0
        reason = os.strerror(number) if number > 0 else error.strerror
        remedy = "; try --port 0" if number in (errno.EADDRINUSE, errno.EACCES) else ""
        return _fail(f"cannot listen on {options.host} port {options.port} ({reason}){remedy}")
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


def _store(options: Namespace) -> ContactStore:
    """
    Return the account's contacts.

    :raises ValueError: if a file cannot be read or is invalid; the text names the option and the file.
    """
    strict = None
    if options.strict is not None:
        content = _read("--strict", options.strict)
        try:
            strict = read_account_fields(content)
        except ValueError as error:
            raise ValueError(f"--strict {options.strict}: {error}") from None
    content = b"[]" if options.seed is None else _read("--seed", options.seed)
    try:
        return ContactStore(read_contacts(content), duplicate_check=not options.no_duplicate_check, strict=strict)
    except ValueError as error:
        raise ValueError(f"--seed {options.seed}: not a JSON list of contacts ({error})") from None


def _read(option: str, path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise ValueError(f"{option} {path}: cannot read the file ({error.strerror})") from None


def _fault_chooser(options: Namespace) -> FaultChooser:
    shares, contacts = dict(options.fault), dict(options.fault_for)
    try:
        if len(shares) < len(options.fault) or len(contacts) < len(options.fault_for):
            raise ValueError("the same fault or contact is given twice")
        return FaultChooser(
            shares, seed=options.fault_seed, contacts=contacts, retry_after_s=options.retry_after_s
        )
    except ValueError as error:
        raise ValueError(f"--fault, --fault-for: {error}") from None


def _fail(reason: str) -> int:
    sys.stderr.write(f"Envoke sandbox: {reason}\n")
    return 2


if __name__ == "__main__":
    sys.exit(main())
