"""A case-insensitive tree of named nodes: a shared base image below, one host's changes above.

Thousands of hosts share one base image; each keeps only what differs. Values are immutable, so a
snapshot is a shallow copy of the changes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Generic, NamedTuple, TypeVar

T = TypeVar("T")

SEPARATOR = "\\"


def parent_of(path: str) -> str:
    """Return the path above ``path``; the root's parent is the root, the empty string."""
    return path.rpartition(SEPARATOR)[0]


def leaf_of(path: str) -> str:
    """Return the last name of ``path``."""
    return path.rpartition(SEPARATOR)[2]


class Image(Generic[T]):
    """An immutable base tree; nodes are kept by lower-case path, with the display name beside."""

    __slots__ = ("children", "nodes")

    def __init__(self, entries: Iterable[tuple[str, T]], filler: Callable[[], T]) -> None:
        """Build from (path, value) pairs; missing parents are made with ``filler()``."""
        nodes: dict[str, tuple[str, T]] = {"": ("", filler())}
        children: dict[str, list[str]] = {}
        for path, value in entries:
            parts = path.split(SEPARATOR)
            for depth in range(1, len(parts) + 1):
                key = SEPARATOR.join(parts[:depth]).lower()
                last = depth == len(parts)
                if key not in nodes:
                    nodes[key] = (parts[depth - 1], value if last else filler())
                    children.setdefault(parent_of(key), []).append(key)
                elif last:
                    nodes[key] = (parts[depth - 1], value)
        self.nodes: Mapping[str, tuple[str, T]] = nodes
        self.children: Mapping[str, tuple[str, ...]] = {k: tuple(v) for k, v in children.items()}


class TreeState(NamedTuple):
    """What one host changed: opaque to everyone but `LayeredTree`."""

    nodes: dict[str, tuple[str, object]]
    hidden: frozenset[str]
    added: dict[str, tuple[str, ...]]


class LayeredTree(Generic[T]):
    """One host's view of an `Image` with its own changes laid over it."""

    __slots__ = ("_added", "_hidden", "_image", "_nodes")

    def __init__(self, image: Image[T]) -> None:
        """Start equal to ``image``."""
        self._image = image
        self._nodes: dict[str, tuple[str, T]] = {}
        self._hidden: set[str] = set()
        self._added: dict[str, dict[str, None]] = {}

    def _base(self, key: str) -> tuple[str, T] | None:
        found = self._image.nodes.get(key)
        if found is None or not self._hidden:
            return found
        at = key
        while at:
            if at in self._hidden:
                return None
            at = parent_of(at)
        return found

    def get(self, path: str) -> T | None:
        """Return the value at ``path``, or None when there is no such node."""
        key = path.lower()
        found = self._nodes.get(key) or self._base(key)
        return None if found is None else found[1]

    def name(self, path: str) -> str:
        """Return the display name of the node at ``path`` (KeyError when absent)."""
        key = path.lower()
        found = self._nodes.get(key) or self._base(key)
        if found is None:
            raise KeyError(path)
        return found[0]

    def display(self, path: str) -> str:
        """Return ``path`` with every name in the case it was made with."""
        parts = path.split(SEPARATOR)
        keys = [SEPARATOR.join(parts[: i + 1]) for i in range(len(parts))]
        return SEPARATOR.join(
            self.name(key) if self.get(key) is not None else part
            for key, part in zip(keys, parts, strict=True)
        )

    def children(self, path: str) -> list[str]:
        """Return the display names below ``path`` in case-insensitive order."""
        key = path.lower()
        names: dict[str, str] = {}
        if self._base(key) is not None:
            for child in self._image.children.get(key, ()):
                if child not in self._hidden:
                    names[child] = self._image.nodes[child][0]
        for child in self._added.get(key, ()):
            names[child] = self._nodes[child][0]
        return [names[child] for child in sorted(names)]

    def put(self, path: str, value: T) -> None:
        """Set the value at ``path``; its parent must exist (KeyError)."""
        key = path.lower()
        if key and self.get(parent_of(key)) is None:
            raise KeyError(path)
        if key in self._nodes:
            self._nodes[key] = (self._nodes[key][0], value)
            return
        base = self._base(key)
        if base is not None:
            self._nodes[key] = (base[0], value)
        else:
            self._nodes[key] = (leaf_of(path), value)
        self._added.setdefault(parent_of(key), {})[key] = None

    def rename(self, path: str, name: str) -> None:
        """Change the case of a node's display name (KeyError when absent)."""
        value = self.get(path)
        if value is None:
            raise KeyError(path)
        self.put(path, value)
        self._nodes[path.lower()] = (name, value)

    def remove(self, path: str) -> None:
        """Remove the node and everything below it; absent nodes are no error."""
        key = path.lower()
        prefix = key + SEPARATOR
        for gone in [k for k in self._nodes if k == key or k.startswith(prefix)]:
            del self._nodes[gone]
            self._added.get(parent_of(gone), {}).pop(gone, None)
        for gone in [k for k in self._added if k == key or k.startswith(prefix)]:
            del self._added[gone]
        if key in self._image.nodes:
            self._hidden.add(key)

    def walk(self, path: str) -> Iterator[tuple[str, T]]:
        """Yield (path, value) of the node and all below it, parents first, names in order."""
        value = self.get(path)
        if value is None:
            return
        yield path, value
        for name in self.children(path):
            yield from self.walk(f"{path}{SEPARATOR}{name}" if path else name)

    def changed(self) -> Iterator[tuple[str, T | None]]:
        """Yield what differs from the image: (path, value), None for what was removed."""
        for key in sorted(self._nodes):
            yield key, self._nodes[key][1]
        for key in sorted(self._hidden):
            if key not in self._nodes:
                yield key, None

    def save(self) -> TreeState:
        """Return the changes, for `load`."""
        return TreeState(
            dict(self._nodes),
            frozenset(self._hidden),
            {k: tuple(v) for k, v in self._added.items()},
        )

    def load(self, state: TreeState) -> None:
        """Go back to saved changes."""
        self._nodes = dict(state.nodes)  # type: ignore[arg-type]
        self._hidden = set(state.hidden)
        self._added = {key: dict.fromkeys(names) for key, names in state.added.items()}
