"""What has changed in the account since the sandbox started or was last reset."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_envoke.sandbox.documented import TAG_FIELDS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

CREATED, UPDATED, DELETED, UNCHANGED = "created", "updated", "deleted", ""


@dataclass(frozen=True, slots=True)
class FieldChange:
    """
    One field's values at the start and now.

    :param field: such as ``city``, ``custom_fields.plan`` or ``interests.Newsletter``.
    :param old: the value at the start; ``None`` if there was none.
    """

    field: str
    old: Any
    new: Any


@dataclass(frozen=True, slots=True)
class ContactChange:
    """
    A contact, and what happened to it.

    :param contact: the contact as it is now, or as it was at the start if it has been deleted.
    :param kind: ``created``, ``updated``, ``deleted``, or ``""`` if the contact is as it was at the start.
    :param time: Unix time of the last change, in seconds; ``None`` if there was none.
    :param original: the contact at the start; ``None`` if it is new or has never been changed.
    """

    contact: dict[str, Any]
    kind: str = UNCHANGED
    time: float | None = None
    original: dict[str, Any] | None = None

    def fields(self) -> list[FieldChange]:
        """Return the fields that differ from the start; none for a contact that was created or deleted."""
        updated = self.kind == UPDATED and self.original is not None
        return list(_find_field_changes(self.original, self.contact)) if updated and self.original else []


class Changes:
    """
    Remembers each contact as it was before its first change.

    Its state: when it began to watch, and for each contact that was changed since, in the order of their last
    changes, the time of that and the contact as it was before (``None`` for a new one).

    :param clock: returns the Unix time, in seconds.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self.clear()

    def clear(self) -> None:
        """Forget all changes: from now on the contacts are compared with what they are now."""
        self.since = self._clock()
        self._changed: dict[int, tuple[float, dict[str, Any] | None]] = {}

    def record(self, number: int, before: dict[str, Any] | None) -> None:
        """
        Remember that the contact with this id has just been changed.

        :param before: a copy of the contact before the change; ``None`` if it is new. It may share its values with
            the contact, because a write replaces values and never changes them in place.
        """
        first = self._changed.pop(number, None)
        self._changed[number] = (self._clock(), before if first is None else first[1])

    def find(self, contacts: Mapping[int, dict[str, Any]]) -> Iterator[ContactChange]:
        """
        Yield the contacts that were changed, the last change first.

        Contacts that came to be as they were at the start are among them, those created and deleted again are not.
        """
        for number, (when, original) in reversed(self._changed.items()):
            contact = contacts.get(number)
            if contact is None and original is not None:
                yield ContactChange(original, DELETED, when, original)
            elif contact is not None:
                yield ContactChange(contact, _kind(original, contact), when, original)


def _kind(original: dict[str, Any] | None, contact: dict[str, Any]) -> str:
    if original is None:
        return CREATED
    is_same = original == contact or next(_find_field_changes(original, contact), None) is None
    return UNCHANGED if is_same else UPDATED


def _find_field_changes(original: dict[str, Any], contact: dict[str, Any]) -> Iterator[FieldChange]:
    for name in dict.fromkeys((*original, *contact)):
        old, new = original.get(name), contact.get(name)
        if old == new:
            continue
        if name in TAG_FIELDS or name == "custom_fields":
            before, after = _members(old), _members(new)
            for member in dict.fromkeys((*before, *after)):
                if before.get(member) != after.get(member):
                    yield FieldChange(f"{name}.{member}", before.get(member), after.get(member))
        else:
            yield FieldChange(name, old, new)


def _members(group: Any) -> dict[str, Any]:
    """Return custom fields with their values, or the tags that are set."""
    return group if isinstance(group, dict) else dict.fromkeys(group or (), "Set")
