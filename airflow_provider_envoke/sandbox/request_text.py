"""What a request says, for people: how many contacts it asks for, and its body with readable accents."""

from __future__ import annotations

import re
from dataclasses import dataclass

# The recorded query is decoded, so it cannot be split exactly if a value contains "&". It is only shown.
_PARAMETER = re.compile(r"&(?=[\w$]+(?:\[[^\]&]*\])*=)")
_ANY_OF = re.compile(r"filter\[([^\]]+)\]\[\$in\]\[\d*\]")
_NOUNS = {"email": ("address", "addresses"), "remote_id": ("remote id", "remote ids"), "id": ("id", "ids")}

_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|.)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class AskedFor:
    """
    The contacts that a read asks for by a list of keys.

    :param text: such as ``99 addresses asked``; empty if the read does not list keys.
    :param values: the keys.
    :param rest: the other parameters.
    """

    text: str
    values: list[str]
    rest: str


def read_query(query: str) -> AskedFor:
    """Return what a query asks for."""
    fields: dict[str, list[str]] = {}
    others = []
    for parameter in _PARAMETER.split(query):
        name, _, value = parameter.partition("=")
        found = _ANY_OF.fullmatch(name)
        if found:
            fields.setdefault(found[1], []).append(value)
        else:
            others.append(parameter)
    counts = [f"{len(values):,} {_noun(field, len(values))}" for field, values in fields.items()]
    values = [value for each in fields.values() for value in each]
    return AskedFor(f"{', '.join(counts)} asked" if counts else "", values, "&".join(others))


def decode_escapes(body: str) -> str:
    r"""Return a JSON text with readable letters instead of ``\u00e8``; everything else is kept, valid or not."""
    if "\\u" not in body:
        return body
    decoded = _ESCAPE.sub(_decode, body)
    # Two escapes can be the halves of one character, such as an emoji.
    return decoded.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _decode(found: re.Match[str]) -> str:
    code = int(found[1] or "0", 16)
    return chr(code) if code >= 0xA0 else found[0]


def _noun(field: str, count: int) -> str:
    singular, plural = _NOUNS.get(field, (f"value of {field}", f"values of {field}"))
    return singular if count == 1 else plural
