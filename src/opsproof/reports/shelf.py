"""The folder of issued reports: numbers are never used twice, nothing issued is overwritten."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from urllib.parse import quote

import msgspec

from opsproof.evidence.files import replace_durably, sync_folder
from opsproof.reports.model import DailySheet

_NUMBER = re.compile(r"(RPT-[A-Z]-[0-9]+)(?:-r([0-9]+))?")


class Shelf:
    """Reports of one kind in one folder: ``NUMBER.json`` and ``NUMBER.LANGUAGE.html``."""

    def __init__(self, folder: Path) -> None:
        """The folder need not exist yet."""
        self.folder = folder

    def issue(self, build: Callable[[int], DailySheet]) -> DailySheet:
        """The sheet under the number it has already, else under the next free revision.

        ``build`` makes it for a revision. Revisions differ in content; the same content again is
        the revision that was issued last.
        """
        revision = 0
        while True:
            sheet = build(revision)
            path = self.folder / f"{sheet.id}.json"
            later = self.folder / f"{build(revision + 1).id}.json"
            if not path.exists() or (path.read_bytes() == data_of(sheet) and not later.exists()):
                return sheet
            revision += 1

    def before(self, number: str) -> str:
        """The last issue of the newest report whose number sorts before ``number``; may be empty."""
        found = []
        for path in self.folder.glob("*.json"):
            match = _NUMBER.fullmatch(path.stem)
            if match and match[1] < number:
                found.append((match[1], int(match[2] or 0), path.stem))
        return max(found, default=("", 0, ""))[2]

    def put(self, sheet: DailySheet, pages: Mapping[str, str]) -> list[Path]:
        """Write data and pages, each whole or not at all; returns the pages' paths."""
        self.folder.mkdir(parents=True, exist_ok=True)
        replace_durably(self.folder / f"{sheet.id}.json", data_of(sheet))
        written = []
        for language, page in pages.items():
            path = self.folder / f"{sheet.id}.{language}.html"
            replace_durably(path, page.encode())
            written.append(path)
        sync_folder(self.folder)
        return written

    def address_of(self, folder: Path) -> str:
        """The relative address of another folder as a page on this shelf must write it."""
        return quote(Path(os.path.relpath(folder, self.folder)).as_posix())


def data_of(sheet: DailySheet) -> bytes:
    """The sheet as the JSON file beside its pages."""
    return msgspec.json.format(msgspec.json.encode(sheet), indent=1) + b"\n"
