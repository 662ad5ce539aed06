"""What tests of more than one folder share. Nothing else is imported from one test module into another."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "example_dags"
