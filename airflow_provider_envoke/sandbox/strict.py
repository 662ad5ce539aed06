"""``--strict``: which custom fields and tags the account has. Writes of any others are refused."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_envoke.sandbox.documented import (
    READ_ONLY_FIELDS,
    TAG_FIELDS,
    TEXT_FIELDS,
    is_custom_field_name,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

#: What the file looks like.
EXAMPLE = '{"custom_fields": ["plan"], "interests": ["Newsletter"], "autoresponders": []}'

# The word for one member of each group.
_GROUPS = {"custom_fields": "custom field", "interests": "tag or subscription", "autoresponders": "autoresponder"}
_FIELDS = frozenset({*TEXT_FIELDS, *TAG_FIELDS, *READ_ONLY_FIELDS, "custom_fields"})


@dataclass(frozen=True, slots=True)
class AccountFields:
    """
    The custom fields and tags that an account has. Names are compared exactly, case included.

    :param names: ``custom_fields``, ``interests`` and ``autoresponders``, each with its names.
    """

    names: Mapping[str, frozenset[str]]

    @classmethod
    def of(cls, lists: object) -> AccountFields:
        """
        Return the fields that the lists name. A list that is missing is empty: the account has none of these.

        :param lists: such as ``{"custom_fields": ["plan"], "interests": ["Newsletter"], "autoresponders": []}``.
        :raises ValueError: if a list or a name is invalid.
        """
        if not isinstance(lists, Mapping):
            raise ValueError(f"it is not an object; it looks like {EXAMPLE}")
        for group in lists:
            if group not in _GROUPS:
                raise ValueError(f"{group!r} is not one of {', '.join(_GROUPS)}; it looks like {EXAMPLE}")
        return cls({group: frozenset(_read_names(group, lists.get(group, ()))) for group in _GROUPS})

    def find_errors(self, fields: Mapping[str, Any]) -> Iterator[str]:
        """Yield an error for each field, custom field and tag of a write that the account does not have."""
        for name in fields:
            if name not in _FIELDS:
                yield f"Unknown field '{name}'"
        for group, word in _GROUPS.items():
            written = fields.get(group)
            if isinstance(written, Mapping):
                for name in written:
                    if name not in self.names[group]:
                        yield f"Unknown {word} '{name}' in '{group}'"


def read_account_fields(content: str | bytes) -> AccountFields:
    """
    Return the fields that a JSON file names, see :meth:`AccountFields.of`.

    :raises ValueError: if the content is not JSON, or a list or a name is invalid; the text says where.
    """
    try:
        lists = json.loads(content)
    except RecursionError:
        raise ValueError("the JSON is nested too deeply") from None
    except ValueError as error:
        raise ValueError(f"not JSON ({error}); it looks like {EXAMPLE}") from None
    return AccountFields.of(lists)


def _read_names(group: str, names: object) -> Iterator[str]:
    if not isinstance(names, list | tuple | set | frozenset):
        raise ValueError(f"'{group}' is not a list of names; it looks like {EXAMPLE}")
    for position, name in enumerate(names, start=1):
        if not isinstance(name, str) or not name.strip():
            raise ValueError(f"'{group}', name {position}: not a text with a name in it")
        if group == "custom_fields" and not is_custom_field_name(name):
            raise ValueError(
                f"'{group}', name {position}: {name!r} is not made of letters, digits and underscores only"
            )
        yield name
