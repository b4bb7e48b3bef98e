"""Event queries: the XPath subset of the event log, and structured query files.

Source: "Consuming Events (Windows Event Log)", "Query Schema" (Microsoft Learn): location paths
below Event, comparisons, and/or/not, band(), timediff(), position() is not among what is modelled.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeAlias
from xml.etree.ElementTree import Element, ParseError

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import fromstring

from winlab.host.errors import NotModelledError, WindowsError
from winlab.host.events import EventRecord, event_xml

_TOKEN = re.compile(
    r"\s*(?:(?P<string>'[^']*'|\"[^\"]*\")|(?P<number>0[xX][0-9a-fA-F]+|\d+)"
    r"|(?P<op><=|>=|!=|=|<|>|\[|\]|\(|\)|/|@|\*|,|\.)|(?P<name>[A-Za-z_][\w.-]*))"
)
_NAMESPACE = "{http://schemas.microsoft.com/win/2004/08/events/event}"
# Windows refuses longer filters with "The specified query is invalid"
MAX_EXPRESSIONS = 32

Context: TypeAlias = "Element"
Test: TypeAlias = Callable[[Element, datetime], bool]
Values: TypeAlias = Callable[[Element, datetime], "list[str | Element]"]


class _Compiler:
    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens: list[tuple[str, str]] = []
        at = 0
        while at < len(text.rstrip()):
            found = _TOKEN.match(text, at)
            if found is None:
                raise WindowsError(15001, text)
            kind = found.lastgroup or ""
            self.tokens.append((kind, found[kind]))
            at = found.end()
        self.at = 0
        self.comparisons = 0
        self.nested = 0

    def peek(self, ahead: int = 0) -> str:
        place = self.at + ahead
        return self.tokens[place][1] if place < len(self.tokens) else ""

    def take(self, wanted: str) -> None:
        if self.peek() != wanted:
            raise WindowsError(15001, self.text)
        self.at += 1

    def either(self) -> Test:
        self.nested += 1
        if self.nested > MAX_EXPRESSIONS:
            raise WindowsError(15001, self.text)
        parts = [self.both()]
        while self.peek() == "or":
            self.at += 1
            parts.append(self.both())
        self.nested -= 1
        return parts[0] if len(parts) == 1 else lambda e, n: any(p(e, n) for p in parts)

    def both(self) -> Test:
        parts = [self.term()]
        while self.peek() == "and":
            self.at += 1
            parts.append(self.term())
        return parts[0] if len(parts) == 1 else lambda e, n: all(p(e, n) for p in parts)

    def term(self) -> Test:
        if self.peek() == "(":
            self.at += 1
            inner = self.either()
            self.take(")")
            return inner
        if self.peek() == "not" and self.peek(1) == "(":
            self.at += 2
            inner = self.either()
            self.take(")")
            return lambda e, n: not inner(e, n)
        return self.comparison()

    def comparison(self) -> Test:
        left = self.operand()
        operator = self.peek()
        if operator not in {"=", "!=", "<", ">", "<=", ">="}:
            return lambda e, n: bool(left(e, n))
        self.comparisons += 1
        if self.comparisons > MAX_EXPRESSIONS:
            raise WindowsError(15001, self.text)
        self.at += 1
        kind, literal = self.tokens[self.at] if self.at < len(self.tokens) else ("", "")
        if kind not in {"string", "number"}:
            raise WindowsError(15001, self.text)
        self.at += 1
        right = literal[1:-1] if kind == "string" else literal
        return lambda e, n: any(_compare(_text(v), operator, right) for v in left(e, n))

    def operand(self) -> Values:
        name = self.peek()
        if name in {"band", "timediff", "position"} and self.peek(1) == "(":
            self.at += 2
            return self.function(name)
        return self.path()

    def function(self, name: str) -> Values:
        if name == "position":
            raise NotModelledError("position() in event queries")
        inner = self.path()
        if name == "band":
            self.take(",")
            mask = self.number()
            self.at += 1
            self.take(")")
            return lambda e, n: [
                str(_integer(_text(v)) & mask) for v in inner(e, n) if _integer(_text(v)) & mask
            ]
        self.take(")")
        return lambda e, n: [
            str(int((n - _when(_text(v))).total_seconds() * 1000)) for v in inner(e, n) if _dated(v)
        ]

    def number(self) -> int:
        try:
            return int(self.peek(), 0)
        except ValueError as exc:
            raise WindowsError(15001, self.text) from exc

    def path(self) -> Values:
        steps: list[Values] = [self.step()]
        while self.peek() == "/":
            self.at += 1
            steps.append(self.step())

        def walk(element: Element, now: datetime) -> list[str | Element]:
            found: list[str | Element] = [element]
            for step in steps:
                found = [v for e in found if isinstance(e, Element) for v in step(e, now)]
            return found

        return walk

    def step(self) -> Values:
        if self.peek() == "@":
            name = self.peek(1)
            self.at += 2
            return lambda e, _: [e.attrib[name]] if name in e.attrib else []
        kind, name = self.tokens[self.at] if self.at < len(self.tokens) else ("", "")
        if kind == "op" and name == ".":
            self.at += 1
            return lambda e, _: [e]
        if kind != "name" and name != "*":
            raise WindowsError(15001, self.text)
        self.at += 1
        filters: list[Test] = []
        while self.peek() == "[":
            self.at += 1
            filters.append(self.either())
            self.take("]")

        def pick(element: Element, now: datetime) -> list[str | Element]:
            return [
                c
                for c in element
                if (name == "*" or _local(c) == name) and all(f(c, now) for f in filters)
            ]

        return pick


def _local(element: Element) -> str:
    return element.tag.rpartition("}")[2]


def _text(value: str | Element) -> str:
    return value if isinstance(value, str) else "".join(value.itertext())


def _integer(text: str) -> int:
    """Return a number as the event XML writes it, decimal or 0x; 0 for anything else."""
    try:
        return int(text, 0)
    except ValueError:
        return 0


def _when(text: str) -> datetime:
    bare = text.strip().rstrip("Z")
    head, dot, fraction = bare.partition(".")
    value = datetime.fromisoformat(head).replace(tzinfo=UTC)
    return value.replace(microsecond=int((fraction + "000000")[:6])) if dot else value


def _dated(value: str | Element) -> bool:
    try:
        _when(_text(value))
    except ValueError:
        return False
    return True


def _compare(left: str, operator: str, right: str) -> bool:
    a: int | str | datetime
    b: int | str | datetime
    try:
        a, b = int(left, 0), int(right, 0)
    except ValueError:
        try:
            a, b = _when(left), _when(right)
        except ValueError:
            a, b = left, right
    if operator == "=":
        return a == b
    if operator == "!=":
        return a != b
    order = (a > b) - (a < b)  # type: ignore[operator]
    return {"<": order < 0, ">": order > 0, "<=": order <= 0, ">=": order >= 0}[operator]


def _exists(steps: Values) -> Test:
    return lambda element, now: bool(steps(element, now))


def compile_xpath(text: str) -> Callable[[EventRecord, datetime], bool]:
    """Return a filter of records for an XPath expression such as ``*[System[EventID=1102]]``.

    Raises:
        WindowsError: 15001, the query is invalid.
        NotModelledError: a function Windows has and the lab does not.
    """
    stripped = text.strip()
    if stripped in {"", "*"}:
        return lambda _record, _now: True
    compiler = _Compiler(stripped)
    parts: list[list[Test]] = []
    while True:
        if compiler.peek() not in {"*", "Event"}:
            raise WindowsError(15001, text)
        compiler.at += 1
        filters: list[Test] = []
        if compiler.peek() == "/":
            compiler.at += 1
            filters.append(_exists(compiler.path()))
        while compiler.peek() == "[":
            compiler.at += 1
            filters.append(compiler.either())
            compiler.take("]")
        parts.append(filters)
        if compiler.peek() != "or":
            break
        compiler.at += 1
    if compiler.at != len(compiler.tokens):
        raise WindowsError(15001, text)

    def keep(record: EventRecord, now: datetime) -> bool:
        root = fromstring(event_xml(record))
        return any(all(test(root, now) for test in filters) for filters in parts)

    return keep


@dataclass(frozen=True, slots=True)
class Selection:
    """One channel of a query with its filters: what is selected, less what is suppressed."""

    channel: str
    select: tuple[str, ...]
    suppress: tuple[str, ...] = ()


def parse_structured(xml: str) -> list[Selection]:
    """Return the channels of a ``<QueryList>`` in the order they are named.

    Raises:
        WindowsError: 15008 not well-formed, 15001 not a query list.
    """
    try:
        root = fromstring(xml.lstrip("\ufeff").strip())
    except (ParseError, DefusedXmlException) as exc:
        raise WindowsError(15008) from exc
    if root.tag != "QueryList":
        raise WindowsError(15001)
    wanted: dict[str, tuple[list[str], list[str]]] = {}
    for query in root.findall("Query"):
        for child in query:
            channel = child.get("Path") or query.get("Path")
            if channel is None or child.tag not in {"Select", "Suppress"}:
                raise WindowsError(15001)
            kept = wanted.setdefault(channel, ([], []))
            kept[0 if child.tag == "Select" else 1].append(child.text or "*")
    if not wanted:
        raise WindowsError(15001)
    return [Selection(name, tuple(a), tuple(b)) for name, (a, b) in wanted.items()]


def run_selection(
    records: Iterable[EventRecord], selection: Selection, now: datetime
) -> list[EventRecord]:
    """Return the records of one channel that a selection keeps, in their order."""
    keep = [compile_xpath(text) for text in selection.select]
    drop = [compile_xpath(text) for text in selection.suppress]
    if all(text.strip() in {"", "*"} for text in selection.select) and not drop:
        return list(records)
    return [r for r in records if any(k(r, now) for k in keep) and not any(d(r, now) for d in drop)]
