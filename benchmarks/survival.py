"""
What becomes of a table when a third of the requests fails: 10,000 rows of every kind, three seeds.

1. every fault of the sandbox that passes, in equal parts, 30 % together;
2. faults that stay, on chosen contacts: ten of each kind.

Beside the run a model of a few lines says how the account has to end, which requests may come in, and which rows
have to be rejected, and why. The timeout is 0.3 s and the pauses are short, so that it takes minutes, not hours.

    python benchmarks/survival.py
"""

from __future__ import annotations

import logging
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # for the model, which the tests use too

from airflow_provider_envoke.core import retry
from airflow_provider_envoke.core.config import EnvokeConfig
from airflow_provider_envoke.core.options import SyncOptions
from airflow_provider_envoke.sandbox.thread import Sandbox
from airflow_provider_envoke.sync import SyncRun
from tests.sync.surviving import (
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

    from airflow_provider_envoke.core.report import Reject
    from tests.sync.surviving import Case

ROWS, SHARE, SEEDS, TIMES = 10_000, 0.3, (1, 2, 3), 10
TIMEOUT_S, MAX_RETRIES, CONCURRENCY, KEPT = 0.3, 20, 32, 1_000_000

COLUMNS = (
    "faults",
    "seed",
    "requests",
    "struck",
    "updated",
    "created",
    "unchanged",
    "rejected",
    "wrong outcomes",
    "wrong contacts",
    "not asked",
    "lost",
    "seconds",
)


def main() -> int:
    """Print the table; the exit code is 1 if anything was wrong."""
    logging.disable(logging.WARNING)
    retry._FIRST_BACK_OFF_S = 0.02
    print(f"{ROWS} rows, {SHARE:.0%} of the requests struck by {len(PASSING)} kinds of faults that pass;")
    print(f"{TIMES} contacts each for {len(PERMANENTLY)} kinds that stay\n")
    _print_row(COLUMNS)
    _print_row(["---"] * len(COLUMNS))
    right = [_passing(seed) for seed in SEEDS]
    right.append(_permanent())
    return 0 if all(right) else 1


def _passing(seed: int) -> bool:
    table = make_table(ROWS)
    mix = dict.fromkeys(PASSING, SHARE / len(PASSING))
    with Sandbox(
        contacts_of(table), faults=mix, fault_seed=seed, retry_after_s=0, keep_requests=1_000_000
    ) as sandbox:
        return _run("pass", str(seed), sandbox, table, {}, "create", MAX_RETRIES)


def _permanent() -> bool:
    table = without_strangers(ROWS)
    struck = choose(table, TIMES)
    chosen = emails_of(table, struck)
    with Sandbox(contacts_of(table), faults_for=chosen, retry_after_s=0, keep_requests=KEPT) as sandbox:
        return _run("stay", "", sandbox, table, struck, "reject", 2)


def _run(
    name: str,
    seed: str,
    sandbox: Sandbox,
    table: Sequence[Case],
    struck: dict[int, str],
    on_missing: str,
    max_retries: int,
) -> bool:
    config = EnvokeConfig(sandbox.api_id, sandbox.api_key, sandbox.url, TIMEOUT_S, max_retries)
    options = SyncOptions(on_missing=on_missing, concurrency=CONCURRENCY)  # type: ignore[arg-type]
    rejects: list[Reject] = []
    started = time.monotonic()
    report = SyncRun(config, options, on_reject=rejects.append).run(case.row for case in table)
    seconds = time.monotonic() - started
    messages = {reject.row: reject.message for reject in rejects}
    outcomes = wrong_outcomes(table, report, rejects, struck)
    outcomes += [f"row {n}" for n, fault in struck.items() if PERMANENTLY[fault][1] not in messages.get(n, "")]
    unasked, lost = wrong_writes(sandbox, table, struck)
    contacts = wrong_contacts(sandbox, table, struck)
    requests, faults = sandbox.stats["requests"], sum(sandbox.stats["faults"].values())
    counts = [report.updated, report.created, report.unchanged, report.rejected]
    wrong = [len(outcomes), len(contacts), len(unasked), len(lost)]
    _print_row([name, seed, requests, f"{faults} ({faults / requests:.1%})", *counts, *wrong, f"{seconds:.0f}"])
    return not any(wrong)


def _print_row(cells: Sequence[object]) -> None:
    print("| " + " | ".join(str(cell) for cell in cells) + " |", flush=True)


if __name__ == "__main__":
    sys.exit(main())
