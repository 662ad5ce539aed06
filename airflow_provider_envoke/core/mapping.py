"""Which column goes into which field."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_envoke.core.masking import quoted
from airflow_provider_envoke.exceptions import EnvokeConfigError, EnvokeDataError

_MAX_NAMED = 50


@dataclass(frozen=True, slots=True)
class FieldMap:
    """
    Turn a row's columns into fields, before :func:`airflow_provider_envoke.core.payload.build_payload`.

    :param columns: column -> field; a field may point into a group (``custom_fields.plan``,
        ``interests.Newsletter``). Columns that it does not name are left out. Empty: every column goes into the
        field of the same name.
    :param static: field -> value, the same for every row; a row cannot override it.
    :raises EnvokeConfigError: if one of them is no dict of names, or if two columns, or a column and a static
        value, go into one field.
    """

    columns: Mapping[str, str] = field(default_factory=dict)
    static: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _check_names("field_map", self.columns, "column -> field")
        _check_names("static_fields", self.static, "field -> value")
        if not all(isinstance(target, str) for target in self.columns.values()):
            raise EnvokeConfigError("field_map has to be column -> field, each field the name of one.")
        counts = Counter([*self.columns.values(), *self.static])
        twice = sorted(name for name, count in counts.items() if count > 1)
        if twice:
            names = ", ".join(map(quoted, twice))
            raise EnvokeConfigError(
                f"field_map and static_fields fill {names} more than once: keep one source for each."
            )

    def apply(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """
        Return field -> value.

        :raises EnvokeDataError: if the row lacks a column that the map names.
        """
        if not self.columns:
            return {**row, **self.static}
        try:
            fields = {target: row[column] for column, target in self.columns.items()}
        except (KeyError, IndexError):  # sqlite3.Row raises the latter
            fields = {}
        if not fields:
            there = list(row.keys())
            missing = [column for column in self.columns if column not in there]
            raise EnvokeDataError(
                f"The row has no column {', '.join(map(quoted, missing))}, which field_map names; it has "
                f"{', '.join(map(quoted, there[:_MAX_NAMED]))}. Some databases write names in upper case."
            )
        return {**fields, **self.static}


def _check_names(argument: str, value: object, meaning: str) -> None:
    """A template that renders a dict leaves its text behind: it is told apart before a row is read."""
    if not isinstance(value, Mapping):
        raise EnvokeConfigError(
            f"{argument} has to be a dict, {meaning}, not {type(value).__name__}: write the dict itself, with "
            "templates in its values, or pass an XComArg."
        )
    if not all(isinstance(name, str) for name in value):
        raise EnvokeConfigError(f"{argument} has to be a dict, {meaning}, whose names are text.")
