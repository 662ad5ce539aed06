"""A row becomes a payload, or is told everything that is wrong with it at once."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_envoke.core.fields import CONTACT_FIELDS
from airflow_provider_envoke.core.payload import PayloadRules, as_contact_id
from airflow_provider_envoke.exceptions import EnvokeConfigError, EnvokeDataError
from tests.core.building import broken, build

CLEAR = PayloadRules(nulls="clear")
TRUNCATE = PayloadRules(on_overlong="truncate")
LIMITS = {name: field.max_length for name, field in CONTACT_FIELDS.items() if field.max_length}
NEVER_CUT = {"email", "remote_id", "language", "consent_description"}
NEVER_CLEARED = {"id", "email", "remote_id", "consent_status", "consent_description"}


def test_the_documented_limits_are_those_of_article_1697226() -> None:
    assert LIMITS == {
        "email": 60, "remote_id": 60, "first_name": 20, "last_name": 20, "title": 50, "company": 50, "phone": 25,
        "address_1": 100, "address_2": 100, "city": 20, "province": 50, "country": 50, "postal_code": 15,
        "website": 255, "language": 2, "consent_description": 65_535,
    }  # fmt: skip


def test_a_row_becomes_a_payload() -> None:
    row = {
        "id": np.int64(7),
        "email": " Jon@Doe.com ",
        "phone": 5141234567.0,
        "postal_code": "007",
        "feedback": "x" * 10_000,
        "custom_fields.price": Decimal("1.50"),
        "interests.News": True,
        "city": None,
    }

    assert build(row) == {
        "id": 7,
        "email": "Jon@Doe.com",
        "phone": "5141234567",
        "postal_code": "007",
        "feedback": "x" * 10_000,
        "custom_fields": {"price": "1.50"},
        "interests": {"News": "Set"},
    }


def test_all_violations_of_a_row_are_told_at_once() -> None:
    row = {
        "firstname": "marker",
        "external_id": "marker",
        "city": "marker" * 9,
        "email": "marker",
        "id": -1,
        "phone": b"marker",
        "consent_status": "marker",
        "custom_fields": {"a b": "marker"},
        "interests": {"News": "marker"},
    }

    assert broken(row) == [
        ("firstname", "unknown_field"),
        ("external_id", "read_only_field"),
        ("city", "overlong"),
        ("email", "invalid_email"),
        ("id", "invalid_id"),
        ("phone", "invalid_value"),
        ("consent_status", "invalid_consent_status"),
        ("custom_fields.a b", "invalid_name"),
        ("interests.News", "invalid_tag"),
    ]


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        pytest.param("", "''", id="empty"),
        pytest.param("First_Name", "First_Name", id="case"),
        pytest.param("a\r\nERROR", r"'a\r\nERROR'", id="line break"),
        pytest.param("\u202eeman", r"'\u202eeman'", id="RTL override"),
        pytest.param("prénom", r"'pr\xe9nom'", id="non-ASCII"),
        pytest.param(None, "None", id="None"),
        pytest.param(7, "7", id="number"),
        pytest.param(("a", "b"), "('a', 'b')", id="tuple"),
        pytest.param("x" * 500, "x" * 80, id="long"),
        pytest.param("feedback.x", "feedback.x", id="a member of what is no group"),
        pytest.param("__class__", "__class__", id="dunder"),
    ],
)
def test_an_unknown_or_hostile_name_is_refused_and_shown_safely(name: object, shown: str) -> None:
    assert broken({name: "marker"}) == [(shown, "unknown_field")]


@pytest.mark.parametrize("name", ["external_id", "date_created"])
def test_a_read_only_field_is_refused_also_as_an_extra_field(name: str) -> None:
    assert broken({name: "x"}, PayloadRules(extra_fields=[name])) == [(name, "read_only_field")]


def test_an_extra_field_is_sent_as_text() -> None:
    rules = PayloadRules(extra_fields=("mobile", "fax"), nulls="clear")

    assert build({"mobile": 5.0, "fax": None}, rules) == {"mobile": "5", "fax": ""}


@pytest.mark.parametrize("name", sorted(LIMITS))
def test_a_value_may_be_as_long_as_documented_and_no_longer(name: str) -> None:
    ending = "@b.c" if name == "email" else ""
    longest = "x" * (LIMITS[name] - len(ending)) + ending

    assert build({name: longest})[name] == longest
    assert broken({name: "x" + longest}) == [(name, "overlong")]


@pytest.mark.parametrize("name", sorted(LIMITS))
def test_truncate_cuts_what_may_be_cut_and_refuses_the_rest(name: str) -> None:
    longest = "é" * (LIMITS[name] - 4) + "@b.c" if name == "email" else "é" * LIMITS[name]

    if name in NEVER_CUT:
        assert broken({name: "x" + longest}, TRUNCATE) == [(name, "overlong")]
    else:
        assert build({name: longest + "x"}, TRUNCATE) == {name: longest}


@pytest.mark.parametrize("null", [None, float("nan"), np.datetime64("NaT")], ids=str)
@pytest.mark.parametrize("name", sorted(CONTACT_FIELDS))
def test_a_null_is_left_out_or_clears_but_never_wipes_a_key_an_address_or_a_consent(
    name: str, null: object
) -> None:
    cleared = {} if name in NEVER_CLEARED or CONTACT_FIELDS[name].kind in ("custom_fields", "tags") else {name: ""}

    assert build({name: null}) == {}
    assert build({name: null}, CLEAR) == cleared


def test_a_null_member_clears_a_custom_field_and_leaves_a_tag_alone() -> None:
    row = {
        "custom_fields": {"plan": None},
        "custom_fields.tier": None,
        "interests": {"A": None},
        "interests.B": None,
    }

    assert build(row) == {}
    assert build(row, CLEAR) == {"custom_fields": {"plan": "", "tier": ""}}


@pytest.mark.parametrize(
    ("row", "refused"),
    [
        pytest.param({"consent_status": "Express"}, True, id="no description"),
        pytest.param({"consent_status": "implied: no expiry", "consent_description": None}, True, id="null"),
        pytest.param({"consent_status": "Implied - Inquiry", "consent_description": " \n"}, True, id="blank"),
        pytest.param(
            {"consent_description": "form", "consent_status": "EXPRESS"}, False, id="given, in any order"
        ),
        pytest.param({"consent_status": "Revoked"}, False, id="revoked needs none"),
        pytest.param({"consent_status": "not provided"}, False, id="not provided needs none"),
        pytest.param({"consent_description": "form"}, False, id="a description alone"),
    ],
)
def test_a_status_that_allows_sending_needs_its_description(row: dict[str, Any], refused: bool) -> None:
    if refused:
        assert broken(row) == [("consent_description", "consent_description_missing")]
        assert broken(row, CLEAR) == [("consent_description", "consent_description_missing")]
    else:
        assert set(build(row)) == set(row)


@pytest.mark.parametrize(
    ("spelling", "status"),
    [
        ("not provided", "Not Provided"),
        ("Implied: No Expiry", "Implied - No Expiry"),
        ("  ENVOKE spam  REPORTED ", "Envoke Spam Reported"),
        ("implied-transaction", "Implied - Transaction"),
    ],
)
def test_consent_is_sent_in_its_documented_spelling(spelling: str, status: str) -> None:
    row = {"consent_status": spelling, "consent_description": "form"}

    assert build(row)["consent_status"] == status


@pytest.mark.parametrize("email", ["a@b", "Jon+tag@doe.com", "o'brien@doe.ie", "zoë@exämple.com", "\u00a0a@b.c\n"])
def test_an_address_is_taken_without_surrounding_space(email: str) -> None:
    assert build({"email": email}) == {"email": email.strip()}


@pytest.mark.parametrize(
    "email",
    ["a", "@", "a@", "@b", "a@b@c", "a b@c.d", "a@b c", "a\n@b.c", "a\u200f@b.c", "\u200ba@b.c",
     "a@b.c\u202e", "a\0@b.c", "a@b\ud800", 7, True, b"a@b.c", ["a@b.c"]],
    ids=ascii,
)  # fmt: skip
def test_what_is_no_address_is_refused(email: object) -> None:
    ((name, reason),) = broken({"email": email})

    assert name == "email"
    assert reason in ("invalid_email", "invalid_value")


@pytest.mark.parametrize("empty", ["", " ", None])
@pytest.mark.parametrize("name", ["email", "remote_id", "consent_status", "consent_description"])
def test_no_gap_wipes_an_address_a_key_or_a_consent(name: str, empty: str | None) -> None:
    assert build({name: empty, "city": "Laval"}, PayloadRules(nulls="clear")) == {"city": "Laval"}


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (1, 1),
        (4_294_967_295, 4_294_967_295),
        ("7", 7),
        (7.0, 7),
        (Decimal("7.0"), 7),
        (np.uint32(7), 7),
        (None, None),
    ],
    ids=str,
)
def test_a_contact_id_is_read(value: object, number: int | None) -> None:
    assert as_contact_id(value) == number


@pytest.mark.parametrize("value", [0, -1, 4_294_967_296, 1.5, True, "", "1?x", "../1", b"1", [1]], ids=ascii)
def test_what_is_no_contact_id_is_refused(value: object) -> None:
    assert broken({"id": value}) == [("id", "invalid_id")]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        pytest.param({"nulls": "wipe"}, "nulls has to be 'ignore' or 'clear', not 'wipe'", id="nulls"),
        pytest.param({"on_overlong": None}, "on_overlong has to be 'reject' or 'truncate'", id="on_overlong"),
        pytest.param({"extra_fields": "mobile"}, "extra_fields has to be a list", id="a text"),
        pytest.param({"extra_fields": ["a b"]}, "extra_fields has to be a list", id="a space"),
        pytest.param({"extra_fields": ["a]["]}, "extra_fields has to be a list", id="hostile"),
    ],
)
def test_a_wrong_rule_is_named(arguments: dict[str, Any], words: str) -> None:
    with pytest.raises(EnvokeConfigError, match=words.replace("(", r"\(")):
        PayloadRules(**arguments)


MARKED = st.one_of(
    st.text().map(lambda text: f"{text}marker{text}"),
    st.binary().map(lambda value: b"marker" + value),
    st.integers(min_value=10**9).map(lambda number: [f"marker{number}"]),
    st.text().map(lambda text: {"a": f"marker{text}", "b": ["marker"], "c": text + "marker\0"}),
    st.text().map(lambda text: f'{{"a": "marker", "a": {text}}}'),
    st.floats().map(lambda number: complex(number, 1)),
)
NAMES = st.sampled_from([*CONTACT_FIELDS, "external_id", "zzz", "custom_fields.plan", "interests.News"]) | st.text(
    max_size=5
)


@given(st.dictionaries(NAMES, MARKED, max_size=6), st.sampled_from([PayloadRules(), CLEAR, TRUNCATE]))
def test_messages_never_hold_values(row: dict[str, Any], rules: PayloadRules) -> None:
    try:
        payload = build(row, rules)
    except EnvokeDataError as error:
        told = f"{error} {error.violations} {error.__cause__}"
        assert "marker" not in told
    else:
        assert set(payload) <= set(CONTACT_FIELDS)
