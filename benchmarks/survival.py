"""
What happens to a table when almost a third of the requests fail: 10,000 rows of every kind.

1. Temporary faults: every temporary fault of the sandbox, in equal parts, 30 % of the requests in total; three
   seeds.
2. Permanent faults: every write of some contacts fails, ten contacts for each kind of fault.

A short reference model computes how the account must look at the end, which writes may arrive, and which rows
must be rejected and for which reason. The timeout is 0.3 s and the pauses are short, so the benchmark takes
minutes, not hours.

    python benchmarks/survival.py
"""

from __future__ import annotations

import logging
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # for the reference model, which the tests use too

from airflow_provider_envoke.client import retry
from airflow_provider_envoke.sandbox.thread import Sandbox
from airflow_provider_envoke.sync import EnvokeConfig, SyncOptions, SyncRun
from tests.support.survival import (
    PASSING,
    PERMANENTLY,
    choose,
    contacts_of,
    emails_of,
    make_table,
    without_strangers,
    wrong_contacts,
    wrong_outcomes,
    wrong_writes,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_provider_envoke.sync import Reject
    from tests.support.survival import Case

ROWS, SHARE, SEEDS, CONTACTS_PER_FAULT = 10_000, 0.3, (1, 2, 3), 10
TIMEOUT_S, MAX_RETRIES, CONCURRENCY, KEEP_REQUESTS = 0.3, 20, 32, 1_000_000

COLUMNS = (
    "faults",
    "seed",
    "requests",
    "with a fault",
    "updated",
    "created",
    "unchanged",
    "rejected",
    "wrong outcomes",
    "wrong contacts",
    "unrequested writes",
    "lost writes",
    "seconds",
)


def main() -> int:
    """Print the table. The exit status is 1 if anything is wrong."""
    logging.disable(logging.WARNING)
    retry._FIRST_BACK_OFF_S = 0.02
    print(f"{ROWS} rows; temporary: {len(PASSING)} faults in {SHARE:.0%} of the requests;")
    print(f"permanent: {len(PERMANENTLY)} faults, {CONTACTS_PER_FAULT} contacts for each\n")
    _print_row(COLUMNS)
    _print_row(["---"] * len(COLUMNS))
    correct = [_temporary(seed) for seed in SEEDS]
    correct.append(_permanent())
    return 0 if all(correct) else 1


def _temporary(seed: int) -> bool:
    table = make_table(ROWS)
    faults = dict.fromkeys(PASSING, SHARE / len(PASSING))
    with Sandbox(
        contacts_of(table), faults=faults, fault_seed=seed, retry_after_s=0, keep_requests=KEEP_REQUESTS
    ) as sandbox:
        return _run("temporary", str(seed), sandbox, table, {}, "create", MAX_RETRIES)


def _permanent() -> bool:
    table = without_strangers(ROWS)
    faults = choose(table, CONTACTS_PER_FAULT)
    with Sandbox(
        contacts_of(table), faults_for=emails_of(table, faults), retry_after_s=0, keep_requests=KEEP_REQUESTS
    ) as sandbox:
        return _run("permanent", "", sandbox, table, faults, "reject", 2)


def _run(
    name: str,
    seed: str,
    sandbox: Sandbox,
    table: Sequence[Case],
    permanent: dict[int, str],
    on_missing: str,
    max_retries: int,
) -> bool:
    """Run a sync, compare it with the reference model, print a line, and return whether everything is correct."""
    config = EnvokeConfig(sandbox.api_id, sandbox.api_key, sandbox.url, TIMEOUT_S, max_retries)
    options = SyncOptions(on_missing=on_missing, concurrency=CONCURRENCY)  # type: ignore[arg-type]
    rejects: list[Reject] = []
    started_s = time.monotonic()
    report = SyncRun(config, options, on_reject=rejects.append).run(case.row for case in table)
    seconds = time.monotonic() - started_s
    messages = {reject.row: reject.message for reject in rejects}
    outcomes = wrong_outcomes(table, report, rejects, permanent)
    outcomes += [f"row {n}" for n, fault in permanent.items() if PERMANENTLY[fault][1] not in messages.get(n, "")]
    unrequested, lost = wrong_writes(sandbox, table, permanent)
    contacts = wrong_contacts(sandbox, table, permanent)
    requests, faults = sandbox.stats["requests"], sum(sandbox.stats["faults"].values())
    counts = [report.updated, report.created, report.unchanged, report.rejected]
    wrong = [len(outcomes), len(contacts), len(unrequested), len(lost)]
    _print_row([name, seed, requests, f"{faults} ({faults / requests:.1%})", *counts, *wrong, f"{seconds:.0f}"])
    return not any(wrong)


def _print_row(cells: Sequence[object]) -> None:
    print("| " + " | ".join(str(cell) for cell in cells) + " |", flush=True)


if __name__ == "__main__":
    sys.exit(main())
