"""YAML as data that people edit: every error names its line, and nothing is guessed.

Duplicate keys, anchors, floats and tags are refused; dates stay text. Plain scalars follow YAML 1.2
for booleans (``true`` and ``false`` only), so that ``no`` is a word and not a value.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from opsproof.errors import UsageError

_TAG = "tag:yaml.org,2002:"
Path = tuple[str | int, ...]


class YamlError(UsageError):
    """A file that people edit is not what it must be."""


@dataclass(frozen=True)
class Document:
    """A parsed file: its value, and the line (from 1) of every value by its path."""

    name: str
    value: Any
    lines: dict[Path, int] = field(default_factory=dict)

    def where(self, *path: str | int) -> str:
        """``file:line`` of the value at the path, or of the nearest one around it."""
        while path and path not in self.lines:
            path = path[:-1]
        return f"{self.name}:{self.lines.get(path, 1)}"


def parse(data: bytes, name: str) -> Document:
    """Parse one document; ``name`` is used in errors.

    Raises:
        YamlError: with file and line.
    """
    try:
        text = data.decode("utf-8")
        node, aliases = _read(text)
    except UnicodeDecodeError as error:
        raise YamlError(f"is not UTF-8: {error}", where=name) from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or str(error)
        line = mark.line + 1 if mark else 1
        raise YamlError(f"is not YAML: {problem}", where=f"{name}:{line}") from error
    if aliases:
        raise YamlError("uses an alias (*name)", where=name, remedy="write the value out")
    document = Document(name, None)
    value = None if node is None else _build(node, (), document)
    return Document(name, value, document.lines)


def _read(text: str) -> tuple[Node | None, bool]:
    """The root node, and whether the text uses an alias.

    A control for each hardening setting makes files of thousands of lines, so libyaml reads them
    where it is built in. What it refuses is read again by the slow parser, whose words are kinder.
    """
    fast: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        return _composed(text, fast)
    except yaml.YAMLError:
        return _composed(text, yaml.SafeLoader)


def _composed(text: str, loader: Any) -> tuple[Node | None, bool]:
    aliases = any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text, Loader=loader))
    node: Node | None = yaml.compose(text, Loader=loader)
    return node, aliases


def _build(node: Node, path: Path, document: Document) -> Any:
    document.lines[path] = node.start_mark.line + 1
    if isinstance(node, MappingNode):
        return _mapping(node, path, document)
    if isinstance(node, SequenceNode):
        return [_build(item, (*path, n), document) for n, item in enumerate(node.value)]
    assert isinstance(node, ScalarNode)
    return _scalar(node, document.where(*path))


def _mapping(node: MappingNode, path: Path, document: Document) -> dict[str, Any]:
    built: dict[str, Any] = {}
    for key_node, value_node in node.value:
        where = f"{document.name}:{key_node.start_mark.line + 1}"
        if not isinstance(key_node, ScalarNode):
            raise YamlError("a key is not text", where=where)
        key = str(key_node.value)
        if key in built:
            raise YamlError(f"the key {key!r} stands there twice", where=where)
        built[key] = _build(value_node, (*path, key), document)
        # Errors about a key should point at the key, also where its value starts a line below.
        document.lines[(*path, key)] = key_node.start_mark.line + 1
    return built


def _scalar(node: ScalarNode, where: str) -> Any:
    tag = node.tag.removeprefix(_TAG)
    text = node.value
    if tag == "null":
        return None
    if tag == "bool":
        return {"true": True, "false": False}.get(text.lower(), text)
    if tag == "int":
        try:
            return int(text)
        except ValueError as error:
            raise YamlError(f"{text} is not a decimal integer", where=where) from error
    if tag == "float":
        raise YamlError(
            f"{text} is a float", where=where, remedy="use an integer in a smaller unit, or quotes"
        )
    if tag in ("str", "timestamp"):
        return text
    raise YamlError(f"the tag {node.tag} is not allowed", where=where)
