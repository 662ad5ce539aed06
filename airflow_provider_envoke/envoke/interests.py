"""
Tags and subscriptions, the members of ``interests`` and ``autoresponders`` (support article 1697226).

They are written as an object, name to ``"Set"`` or ``"Unset"``, and read as a list of names.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Literal

from airflow_provider_envoke.envoke.values import as_text

if TYPE_CHECKING:
    from collections.abc import Mapping

TagState = Literal["Set", "Unset"]

_TAG_STATES: dict[str, TagState] = {
    "set": "Set",
    "true": "Set",
    "1": "Set",
    "unset": "Unset",
    "false": "Unset",
    "0": "Unset",
}


def tag_state(text: str) -> TagState | None:
    """Return the state that a text stands for, such as ``"set"``, ``"true"`` or ``"0"``; ``None`` if unknown."""
    return _TAG_STATES.get(text.strip().lower())


def is_tag_name(name: object) -> bool:
    """Whether a name can be the name of a tag: non-empty, valid text."""
    try:
        return isinstance(name, str) and bool((as_text(name) or "").strip())
    except ValueError:
        return False


def tag_names(value: object) -> set[str]:
    """Return the names of tags as read: a list, or an object as PHP prints a list with gaps."""
    listed = value.values() if isinstance(value, dict) else value
    return {str(name) for name in listed} if isinstance(listed, Iterable) else set()


def differing_tags(desired: Mapping[str, str], current: object) -> dict[str, str]:
    """
    Return the tags of a row that must be sent.

    Whether the service ignores the case of a name is not documented, so a tag counts as set only if the name is
    equal, and as unset only if no name is equal in any case.
    """
    names = tag_names(current)
    lower_names = {name.lower() for name in names}
    return {
        name: state
        for name, state in desired.items()
        if (name not in names if state == "Set" else name.lower() in lower_names)
    }
