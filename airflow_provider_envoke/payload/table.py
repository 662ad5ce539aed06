"""What is wrong with the columns of a table, found once before its first row is sent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from airflow_provider_envoke.envoke.fields import GROUPS, READ_ONLY_FIELDS, describe_unknown_field, nearest_name
from airflow_provider_envoke.envoke.messages import Violation, describe, joined, shown_name
from airflow_provider_envoke.payload.build import describe_invalid_member
from airflow_provider_envoke.payload.columns import match_names

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from airflow_provider_envoke.payload.columns import Matches
    from airflow_provider_envoke.payload.mapping import FieldMap

_UNKNOWN = {"unknown_field", "read_only_field"}


class Lacking(NamedTuple):
    """
    A column that the rows must have.

    :param name: the column.
    :param argument: the argument that asks for it.
    :param role: what it is for.
    """

    name: str
    argument: str
    role: str


@dataclass(frozen=True, slots=True)
class ColumnProblems:
    """
    What is wrong with the columns of a row.

    :param columns: all of its columns.
    :param unfit: the columns that cannot be sent, and what is ambiguous.
    :param ignored: the columns that are left out because of ``unknown_columns="ignore"``.
    :param lacking: the columns that are not there.
    """

    columns: tuple[object, ...]
    unfit: tuple[Violation, ...] = ()
    ignored: tuple[str, ...] = ()
    lacking: tuple[Lacking, ...] = ()


def find_problems(
    columns: Iterable[object], fields: FieldMap, keyfield: str, extra_fields: Collection[str] = ()
) -> ColumnProblems:
    """
    Judge the columns of a row.

    :param keyfield: the field that finds the contact; a column, ``field_map`` or ``static_fields`` must fill it.
    :param extra_fields: names of undocumented fields, which columns may also fill.
    """
    columns = tuple(columns)
    matches = fields.match(columns, extra_fields)
    is_ignoring = fields.unknown_columns == "ignore"
    unfit = [] if matches.ambiguous is None else [matches.ambiguous]
    unfit += [] if is_ignoring else _unknown(matches, extra_fields)
    unfit += _invalid_members(matches)
    return ColumnProblems(
        columns,
        tuple(unfit),
        tuple(map(shown_name, matches.unknown)) if is_ignoring else (),
        tuple(_lacking(columns, fields, keyfield, matches)),
    )


def find_lacking(
    columns: Sequence[object], fields: FieldMap, keyfield: str, extra_fields: Collection[str] = ()
) -> set[tuple[str, str]]:
    """Return the argument and the name of each column that is not there; see :func:`find_problems`."""
    lacking = _lacking(columns, fields, keyfield, fields.match(columns, extra_fields))
    return {(each.argument, each.name) for each in lacking}


def describe_problems(problems: ColumnProblems, *, of_all_rows: bool = True) -> str:
    """
    Describe what is wrong with the columns and what to do, without any value.

    :param of_all_rows: whether no row has the columns that are lacking; otherwise only the first row is known.
    """
    sentences, remedies = [], []
    if problems.unfit:
        sentences.append(describe(problems.unfit, "column"))
    reasons = {each.reason for each in problems.unfit}
    if reasons & _UNKNOWN:
        remedies.append(
            "Rename columns in the query (SELECT … AS …), map them with field_map, keep them for people with "
            "reference, or leave out all unknown ones with unknown_columns='ignore'."
        )
    elif "invalid_name" in reasons:
        remedies.append("Rename columns in the query (SELECT … AS …), or map them with field_map.")
    if problems.lacking:
        who = "The rows have" if of_all_rows else "The first row has"
        listed = [f"no column {shown_name(each.name)}, {each.role}" for each in problems.lacking]
        sentences.append(f"{who} {joined(listed, '; ')}.")
        *most, last = dict.fromkeys(["the query", *(each.argument for each in problems.lacking)])
        remedies.append(f"Correct {', '.join(most)} or {last}.")
    names = joined([shown_name(name) for name in problems.columns], ", ")
    sentences.append(f"The columns are {names}." if names else "The row has no columns.")
    return " ".join(["The columns of the rows do not fit.", *sentences, *remedies])


def _unknown(matches: Matches, extra_fields: Collection[str]) -> Iterator[Violation]:
    for column in matches.unknown:
        name = column.lower() if isinstance(column, str) and column.lower() in READ_ONLY_FIELDS else column
        reason = "read_only_field" if name in READ_ONLY_FIELDS else "unknown_field"
        yield Violation(shown_name(column), reason, describe_unknown_field(name, extra_fields))


def _invalid_members(matches: Matches) -> Iterator[Violation]:
    for field, column in matches.columns.items():
        group, dot, member = field.partition(".") if isinstance(field, str) else ("", "", "")
        problem = describe_invalid_member(group, member) if dot and group in GROUPS else ""
        if problem:
            yield Violation(shown_name(column), "invalid_name", problem)


def _lacking(columns: Sequence[object], fields: FieldMap, keyfield: str, matches: Matches) -> Iterator[Lacking]:
    if not fields.columns and keyfield not in fields.static:
        yield from _lacking_key(columns, fields, keyfield)
    for name in matches.missing:
        field = fields.columns[name]
        role = f"which field_map maps to {shown_name(field)}{', the key' if field == keyfield else ''}"
        yield Lacking(name, "field_map", role + _similar(name, columns))
    for name in fields.reference:
        if not match_names(columns, [name]):
            yield Lacking(name, "reference", "which reference names" + _similar(name, columns))


def _lacking_key(columns: Sequence[object], fields: FieldMap, keyfield: str) -> Iterator[Lacking]:
    references = set(match_names(columns, fields.reference).values())
    if match_names([name for name in columns if name not in references], [keyfield]):
        return
    if match_names(columns, [keyfield]):
        role = "the key, that is sent: reference names it (take it out of reference, or map it with field_map)"
        yield Lacking(keyfield, "reference", role)
    else:
        yield Lacking(keyfield, "keyfield", f"the key{_similar(keyfield, columns)}")


def _similar(name: str, columns: Sequence[object]) -> str:
    nearest = nearest_name(name, [column for column in columns if isinstance(column, str)])
    return f" (is it {shown_name(nearest)}?)" if nearest else ""
