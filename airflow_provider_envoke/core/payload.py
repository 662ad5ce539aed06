"""A row or a template's result becomes the payload that the API takes: one place, for every operator."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, cast, get_args

from airflow_provider_envoke.core.fields import (
    CONTACT_FIELDS,
    GROUPS,
    MAX_CONTACT_ID,
    READ_ONLY_FIELDS,
    ContactField,
    Violation,
    allows_sending,
    canonical_consent,
    describe,
    describe_unknown,
)
from airflow_provider_envoke.core.masking import quoted, shown_name
from airflow_provider_envoke.core.rendered import read_json_object
from airflow_provider_envoke.core.values import as_integer, as_text
from airflow_provider_envoke.exceptions import EnvokeConfigError, EnvokeDataError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Nulls = Literal["ignore", "clear"]
OnOverlong = Literal["reject", "truncate"]

# A null or an empty text in one of these says nothing, also with nulls="clear": no address, key or consent is
# wiped by a gap.
_NEVER_CLEARED = frozenset({"id", "email", "remote_id", "consent_status", "consent_description"})
_CUSTOM_FIELD_NAME = re.compile(r"[A-Za-z0-9_]+")  # article 1697226
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+")
_TAG_VALUES = {"set": "Set", "true": "Set", "1": "Set", "unset": "Unset", "false": "Unset", "0": "Unset"}

# What the service clears a field by is not documented [assumed]: an empty text. If it were refused, the
# refusal would be reported like any other.
_CLEARED = ""


@dataclass(frozen=True, slots=True)
class PayloadRules:
    """
    How rows become payloads.

    :param nulls: ``"ignore"`` leaves a null's field out, ``"clear"`` empties the field. A null e-mail
        address, key or consent, and a null tag, is left out either way.
    :param on_overlong: ``"reject"`` refuses a value that is longer than documented, ``"truncate"`` cuts it;
        addresses, keys, language codes and consent descriptions are refused either way.
    :param extra_fields: names of fields that the documentation does not list (yet); sent as text.
    :raises EnvokeConfigError: if a rule is not one of those above.
    """

    nulls: Nulls = "ignore"
    on_overlong: OnOverlong = "reject"
    extra_fields: Collection[str] = ()

    def __post_init__(self) -> None:
        check_choice("nulls", self.nulls, get_args(Nulls))
        check_choice("on_overlong", self.on_overlong, get_args(OnOverlong))
        names: object = self.extra_fields
        if isinstance(names, str) or not isinstance(names, Collection) or not all(map(_is_name, names)):
            raise EnvokeConfigError("extra_fields has to be a list of field names (letters, digits and _).")


def _is_name(name: object) -> bool:
    return isinstance(name, str) and _CUSTOM_FIELD_NAME.fullmatch(name) is not None


def check_choice(argument: str, value: object, choices: Iterable[str]) -> None:
    """
    Check an argument that takes one of a few words.

    :raises EnvokeConfigError: if it is none of them.
    """
    if value not in tuple(choices):
        listed = " or ".join(repr(choice) for choice in choices)
        raise EnvokeConfigError(f"{argument} has to be {listed}, not {quoted(value)}.")


def build_payload(row: Mapping[str, Any], rules: PayloadRules) -> dict[str, Any]:
    """
    Convert a row's values and check them against the documented fields.

    A name may point into a group: ``custom_fields.plan``, ``interests.Newsletter``.

    :param row: field name -> value.
    :param rules: how nulls, over-long values and unknown names are treated.
    :raises EnvokeDataError: with every violation of the row at once; no value is shown.
    """
    builder = _PayloadBuilder(rules)
    for name, value in row.items():
        builder.put(name, value)
    builder.check_consent()
    if builder.violations:
        raise EnvokeDataError(describe(builder.violations), builder.violations)
    return builder.payload


class _PayloadBuilder:
    """Collects one row's ``payload`` and its ``violations``."""

    def __init__(self, rules: PayloadRules) -> None:
        self.rules = rules
        self.payload: dict[str, Any] = {}
        self.violations: list[Violation] = []

    def put(self, name: object, value: object) -> None:
        field = CONTACT_FIELDS.get(name) if isinstance(name, str) else None
        if field is None:
            self._put_unlisted(name, value)
        elif field.kind == "text":
            self._put_text(cast("str", name), value, field)
        else:
            getattr(self, f"_put_{field.kind}")(name, value, field)

    def check_consent(self) -> None:
        """A status that allows sending is refused by the service without a description (article 1697226)."""
        sending = allows_sending(self.payload.get("consent_status"))
        if sending and not str(self.payload.get("consent_description") or "").strip():
            self._refuse(
                "consent_description",
                "consent_description_missing",
                "required with a consent_status that allows sending (how, when and where consent was given)",
            )

    def _refuse(self, name: object, reason: str, message: str) -> None:
        self.violations.append(Violation(shown_name(name), reason, message))

    def _put_unlisted(self, name: object, value: object) -> None:
        group, dot, member = name.partition(".") if isinstance(name, str) else ("", "", "")
        if dot and group in GROUPS:
            self.put(group, {member: value})
        elif name in READ_ONLY_FIELDS:
            self._refuse(name, "read_only_field", describe_unknown(name))
        elif isinstance(name, str) and name in self.rules.extra_fields:
            self._put_text(name, value, ContactField("text"))
        else:
            self._refuse(name, "unknown_field", describe_unknown(name))

    def _text(self, name: str, value: object) -> str | None:
        """Return a value's text; ``None`` if it says nothing or was refused."""
        try:
            text = as_text(value)
        except ValueError as error:
            self._refuse(name, "invalid_value", str(error))
            return None
        says_nothing = text is not None and name in _NEVER_CLEARED and not text.strip()
        return None if says_nothing else text

    def _put_text(self, name: str, value: object, field: ContactField) -> None:
        before = len(self.violations)
        text = self._text(name, value)
        if text is None:
            if len(self.violations) == before and self._clears(name):
                self.payload[name] = _CLEARED
            return
        if field.max_length is not None and len(text) > field.max_length:
            text = self._shorten(name, text, field, field.max_length)
        self.payload[name] = text

    def _clears(self, name: str) -> bool:
        return self.rules.nulls == "clear" and name not in _NEVER_CLEARED

    def _shorten(self, name: str, text: str, field: ContactField, max_length: int) -> str:
        if self.rules.on_overlong == "truncate" and field.truncatable:
            return text[:max_length]
        hint = " (on_overlong='truncate' would cut it)" if field.truncatable else ""
        self._refuse(name, "overlong", f"{len(text)} characters, at most {max_length} are allowed{hint}")
        return text

    def _put_email(self, name: str, value: object, field: ContactField) -> None:
        text = self._text(name, value)
        if text is None:
            return
        address = text.strip()
        if not (address.isprintable() and _EMAIL.fullmatch(address)):
            self._refuse(name, "invalid_email", "not an e-mail address")
        else:
            self._put_text(name, address, field)

    def _put_id(self, name: str, value: object, _: ContactField) -> None:
        try:
            number = as_contact_id(value)
        except ValueError as error:
            self._refuse(name, "invalid_id", str(error))
        else:
            if number is not None:
                self.payload[name] = number

    def _put_consent(self, name: str, value: object, _: ContactField) -> None:
        text = self._text(name, value)
        if text is None:
            return
        status = canonical_consent(text)
        if status is None:
            self._refuse(name, "invalid_consent_status", "not a consent status that Envoke documents")
        else:
            self.payload[name] = status

    def _put_custom_fields(self, name: str, value: object, _: ContactField) -> None:
        for member, member_value in self._members(name, value):
            full_name = f"{name}.{member}"
            if not _is_name(member):
                self._refuse(full_name, "invalid_name", "a custom field's name has letters, digits and _ alone")
                continue
            before = len(self.violations)
            text = self._text(full_name, member_value)
            if len(self.violations) == before and (text is not None or self._clears(full_name)):
                self._put_member(name, member, _CLEARED if text is None else text)

    def _put_tags(self, name: str, value: object, _: ContactField) -> None:
        value = self._parsed(name, value)
        if isinstance(value, list | tuple | set | frozenset):
            value = dict.fromkeys(value, "Set") if all(isinstance(tag, str) for tag in value) else value
        for member, member_value in self._members(name, value):
            full_name = f"{name}.{member}"
            before = len(self.violations)
            text = self._text(full_name, member_value)
            if text is None or len(self.violations) != before:
                continue
            state = _TAG_VALUES.get(text.strip().lower())
            if not _is_tag(member):
                self._refuse(full_name, "invalid_name", "the name is empty or not valid text")
            elif state is None:
                self._refuse(full_name, "invalid_tag", "has to be Set or Unset (or true or false)")
            else:
                self._put_member(name, member, state)

    def _members(self, name: str, value: object) -> Iterable[tuple[Any, object]]:
        value = self._parsed(name, value)
        if isinstance(value, dict):
            return value.items()
        if value is not None and as_null(value):
            value = None
        if value is not None:
            self._refuse(name, "invalid_value", "has to be an object: name -> value")
        return ()

    def _parsed(self, name: str, value: object) -> object:
        """Return what a JSON column holds; ``None`` if it was refused."""
        if not isinstance(value, str):
            return value
        try:
            return read_json_object(value)
        except EnvokeDataError as error:
            self._refuse(name, "duplicate_field", str(error).rstrip("."))
            return None

    def _put_member(self, group: str, member: str, value: str) -> None:
        members = self.payload.setdefault(group, {})
        if member in members:
            self._refuse(f"{group}.{member}", "duplicate_field", "given twice")
        members[member] = value


def _is_tag(name: object) -> bool:
    try:
        return isinstance(name, str) and bool((as_text(name) or "").strip())
    except ValueError:
        return False


def as_null(value: object) -> bool:
    """Whether a value is one of the spellings of null."""
    try:
        return as_text(value) is None
    except ValueError:
        return False


def as_contact_id(value: object) -> int | None:
    """
    Return a contact's id, 1 … 4294967295 (article 1697226); ``None`` for a null.

    :raises ValueError: if it is anything else: ids go into a URL.
    """
    try:
        number = as_integer(value)
    except ValueError:
        number = 0
    if number is not None and not 1 <= number <= MAX_CONTACT_ID:
        raise ValueError(f"has to be a whole number from 1 to {MAX_CONTACT_ID}")
    return number
