"""
The columns of a warehouse: their names, rows as dicts, and which column fills which field.

Databases differ in the case of names: Snowflake and Oracle return unquoted names in upper case. So names are
matched exactly if possible, and otherwise without regard to case, unless that is ambiguous.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence, Set
from typing import TYPE_CHECKING, Any, NamedTuple

from airflow_provider_envoke.envoke.fields import CONTACT_FIELDS, GROUPS, READ_ONLY_FIELDS
from airflow_provider_envoke.envoke.messages import Violation, quoted, shown_name
from airflow_provider_envoke.exceptions import EnvokeDataError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

_TEXTS = (str, bytes, bytearray, memoryview)


def column_names(cursor: Any) -> list[str]:
    """
    Return the names of a cursor's columns, as the database spells them.

    :param cursor: a DB-API 2.0 cursor that has run a query.
    :raises EnvokeDataError: if the statement returned no columns, or two with the same name.
    """
    if not cursor.description:
        raise EnvokeDataError("The SQL statement returned no columns. It must be a query (SELECT …).")
    names = [column[0] for column in cursor.description]
    check_unique("The SQL query returns", names, "(SELECT … AS …)")
    return names


def check_unique(source: str, names: Iterable[object], how: str) -> None:
    """Raise EnvokeDataError if a name occurs twice: a row as a dict would lose one of the columns."""
    twice = sorted(shown_name(name) for name, count in Counter(names).items() if count > 1)
    if twice:
        raise EnvokeDataError(
            f"{source} more than one column named {', '.join(twice)}. Give each column its own name {how}."
        )


def row_as_dict(row: object, names: Sequence[str] | None = None) -> dict[str, Any]:
    """
    Return a row as a dict, column name -> value, whatever type the database driver gives its rows.

    :param row: a mapping, a sequence of values, a named tuple, or another row type of a driver.
    :param names: the cursor's column names; without them, the row itself must have names.
    :raises EnvokeDataError: if it is something else, or has no names; the message names its type.
    """
    if type(row) is tuple and names is not None:
        return dict(zip(names, row, strict=True))
    if isinstance(row, Mapping):
        return row if type(row) is dict else dict(row)
    if isinstance(row, Sequence) and names is not None and not isinstance(row, _TEXTS):
        return dict(zip(names, row, strict=True))
    named = _named_values(row)
    if named is not None:
        return named
    if names is not None and _has_values(row):
        return dict(zip(names, row, strict=True))  # type: ignore[call-overload]
    raise EnvokeDataError(
        f"A row is {type(row).__name__}, which has no column names. Rows must be dicts, column -> value."
    )


def _named_values(row: Any) -> dict[str, Any] | None:
    """Return the values of a row that knows its names: SQLAlchemy's, sqlite3's or a named tuple."""
    as_dict = getattr(row, "_asdict", None)  # first, because keys may be the name of a column
    if callable(as_dict):
        return dict(as_dict())
    keys = getattr(row, "keys", None)
    if callable(keys):
        return {name: row[name] for name in keys()}
    return None


def _has_values(row: object) -> bool:
    """Whether a row is a sequence that is not registered as one, such as pyodbc's."""
    is_sequence = hasattr(row, "__getitem__") and hasattr(row, "__len__")
    return is_sequence and not isinstance(row, (*_TEXTS, Set))


class Matches(NamedTuple):
    """
    Which column fills which field.

    :param columns: field -> column; nothing if a column is ambiguous.
    :param missing: names in field_map that no column has.
    :param ambiguous: what is ambiguous: the field, and the columns or names in question.
    :param unknown: the columns that are no field, or a read-only one.
    """

    columns: dict[Any, Any]
    missing: tuple[str, ...] = ()
    ambiguous: Violation | None = None
    unknown: tuple[object, ...] = ()


