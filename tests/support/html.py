"""A page of HTML as a tree, to ask what is in it."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

VOID = {"meta", "col", "input", "br", "img", "link"}


@dataclass
class Element:
    """An element, its attributes, and what is in it: elements and texts."""

    name: str
    attributes: dict[str, str | None] = field(default_factory=dict)
    content: list[Element | str] = field(default_factory=list)

    @property
    def text(self) -> str:
        """All text in it, as a browser shows it apart from line breaks."""
        return "".join(part if isinstance(part, str) else part.text for part in self.content)

    def all(self, name: str = "", css: str = "") -> Iterator[Element]:
        """Yield the elements in it that have this name and this class, in order."""
        for part in self.content:
            if isinstance(part, Element):
                if name in ("", part.name) and (not css or css in (part.attributes.get("class") or "").split()):
                    yield part
                yield from part.all(name, css)


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open = [Element("document")]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = Element(tag, dict(attrs))
        self.open[-1].content.append(element)
        if tag not in VOID:
            self.open.append(element)

    def handle_endtag(self, tag: str) -> None:
        assert self.open[-1].name == tag, f"</{tag}> closes <{self.open[-1].name}>"
        self.open.pop()

    def handle_data(self, data: str) -> None:
        self.open[-1].content.append(data)


def parse_html(page: str) -> Element:
    """Return the page's tree. Elements that are not closed, or in the wrong order, fail the test."""
    reader = _Reader()
    reader.feed(page)
    reader.close()
    assert len(reader.open) == 1, f"<{reader.open[-1].name}> is not closed"
    return reader.open[0]
