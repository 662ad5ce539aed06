"""Maps the columns of a row to contact fields."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, get_args

from airflow_provider_envoke.envoke.messages import check_choice, describe, quoted
from airflow_provider_envoke.envoke.values import as_text
from airflow_provider_envoke.exceptions import EnvokeConfigError, EnvokeDataError
from airflow_provider_envoke.payload.columns import Matches, match_fields, match_map, match_names, row_as_dict

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

UnknownColumns = Literal["error", "ignore"]

_MAX_LISTED = 50
_MAX_REMEMBERED = 64
_MAX_REFERENCE_CHARS = 200

_SAME_NAMES: Mapping[str, str] = {}  # stands for: every column fills the field of its name


@dataclass(frozen=True, slots=True)
class FieldMap:
    """
    Map columns to fields, before :func:`airflow_provider_envoke.payload.build.build_payload`.

    Names are matched exactly if possible, and otherwise without regard to case.

    Its state: the matches for the columns of earlier rows, because a table's rows all have the same columns.

    :param columns: column -> field, such as ``custom_fields.plan`` or ``interests.Newsletter``. Other columns are
        left out. Empty: every column is written to the field of the same name.
    :param static: field -> value, the same for every row; a row cannot override it.
    :param reference: the columns that identify a row for people, such as the table's primary key. They are not
        sent, unless ``columns`` maps them too.
    :param unknown_columns: without ``columns``: ``"error"`` refuses columns that are no field or a read-only one,
        ``"ignore"`` leaves them out.
    :raises EnvokeConfigError: if an argument is not a dict of names, or if two sources fill the same field.
    """

    columns: Mapping[str, str] = field(default_factory=dict)
    static: Mapping[str, Any] = field(default_factory=dict)
    reference: Sequence[str] = ()
    unknown_columns: UnknownColumns = "error"
    _remembered: dict[Any, Mapping[str, str]] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        _check_names("field_map", self.columns, "column -> field")
        _check_names("static_fields", self.static, "field -> value")
        check_choice("unknown_columns", self.unknown_columns, get_args(UnknownColumns))
        if not (isinstance(self.reference, list | tuple) and all(map(_is_name, self.reference))):
            raise EnvokeConfigError("reference must be the name of a column, or a list of names.")
        if not all(isinstance(target, str) for target in self.columns.values()):
            raise EnvokeConfigError("field_map must be a dict, column -> field, and each field must be a name.")
        counts = Counter([*self.columns.values(), *self.static])
        repeated = sorted(name for name, count in counts.items() if count > 1)
        if repeated:
            names = ", ".join(map(quoted, repeated))
            raise EnvokeConfigError(
                f"field_map and static_fields fill {names} more than once. Keep one source for each field."
            )

    def apply(self, row: Mapping[str, Any], extra_fields: Collection[str] = ()) -> dict[str, Any]:
        """
        Return the row as field -> value.

        :param extra_fields: names of undocumented fields, which columns may also match.
        :raises EnvokeDataError: if the row lacks a mapped column, or two of its columns fill the same field.
        """
        if type(row) is not dict:
            row = row_as_dict(row)
        key = (tuple(row), tuple(extra_fields))
        sources = self._remembered.get(key)
        if sources is None:
            sources = self._sources(*key)
        if sources is _SAME_NAMES:
            return {**row, **self.static}
        fields = {target: row[column] for target, column in sources.items()}
        fields.update(self.static)
        return fields

    def reference_of(self, row: Mapping[str, Any]) -> dict[str, str]:
        """Return column -> value of the columns that identify the row, as text; a row may lack them."""
        if not self.reference:
            return {}
        key = (tuple(row.keys()),)
        columns = self._remembered.get(key)
        if columns is None:
            columns = self._remember(key, match_names(*key, self.reference))
        return {name: _reference_text(row[column]) for name, column in columns.items()}

    def match(self, columns: Sequence[object], extra_fields: Collection[str] = ()) -> Matches:
        """Say which column fills which field, and what is wrong with the columns."""
        if self.columns:
            return match_map(columns, self.columns)
        references = set(match_names(columns, self.reference).values())
        others = [name for name in columns if name not in references]
        return match_fields(others, extra_fields, self.static, leave_out=self.unknown_columns == "ignore")

    def _sources(self, columns: tuple[str, ...], extra_fields: tuple[str, ...]) -> Mapping[str, str]:
        """Return field -> column for rows with these columns, and remember it."""
        matches = self.match(columns, extra_fields)
        if matches.ambiguous is not None:
            raise EnvokeDataError(describe([matches.ambiguous]), (matches.ambiguous,))
        if matches.missing:
            raise EnvokeDataError(_describe_missing(matches.missing, columns))
        same = all(target == column for target, column in matches.columns.items())
        sources = _SAME_NAMES if same and len(matches.columns) == len(columns) else matches.columns
        return self._remember((columns, extra_fields), sources)

    def _remember(self, key: Any, sources: Mapping[str, Any]) -> Mapping[str, Any]:
        if len(self._remembered) >= _MAX_REMEMBERED:  # rows from a script may all have different columns
            self._remembered.clear()
        self._remembered[key] = sources
        return sources


def _describe_missing(missing: Iterable[str], present: Sequence[str]) -> str:
    return (
        f"The row lacks columns that field_map uses: {', '.join(map(quoted, missing))}. Its columns are "
        f"{', '.join(map(quoted, present[:_MAX_LISTED]))}. Correct field_map or the query."
    )


def _reference_text(value: object) -> str:
    try:
        return (as_text(value) or "").strip()[:_MAX_REFERENCE_CHARS]
    except ValueError:  # a value of a type that has no text
        return ""


def _is_name(name: object) -> bool:
    return isinstance(name, str) and bool(name.strip())


def _check_names(argument: str, value: object, meaning: str) -> None:
    """Check before the first row is read: a template that renders a dict leaves its text."""
    if not isinstance(value, Mapping):
        raise EnvokeConfigError(
            f"{argument} must be a dict, {meaning}, not {type(value).__name__}. Write the dict itself, with "
            "templates in its values, or pass an XComArg."
        )
    if not all(isinstance(name, str) for name in value):
        raise EnvokeConfigError(f"{argument} must be a dict, {meaning}, and its names must be text.")
