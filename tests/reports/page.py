"""Reads a rendered page back: ids, links, and the text a reader sees."""

from __future__ import annotations

from html.parser import HTMLParser

_VOID = {"meta", "col", "br", "use", "circle", "path", "rect", "link", "img"}


class Page(HTMLParser):
    """``words`` is the text outside of data (``translate="no"``), ``text`` all of it."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.ids: list[str] = []
        self.links: list[str] = []
        self.tags: list[str] = []
        self.attributes: dict[str, list[dict[str, str]]] = {}
        self._words: list[str] = []
        self._text: list[str] = []
        self._stack: list[tuple[str, bool]] = []
        self.feed(html)
        self.close()
        assert [tag for tag, _ in self._stack] == [], "unclosed elements"

    @property
    def words(self) -> str:
        return " ".join(self._words)

    @property
    def text(self) -> str:
        return " ".join("".join(self._text).split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        self.tags.append(tag)
        self.attributes.setdefault(tag, []).append(values)
        if "id" in values:
            self.ids.append(values["id"])
        if "href" in values:
            self.links.append(values["href"])
        if tag not in _VOID:
            inside = bool(self._stack and self._stack[-1][1])
            data = inside or values.get("translate") == "no" or tag == "style"
            self._stack.append((tag, data))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in _VOID:
            self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        opened, _ = self._stack.pop()
        assert opened == tag, f"<{opened}> closed by </{tag}>"

    def handle_data(self, data: str) -> None:
        if self._stack and self._stack[-1][0] == "style":
            return
        self._text.append(data)
        if not (self._stack and self._stack[-1][1]):
            self._words.append(data)
