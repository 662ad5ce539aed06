"""Which column goes into which field."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airflow_provider_envoke.core.masking import quoted
from airflow_provider_envoke.exceptions import EnvokeConfigError, EnvokeDataError

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class FieldMap:
    """
    Turn a row's columns into fields, before :func:`airflow_provider_envoke.core.payload.build_payload`.

    :param columns: column -> field; a field may point into a group (``custom_fields.plan``,
        ``interests.Newsletter``). Columns that it does not name are left out. Empty: every column goes into the
        field of the same name.
    :param static: field -> value, the same for every row; a row cannot override it.
    :raises EnvokeConfigError: if two columns, or a column and a static value, go into one field.
    """

    columns: Mapping[str, str] = field(default_factory=dict)
    static: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        counts = Counter([*self.columns.values(), *self.static])
        twice = sorted(name for name, count in counts.items() if count > 1)
        if twice:
            raise EnvokeConfigError(
                f"field_map and static_fields fill {', '.join(twice)} more than once: keep one source for each."
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
        except KeyError:
            fields = {}
        if not fields:
            missing = [column for column in self.columns if column not in row]
            raise EnvokeDataError(
                f"The row has no column {', '.join(map(quoted, missing))}, which field_map names; it has "
                f"{', '.join(map(quoted, row))}. Some databases write names in upper case."
            )
        return {**fields, **self.static}
