"""The pages in docs/ are correct: their tables agree with the code, and their links lead somewhere."""

from __future__ import annotations

import dataclasses
import json
import re
from typing import TYPE_CHECKING

import pytest

from airflow_provider_envoke.envoke.consent import CONSENT_STATUSES, SENDING_STATUSES
from airflow_provider_envoke.envoke.fields import CONTACT_FIELDS, READ_ONLY_FIELDS
from airflow_provider_envoke.operators.envoke import EnvokeSyncContactsOperator
from airflow_provider_envoke.sync import Reject, SyncReport
from tests.support import ROOT
from tests.support.tasks import context

if TYPE_CHECKING:
    from pathlib import Path

    from airflow_provider_envoke.sandbox.thread import Sandbox

PAGES = sorted((ROOT / "docs").glob("*.md"))


def page(name: str) -> str:
    return (ROOT / "docs" / name).read_text(encoding="utf-8")


def table(text: str, heading: str) -> dict[str, list[str]]:
    """Return the table below a heading: the name in its first column -> its other columns."""
    below = text.split(f"## {heading}\n", 1)[1].split("\n## ", 1)[0]
    rows = [line[1:-1].split("|") for line in below.splitlines() if line.startswith("| `")]
    return {row[0].strip(" `"): [cell.strip() for cell in row[1:]] for row in rows}


def anchor(heading: str) -> str:
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


@pytest.mark.parametrize("path", PAGES, ids=[path.name for path in PAGES])
def test_every_link_between_pages_leads_to_a_heading_or_a_file(path: Path) -> None:
    links = re.findall(r"\]\((?!https?:)([^)\s]*)\)", path.read_text(encoding="utf-8"))

    for link in links:
        file, _, heading = link.partition("#")
        target = (path.parent / file).resolve() if file else path
        assert target.exists(), link
        if heading:
            headings = re.findall(r"^#+ (.*)$", target.read_text(encoding="utf-8"), re.MULTILINE)
            assert heading in map(anchor, headings), link


def test_every_field_is_listed_with_its_length() -> None:
    listed = table(page("contacts.md"), "Fields")

    assert list(listed) == list(CONTACT_FIELDS)
    for name, (longest, _, shortened) in listed.items():
        field = CONTACT_FIELDS[name]
        assert longest == ("" if field.max_length is None else str(field.max_length)), name
        if field.max_length is not None:
            assert shortened == ("yes" if field.truncatable else "no"), name


def test_the_read_only_fields_are_named() -> None:
    (line,) = re.findall(r"^Read-only in Envoke: (.*?)\.", page("contacts.md"), re.MULTILINE)

    assert set(re.findall(r"`(\w+)`", line)) == READ_ONLY_FIELDS


def test_every_consent_status_is_listed_with_whether_it_allows_sending() -> None:
    listed = table(page("contacts.md"), "Consent statuses")

    assert tuple(listed) == CONSENT_STATUSES
    assert tuple(name for name, (sends, _) in listed.items() if sends == "yes") == SENDING_STATUSES


def test_every_key_of_the_report_is_listed() -> None:
    listed = table(page("report.md"), "The report")
    empty = dict.fromkeys(field.name for field in dataclasses.fields(SyncReport))

    assert list(listed) == list(SyncReport(**empty).as_dict())  # type: ignore[arg-type]


def test_the_example_line_has_every_key_of_the_file() -> None:
    (example,) = re.findall(r"```json\n(.*)\n```", page("report.md"))

    assert list(json.loads(example)) == list(table(page("report.md"), "The file"))
    assert list(json.loads(example)) == [field.name for field in dataclasses.fields(Reject)]


def test_a_line_of_the_file_is_as_documented(sandbox: Sandbox, tmp_path: Path) -> None:
    (example,) = re.findall(r"```json\n(.*)\n```", page("report.md"))
    documented = json.loads(example)
    file = tmp_path / "rejects.jsonl"
    rows = [{"email": None, "city": "Laval", "MEMBER_ID": documented["reference"]["member_id"]}]
    EnvokeSyncContactsOperator(
        task_id="t",
        rows=[*({"email": f"jon{number}@example.com"} for number in range(1, documented["row"])), *rows],
        reference="member_id",
        on_missing="skip",
        max_rejects=1,
        rejects_include=["rejected"],
        rejects_path=str(file),
    ).execute(context())

    (line,) = map(json.loads, file.read_text(encoding="utf-8").splitlines())
    beginning = documented["message"].removesuffix(" …")
    assert line["message"].startswith(beginning)
    assert {**line, "message": ""} == {**documented, "message": ""}
