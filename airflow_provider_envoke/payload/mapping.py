"""Maps the columns of a row to contact fields."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_envoke.envoke.messages import quoted
from airflow_provider_envoke.exceptions import EnvokeConfigError, EnvokeDataError

_MAX_LISTED = 50


@dataclass(frozen=True, slots=True)
class FieldMap:
    """
    Map columns to fields, before :func:`airflow_provider_envoke.payload.build.build_payload`.

    :param columns: column -> field, such as ``custom_fields.plan`` or ``interests.Newsletter``. Other columns are
        left out. Empty: every column is written to the field of the same name.
    :param static: field -> value, the same for every row; a row cannot override it.
    :raises EnvokeConfigError: if an argument is not a dict of names, or if two sources fill the same field.
    """

    columns: Mapping[str, str] = field(default_factory=dict)
    static: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _check_names("field_map", self.columns, "column -> field")
        _check_names("static_fields", self.static, "field -> value")
        if not all(isinstance(target, str) for target in self.columns.values()):
            raise EnvokeConfigError("field_map must be a dict, column -> field, and each field must be a name.")
        counts = Counter([*self.columns.values(), *self.static])
        repeated = sorted(name for name, count in counts.items() if count > 1)
        if repeated:
            names = ", ".join(map(quoted, repeated))
            raise EnvokeConfigError(
                f"field_map and static_fields fill {names} more than once. Keep one source for each field."
            )

    def apply(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """
        Return the row as field -> value.

        :raises EnvokeDataError: if the row does not have a mapped column.
        """
        if not self.columns:
            return {**row, **self.static}
        try:
            fields = {target: row[column] for column, target in self.columns.items()}
        except (KeyError, IndexError):  # sqlite3.Row raises IndexError
            fields = {}
        if not fields:
            present = list(row.keys())
            missing = [column for column in self.columns if column not in present]
            raise EnvokeDataError(
                f"The row lacks columns that field_map uses: {', '.join(map(quoted, missing))}. Its columns are "
                f"{', '.join(map(quoted, present[:_MAX_LISTED]))}. Correct field_map or the query; some databases "
                "return names in upper case."
            )
        return {**fields, **self.static}


def _check_names(argument: str, value: object, meaning: str) -> None:
    """Check before the first row is read: a template that renders a dict leaves its text."""
    if not isinstance(value, Mapping):
        raise EnvokeConfigError(
            f"{argument} must be a dict, {meaning}, not {type(value).__name__}. Write the dict itself, with "
            "templates in its values, or pass an XComArg."
        )
    if not all(isinstance(name, str) for name in value):
        raise EnvokeConfigError(f"{argument} must be a dict, {meaning}, and its names must be text.")
