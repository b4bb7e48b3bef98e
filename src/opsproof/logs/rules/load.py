"""Read Sigma rules from files and folders and compile them, with a cache by content.

A rule file that is no rule, or says something we cannot evaluate, is never an error of the audit:
it is listed among the rules that did not run, with the reason. Our own rules carry a mapping
``opsproof`` with what Sigma has no place for::

    opsproof:
      title: {zh: 安全日志被清除}
      advice: {en: ..., zh: ...}
      demands: [C-2]
      clauses: [GB/T 22239-2019 8.1.4.3 c]
      tests: [...]          # read by the tests only
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Final

import msgspec

from opsproof.errors import UsageError
from opsproof.logs.rules.compiled import RuleSet

_COMPILER: Final = ("rules/*.py", "globs.py", "model.py", "../evidence/model.py")
"""The files that the compiled form depends on, below this package; part of the cache key."""

_SUM: Final = 32
"""Bytes at the beginning of a cache file: the SHA-256 of the rest."""


def load(paths: Sequence[Path], cache: Path | None = None) -> RuleSet:
    """All rules in these files and folders (``*.yml``, ``*.yaml``, at any depth).

    ``cache`` is a folder for compiled rule sets; None means none. Raises :class:`UsageError` where
    a path does not exist or cannot be read, or no file holds a rule: an audit without one finds
    nothing, and would say so.
    """
    texts = []
    for name, path in _files(paths):
        try:
            texts.append((name, path.read_bytes()))
        except OSError as error:
            raise UsageError(
                f"this rule file cannot be read: {error.strerror}", where=str(path)
            ) from error
    rules = compile_texts(texts, cache)
    if not (rules.rules or rules.correlations or rules.rejected):
        raise UsageError(
            "there is no rule in these files",
            where=", ".join(map(str, paths)),
            remedy="name a folder with Sigma rules (*.yml)",
        )
    return rules


def compile_texts(texts: Sequence[tuple[str, bytes]], cache: Path | None = None) -> RuleSet:
    """The rules of named texts; what :func:`load` does after reading the files."""
    key = digest(texts)
    stored = cache / f"{key[:32]}-{_compiler()[:32]}.msgpack" if cache is not None else None
    if stored is not None:
        found = _read(stored)
        if found is not None:
            return found
    # pySigma is only imported where something has to be compiled: it costs a third of a second.
    from opsproof.logs.rules.sigma import compile_all

    rules = compile_all(key, texts)
    if stored is not None:
        _write(stored, rules)
    return rules


def default_cache() -> Path:
    """``$XDG_CACHE_HOME/opsproof/rules`` (XDG Base Directory Specification)."""
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser() / "opsproof" / "rules"


def default_rules() -> Path:
    """The project's own ``rules/``: of the folder one works in, else of the checkout that is run."""
    here = Path("rules")
    return here if here.is_dir() else Path(__file__).resolve().parents[4] / "rules"


def digest(texts: Iterable[tuple[str, bytes]]) -> str:
    """SHA-256 over the rule files' names and contents: what identifies a rule set in a report."""
    total = hashlib.sha256()
    for name, content in texts:
        total.update(f"{name} {len(content)}\n".encode())
        total.update(content)
    return total.hexdigest()


@lru_cache(maxsize=1)
def _compiler() -> str:
    """SHA-256 over what turns a rule file into its compiled form: our code and the parser."""
    total = hashlib.sha256(version("pysigma").encode())
    package = Path(__file__).resolve().parents[1]
    for pattern in _COMPILER:
        for file in sorted(package.glob(pattern)):
            total.update(file.read_bytes())
    return total.hexdigest()


def _files(paths: Sequence[Path]) -> list[tuple[str, Path]]:
    found: dict[Path, tuple[str, str]] = {}
    for path in paths:
        if path.is_dir():
            inside = [
                file
                for file in path.rglob("*")
                if file.suffix in {".yml", ".yaml"} and file.is_file()
            ]
            if not inside:
                raise UsageError(
                    "there is no rule in this folder",
                    where=str(path),
                    remedy="name a folder with Sigma rules (*.yml)",
                )
            short = {file: str(file.relative_to(path)) for file in inside}
        elif path.is_file():
            short = {path: path.name}
        else:
            raise UsageError(
                "there are no rules here: no such file or folder",
                where=str(path),
                remedy="name a folder with Sigma rules (*.yml)",
            )
        for file, name in short.items():
            real = file.resolve()
            found[real] = min(found.get(real, (name, str(file))), (name, str(file)))
    # Two folders may each hold a windows/services.yml: both are rules, under their full names.
    often = Counter(name for name, _ in found.values())
    return sorted(
        (name if often[name] == 1 else full, file) for file, (name, full) in found.items()
    )


def _read(stored: Path) -> RuleSet | None:
    """The cached rule set; None where there is none that can be read (it is then made again)."""
    try:
        content = stored.read_bytes()
        body = content[_SUM:]
        # One changed letter of a pattern would be a rule that is never met, and no error.
        if content[:_SUM] != hashlib.sha256(body).digest():
            return None
        return msgspec.msgpack.decode(body, type=RuleSet)
    except (OSError, msgspec.DecodeError):
        return None


def _write(stored: Path, rules: RuleSet) -> None:
    """Keep the rule set; a cache that cannot be written only costs time, so that is no error."""
    try:
        stored.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(dir=stored.parent)
        with os.fdopen(descriptor, "wb") as file:
            body = msgspec.msgpack.encode(rules)
            file.write(hashlib.sha256(body).digest() + body)
        Path(name).replace(stored)
    except OSError:
        return
