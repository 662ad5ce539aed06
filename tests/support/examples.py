"""The example DAGs, and rows of the table that they read."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from airflow import __version__

from tests.support import EXAMPLES

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import DAG

NAMES = sorted(path.stem for path in EXAMPLES.glob("*.py"))
#: Those that ask a person, which Airflow can do from 3.1 on.
ASKING = {"envoke_approve_then_sync", "envoke_ask_if_large"}
CAN_ASK = not __version__.startswith(("2.", "3.0"))

COLUMNS = ("customer_id", "remote_id", "email", "first_name", "phone", "city", "updated_at")
ANA = ("C-1", "R-1", "ana@example.com", "Aña", None, "Québec", "2026-03-02")
BO = ("C-2", "R-2", "bo@example.com", "Bo", None, "Lévis", "2026-03-02")
CY = ("C-3", None, "cy@example.com", "Cy", None, "Ottawa", "2026-03-03")
DEE = ("C-4", "R-4", "dee@example.com", "Dee", None, "Laval", "2026-03-03")
INVALID = ("C-9", None, "not an address", "Eve", None, "Laval", "2026-03-02")


def example(name: str) -> DAG:
    """Return an example DAG."""
    return import_module(f"example_dags.{name}").dag