def match_fields(
    columns: Sequence[object], extra_fields: Collection[str], filled: Collection[str], *, leave_out: bool = False
) -> Matches:
    """
    Match columns to the contact fields of their names.

    Of ``custom_fields.NAME``, only the part before the dot is matched without regard to case. Columns that are no
    field keep their name.

    :param extra_fields: names of further fields.
    :param filled: fields that are filled otherwise: their columns are left out.
    :param leave_out: whether columns that are no field, or a read-only one, are left out too.
    """
    known = _by_lower_case((*CONTACT_FIELDS, *READ_ONLY_FIELDS, *extra_fields))
    sources: defaultdict[object, list[object]] = defaultdict(list)
    ambiguous: list[Violation] = []
    unknown: list[object] = []
    for column in columns:
        fields = _fields_of(column, known)
        if len(fields) > 1:
            ambiguous.append(_ambiguous_column(column, fields))
            continue
        is_known = _can_be_written(fields[0], known)
        if not is_known:
            unknown.append(column)
        if fields[0] not in filled and (is_known or not leave_out):
            sources[fields[0]].append(column)
    for field, found in sources.items():
        if len(found) > 1:
            message = f"the columns {_listed(found)} fill it; return one of them, or choose one with field_map"
            ambiguous.append(Violation(shown_name(field), "duplicate_field", message))
    matched = {field: found[0] for field, found in sources.items() if len(found) == 1}
    return Matches(matched, (), ambiguous[0] if ambiguous else None, tuple(unknown))


def _can_be_written(field: object, known: Mapping[str, Sequence[str]]) -> bool:
    """Whether a field is known and not read-only; a group may have any member."""
    if not isinstance(field, str) or field in READ_ONLY_FIELDS:
        return False
    group, dot, _ = field.partition(".")
    return field in known.get(field.lower(), ()) or bool(dot and group in GROUPS)


def match_map(columns: Sequence[object], field_map: Mapping[str, str]) -> Matches:
    """
    Match the names in a ``field_map``, column -> field, to columns. Other columns are left out.

    A column that has exactly the name of one entry belongs to no other entry.
    """
    exact = {name for name in columns if name in field_map}
    others = _by_lower_case(column for column in columns if isinstance(column, str) and column not in exact)
    matched: dict[str, object] = {}
    missing: list[str] = []
    ambiguous: list[Violation] = []
    owners: dict[object, str] = {}
    for name, field in field_map.items():
        found: Sequence[object] = [name] if name in exact else others.get(name.lower(), ())
        if len(found) > 1:
            ambiguous.append(_ambiguous_name(field, f"{quoted(name)} could be {_listed(found)}"))
        elif not found:
            missing.append(name)
        elif found[0] in owners:
            names = _listed([owners[found[0]], name])
            ambiguous.append(_ambiguous_name(field, f"{names} could both be {quoted(found[0])}"))
        else:
            owners[found[0]] = name
            matched[field] = found[0]
    return Matches(matched, tuple(missing), ambiguous[0] if ambiguous else None)


def match_names(columns: Sequence[object], names: Iterable[str]) -> dict[str, object]:
    """Return name -> column, for the names that a column has: exactly, or else without regard to case."""
    matched: dict[str, object] = {}
    for name in names:
        same = [column for column in columns if isinstance(column, str) and column.lower() == name.lower()]
        if same:
            matched[name] = name if name in same else same[0]
    return matched


def _by_lower_case(names: Iterable[str]) -> dict[str, list[str]]:
    found: defaultdict[str, list[str]] = defaultdict(list)
    for name in dict.fromkeys(names):
        found[name.lower()].append(name)
    return found


def _fields_of(column: object, known: Mapping[str, Sequence[str]]) -> Sequence[object]:
    """Return the fields that a column could fill, or the column's own name if it fits no field."""
    if not isinstance(column, str):
        return [column]
    found = known.get(column.lower(), ())
    if column in found:
        return [column]
    group, dot, member = column.partition(".")
    if dot and group.lower() in GROUPS:
        return [f"{group.lower()}.{member}"]
    return found or [column]


def _ambiguous_column(column: object, fields: Sequence[object]) -> Violation:
    message = f"it could fill {_listed(fields)}; name the column exactly as the field, or use field_map"
    return Violation(shown_name(column), "duplicate_field", message)


def _ambiguous_name(field: str, problem: str) -> Violation:
    message = f"in field_map, {problem}; write the name exactly as the database returns it"
    return Violation(shown_name(field), "duplicate_field", message)


def _listed(names: Iterable[object]) -> str:
    return " and ".join(map(quoted, names))
