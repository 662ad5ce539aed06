"""Payloads from rows, with all violations of a row at once."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_envoke.envoke.fields import CONTACT_FIELDS, GROUPS
from airflow_provider_envoke.exceptions import EnvokeConfigError, EnvokeDataError
from airflow_provider_envoke.payload.build import PayloadRules
from tests.support.payloads import build, violations_of

CLEAR = PayloadRules(nulls="clear")
TRUNCATE = PayloadRules(on_overlong="truncate")
LIMITS = {name: field.max_length for name, field in CONTACT_FIELDS.items() if field.max_length}
NEVER_CUT = {"email", "remote_id", "language", "consent_description"}
NEVER_CLEARED = {"id", "email", "remote_id", "consent_status", "consent_description"}


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


def test_all_violations_of_a_row_are_found_at_once() -> None:
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

    assert violations_of(row) == [
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


NAMES_AND_SHOWN = {
    "": "''", "First_Name": "First_Name", "a\r\nERROR": r"'a\r\nERROR'", "\u202eeman": r"'\u202eeman'",
    "prénom": r"'pr\xe9nom'", None: "None", 7: "7", ("a", "b"): "('a', 'b')", "x" * 500: "x" * 80,
    "feedback.x": "feedback.x", "__class__": "__class__",
}  # fmt: skip


@pytest.mark.parametrize(("name", "shown"), NAMES_AND_SHOWN.items(), ids=ascii)
def test_an_unknown_or_hostile_name_is_rejected_and_shown_safely(name: object, shown: str) -> None:
    assert violations_of({name: "marker"}) == [(shown, "unknown_field")]


@pytest.mark.parametrize("name", ["external_id", "date_created"])
def test_a_read_only_field_is_rejected_also_as_an_extra_field(name: str) -> None:
    assert violations_of({name: "x"}, PayloadRules(extra_fields=[name])) == [(name, "read_only_field")]


def test_an_extra_field_is_sent_as_text() -> None:
    rules = PayloadRules(extra_fields=("mobile", "fax"), nulls="clear")

    assert build({"mobile": 5.0, "fax": None}, rules) == {"mobile": "5", "fax": ""}


@pytest.mark.parametrize("name", sorted(LIMITS))
def test_a_value_may_be_as_long_as_documented_and_longer_ones_are_rejected_or_cut(name: str) -> None:
    longest = "é" * (LIMITS[name] - 4) + "@b.c" if name == "email" else "é" * LIMITS[name]

    assert build({name: longest}) == {name: longest}
    assert violations_of({name: "x" + longest}) == [(name, "overlong")]
    if name in NEVER_CUT:
        assert violations_of({name: "x" + longest}, TRUNCATE) == [(name, "overlong")]
    else:
        assert build({name: longest + "x"}, TRUNCATE) == {name: longest}


@pytest.mark.parametrize("null", [None, float("nan"), np.datetime64("NaT")], ids=str)
@pytest.mark.parametrize("name", sorted(CONTACT_FIELDS))
def test_a_null_is_left_out_or_clears_but_never_a_key_an_address_or_a_consent(name: str, null: object) -> None:
    cleared = {} if name in NEVER_CLEARED or name in GROUPS else {name: ""}

    assert build({name: null}) == {}
    assert build({name: null}, CLEAR) == cleared


@pytest.mark.parametrize("empty", ["", " ", None])
@pytest.mark.parametrize("name", sorted(NEVER_CLEARED - {"id"}))
def test_an_empty_text_never_clears_an_address_a_key_or_a_consent(name: str, empty: str | None) -> None:
    assert build({name: empty, "city": "Laval"}, CLEAR) == {"city": "Laval"}


@pytest.mark.parametrize(
    ("row", "valid"),
    [
        pytest.param({"consent_status": "Express"}, False, id="no description"),
        pytest.param({"consent_status": "implied: no expiry", "consent_description": None}, False, id="null"),
        pytest.param({"consent_status": "Implied - Inquiry", "consent_description": " \n"}, False, id="blank"),
        pytest.param({"consent_description": "form", "consent_status": "EXPRESS"}, True, id="given, in any order"),
        pytest.param({"consent_status": "Revoked"}, True, id="not needed for Revoked"),
        pytest.param({"consent_status": "not provided"}, True, id="not needed for Not Provided"),
        pytest.param({"consent_description": "form"}, True, id="a description alone"),
    ],
)
@pytest.mark.parametrize("rules", [PayloadRules(), CLEAR], ids=["ignore", "clear"])
def test_a_status_that_allows_sending_needs_a_description(
    row: dict[str, Any], valid: bool, rules: PayloadRules
) -> None:
    if valid:
        assert set(build(row, rules)) == set(row)
    else:
        assert violations_of(row, rules) == [("consent_description", "consent_description_missing")]


@pytest.mark.parametrize(
    ("spelling", "status"),
    [
        ("not provided", "Not Provided"), ("Implied: No Expiry", "Implied - No Expiry"),
        ("  ENVOKE spam  REPORTED ", "Envoke Spam Reported"), ("implied-transaction", "Implied - Transaction"),
    ],
)  # fmt: skip
def test_consent_is_sent_in_its_documented_spelling(spelling: str, status: str) -> None:
    row = {"consent_status": spelling, "consent_description": "form"}

    assert build(row) == {**row, "consent_status": status}


ADDRESSES = [
    "a@b.c", "Jon+tag@doe.com", "o'brien@doe.ie", "zoë@exämple.com", "\u00a0a@b.c\n", '"jon.doe"@doe.com',
    "a..b@c.d", "a.@b.c", "a@sub-domain.b.c", "a@xn--exmple-cua.com", "a@1.2",
    "a@\u4f8b\u3048.\u30c6\u30b9\u30c8", "a@b_c.d",
    "a@\u0909\u0926\u093e\u0939\u0930\u0923.\u092d\u093e\u0930\u0924",
]  # fmt: skip


@pytest.mark.parametrize("email", ADDRESSES, ids=ascii)
def test_an_address_is_sent_without_surrounding_space(email: str) -> None:
    assert build({"email": email}) == {"email": email.strip()}


@pytest.mark.parametrize(
    "email",
    ["a", "@", "a@", "@b", "a@b@c", "a b@c.d", "a@b c", "a\n@b.c", "a\u200f@b.c", "\u200ba@b.c",
     "a@b.c\u202e", "a\0@b.c", "a@b\ud800", 7, True, b"a@b.c", ["a@b.c"], "x@y", "a@b..c", "a@.b.c", "a@b.",
     "a@b.c.", "a@.", "a@b.c,", "a@b.c;d", "<a@b.c>", "a@b.c/x", "mailto:a@b.c?subject=x", "a@b.c'", 'a@b.c"'],
    ids=ascii,
)  # fmt: skip
def test_an_invalid_address_is_rejected(email: object) -> None:
    ((name, reason),) = violations_of({"email": email})

    assert name == "email"
    assert reason in ("invalid_email", "invalid_value")


TEXT_FIELDS = sorted(name for name, field in CONTACT_FIELDS.items() if field.kind == "text" and name != "language")


@pytest.mark.parametrize("space", [" ", "  \t", "\n", "\r\n", "\u00a0", "\u2003"], ids=ascii)
@pytest.mark.parametrize("name", [*TEXT_FIELDS, "custom_fields.plan", "mobile"])
def test_text_is_sent_without_surrounding_space(name: str, space: str) -> None:
    rules = PayloadRules(extra_fields=["mobile"])
    group, dot, member = name.partition(".")

    payload = build({name: f"{space}O'Neil\r\n & Co.{space}"}, rules)

    text = "O'Neil\r\n & Co."
    assert payload == {group: {member: text} if dot else text}


def test_an_id_is_read_without_surrounding_space() -> None:
    assert build({"id": " 7  "}) == {"id": 7}


@pytest.mark.parametrize("rules", [PayloadRules(), CLEAR], ids=["ignore", "clear"])
@pytest.mark.parametrize("blank", ["", " ", "\n\t", "\u00a0"], ids=ascii)
def test_text_that_is_only_space_is_empty_whatever_nulls_says(blank: str, rules: PayloadRules) -> None:
    row = {"city": blank, "custom_fields": {"plan": blank}, "mobile": blank}

    payload = build(row, PayloadRules(rules.nulls, extra_fields=["mobile"]))

    assert payload == {"city": "", "custom_fields": {"plan": ""}, "mobile": ""}


def test_the_length_is_that_of_the_trimmed_text() -> None:
    assert build({"city": f"  {'x' * 20}   "}) == {"city": "x" * 20}
    assert violations_of({"city": f"  {'x' * 21}   "}) == [("city", "overlong")]


def test_a_text_that_is_cut_ends_without_space() -> None:
    assert build({"city": "Saint-Jean-sur-Lac  and more"}, TRUNCATE) == {"city": "Saint-Jean-sur-Lac"}


@pytest.mark.parametrize("value", [0, -1, 4_294_967_296, 1.5, True, "", "1?x", "../1", b"1", [1]], ids=ascii)
def test_an_invalid_id_is_rejected(value: object) -> None:
    assert violations_of({"id": value}) == [("id", "invalid_id")]


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        *((argument, value) for argument in ("nulls", "on_overlong") for value in ("wipe", None, ["clear"])),
        *(("extra_fields", value) for value in ("mobile", ["a b"], ["a]["], [7], None)),
    ],
    ids=str,
)
def test_an_invalid_rule_is_refused_by_name(argument: str, value: object) -> None:
    with pytest.raises(EnvokeConfigError, match=argument):
        PayloadRules(**{argument: value})  # type: ignore[arg-type]


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
def test_messages_never_contain_values(row: dict[str, Any], rules: PayloadRules) -> None:
    try:
        payload = build(row, rules)
    except EnvokeDataError as error:
        told = f"{error} {error.violations} {error.__context__}"
        assert "marker" not in told
    else:
        assert set(payload) <= set(CONTACT_FIELDS)
