"""Builds the payload that the API accepts from a row, and checks it against the documented fields."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, cast, get_args

from airflow_provider_envoke.envoke.consent import CONSENT_STATUSES, allows_sending, canonical_consent
from airflow_provider_envoke.envoke.fields import (
    CONTACT_FIELDS,
    GROUPS,
    READ_ONLY_FIELDS,
    ContactField,
    as_contact_id,
    describe_unknown_field,
)
from airflow_provider_envoke.envoke.interests import is_tag_name, tag_state
from airflow_provider_envoke.envoke.messages import Violation, check_choice, describe, shown_name
from airflow_provider_envoke.envoke.values import as_null, as_text, describe_json_error, read_json_object
from airflow_provider_envoke.exceptions import EnvokeConfigError, EnvokeDataError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Nulls = Literal["ignore", "clear"]
OnOverlong = Literal["reject", "truncate"]

# A null or an empty text in these fields is left out even with nulls="clear": a missing value must not erase an
# address, a key or a consent.
_NEVER_CLEARED = frozenset({"id", "email", "remote_id", "consent_status", "consent_description"})
_CUSTOM_FIELD_NAME = re.compile(r"[A-Za-z0-9_]+")  # article 1697226
# A domain has a dot, also an internationalized one, and no ASCII punctuation but hyphens and underscores.
_LABEL = r"[^@\s.!-,/:-?\[-^`{-~]+"
_EMAIL = re.compile(rf"[^@\s]+@(?:{_LABEL}\.)+{_LABEL}")

_STATUSES = ", ".join(CONSENT_STATUSES)

# An empty text clears a field [assumed]. If the service rejected it, the error would be reported.
_CLEARED = ""


@dataclass(frozen=True, slots=True)
class PayloadRules:
    """
    How payloads are built from rows.

    :param nulls: ``"ignore"`` leaves null fields out, ``"clear"`` empties them. Null email addresses, keys,
        consents and tags are always left out.
    :param on_overlong: ``"reject"`` rejects values longer than documented, ``"truncate"`` shortens them. Overlong
        addresses, keys, language codes and consent descriptions are always rejected.
    :param extra_fields: names of undocumented fields to accept; their values are sent as text.
    :raises EnvokeConfigError: if a rule is invalid.
    """

    nulls: Nulls = "ignore"
    on_overlong: OnOverlong = "reject"
    extra_fields: Collection[str] = ()

    def __post_init__(self) -> None:
        check_choice("nulls", self.nulls, get_args(Nulls))
        check_choice("on_overlong", self.on_overlong, get_args(OnOverlong))
        names: object = self.extra_fields
        if isinstance(names, str) or not isinstance(names, Collection) or not all(map(_is_name, names)):
            raise EnvokeConfigError("extra_fields must be a list of field names (letters, digits and _).")


def _is_name(name: object) -> bool:
    return isinstance(name, str) and _CUSTOM_FIELD_NAME.fullmatch(name) is not None


def describe_invalid_member(group: str, member: object) -> str:
    """Explain why a group, such as ``custom_fields``, cannot have a member of this name; ``""`` if it can."""
    if CONTACT_FIELDS[group].kind == "custom_fields":
        return "" if _is_name(member) else "custom field names may contain only letters, digits and _"
    return "" if is_tag_name(member) else "the name is empty or not valid text"


def build_payload(row: Mapping[str, Any], rules: PayloadRules) -> dict[str, Any]:
    """
    Convert the values of a row, field name -> value, and check them against the documented fields.

    A name may be a member of a group: ``custom_fields.plan``, ``interests.Newsletter``. Text loses its leading and
    trailing whitespace; text that is nothing else is empty.

    :raises EnvokeDataError: with all violations of the row; the message contains no values.
    """
    builder = _PayloadBuilder(rules)
    for name, value in row.items():
        builder.put(name, value)
    builder.check_consent()
    if builder.violations:
        raise EnvokeDataError(describe(builder.violations), tuple(builder.violations))
    return builder.payload


def spelled_key(keyfield: str, fields: Mapping[str, Any]) -> str:
    """Return the key with the space around it, if there is any: remote ids may be kept with it [assumed]."""
    value = fields.get(keyfield)
    is_padded = keyfield == "remote_id" and isinstance(value, str) and value.strip() not in ("", value)
    return str.__str__(value) if is_padded else ""


class _PayloadBuilder:
    """Builds the payload of one row. Its state: ``payload`` and ``violations``."""

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
        """Require a description with a status that allows sending, as the service does (article 1697226)."""
        sending = allows_sending(self.payload.get("consent_status"))
        if sending and not str(self.payload.get("consent_description") or "").strip():
            self._reject(
                "consent_description",
                "consent_description_missing",
                "required with a consent_status that allows sending (how, when and where consent was given)",
            )

    def _reject(self, name: object, reason: str, message: str) -> None:
        self.violations.append(Violation(shown_name(name), reason, message))

    def _put_unlisted(self, name: object, value: object) -> None:
        group, dot, member = name.partition(".") if isinstance(name, str) else ("", "", "")
        if dot and group in GROUPS:
            self.put(group, {member: value})
        elif name in READ_ONLY_FIELDS:
            self._reject(name, "read_only_field", describe_unknown_field(name))
        elif isinstance(name, str) and name in self.rules.extra_fields:
            self._put_text(name, value, ContactField("text"))
        else:
            self._reject(name, "unknown_field", describe_unknown_field(name, self.rules.extra_fields))

    def _text(self, name: str, value: object) -> str | None:
        """Return the text of a value, trimmed; ``None`` if the field is left out or was rejected."""
        try:
            text = as_text(value)
        except ValueError as error:
            self._reject(name, "invalid_value", str(error))
            return None
        if text is not None:
            text = text.strip()  # databases pad CHAR columns with spaces
        return None if text == "" and name in _NEVER_CLEARED else text

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
            return text[:max_length].rstrip()
        hint = " (on_overlong='truncate' shortens it)" if field.truncatable else ""
        form = f": {field.form}" if field.form else hint
        self._reject(name, "overlong", f"{len(text)} characters, but the maximum is {max_length}{form}")
        return text

    def _put_email(self, name: str, value: object, field: ContactField) -> None:
        address = self._text(name, value)
        if address is None:
            return
        if not (address.isprintable() and _EMAIL.fullmatch(address)):
            self._reject(name, "invalid_email", "not a valid email address")
        else:
            self._put_text(name, address, field)

    def _put_id(self, name: str, value: object, _: ContactField) -> None:
        try:
            number = as_contact_id(value.strip() if isinstance(value, str) else value)
        except ValueError as error:
            self._reject(name, "invalid_id", str(error))
        else:
            if number is not None:
                self.payload[name] = number

    def _put_consent(self, name: str, value: object, _: ContactField) -> None:
        text = self._text(name, value)
        if text is None:
            return
        status = canonical_consent(text)
        if status is None:
            self._reject(name, "invalid_consent_status", f"not a consent status of Envoke ({_STATUSES})")
        else:
            self.payload[name] = status

    def _put_custom_fields(self, name: str, value: object, _: ContactField) -> None:
        for member, member_value in self._members(name, value):
            full_name = f"{name}.{member}"
            problem = describe_invalid_member(name, member)
            if problem:
                self._reject(full_name, "invalid_name", problem)
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
            state = tag_state(text)
            problem = describe_invalid_member(name, member)
            if problem:
                self._reject(full_name, "invalid_name", problem)
            elif state is None:
                self._reject(full_name, "invalid_tag", "must be Set or Unset (or true or false)")
            else:
                self._put_member(name, member, state)

    def _members(self, name: str, value: object) -> Iterable[tuple[Any, object]]:
        value = self._parsed(name, value)
        if isinstance(value, dict):
            return value.items()
        if value is not None and as_null(value):
            value = None
        if value is not None:
            breaks = describe_json_error(value) if isinstance(value, str) else ""
            where = f"; as JSON, the text breaks at {breaks}" if breaks else ""
            self._reject(name, "invalid_value", f"must be a dict or a JSON object, name -> value{where}")
        return ()

    def _parsed(self, name: str, value: object) -> object:
        """Return the value of a JSON column; ``None`` if it was rejected."""
        if not isinstance(value, str):
            return value
        try:
            return read_json_object(value)
        except EnvokeDataError as error:
            problem = str(error).rstrip(".")
            self._reject(name, "duplicate_field", problem[0].lower() + problem[1:])
            return None

    def _put_member(self, group: str, member: str, value: str) -> None:
        members = self.payload.setdefault(group, {})
        if member in members:
            self._reject(
                f"{group}.{member}", "duplicate_field", "the row contains it more than once; keep one of them"
            )
        members[member] = value
