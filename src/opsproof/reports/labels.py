"""The label catalogue: every word that a report prints of its own, in every language."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

import yaml

from opsproof.errors import OpsproofError
from opsproof.reports.model import LANGUAGES, Bilingual


class LabelError(OpsproofError):
    """The catalogue lacks a key, or a key lacks a language."""


class Labels:
    """The catalogue in one language. Calling it fills a label's ``{names}``."""

    def __init__(self, catalogue: dict[str, Bilingual], language: str) -> None:
        """``catalogue`` maps keys to texts by language tag."""
        self.language = language
        self._catalogue = catalogue

    def __call__(self, key: str, **values: object) -> str:
        """The text of ``key``.

        Raises:
            LabelError: the catalogue has no such key in this language.
        """
        return fill(self._catalogue, key, self.language, **values)

    def pick(self, text: Bilingual) -> str:
        """The text in this language, else in the first language that has it."""
        return text.get(self.language) or next(
            (text[tag] for tag in LANGUAGES if text.get(tag)), ""
        )


def both(key: str, **values: object) -> Bilingual:
    """The label in all languages, for a model that carries its texts.

    Raises:
        LabelError: the catalogue has no such key in some language.
    """
    return {tag: fill(catalogue(), key, tag, **values) for tag in LANGUAGES}


def labels(language: str) -> Labels:
    """The catalogue in ``language``."""
    return Labels(catalogue(), language)


def fill(texts: dict[str, Bilingual], key: str, language: str, **values: object) -> str:
    """One label with its ``{names}`` filled in.

    Raises:
        LabelError: ``texts`` has no such key in this language.
    """
    try:
        return texts[key][language].format_map(values)
    except KeyError as error:
        raise LabelError(f"no label {key!r} in {language}", where="labels.yml") from error


@cache
def catalogue() -> dict[str, Bilingual]:
    """The shipped catalogue: key to text by language."""
    text = (files("opsproof.reports") / "data" / "labels.yml").read_text(encoding="utf-8")
    loaded: dict[str, Bilingual] = yaml.safe_load(text)
    return loaded
