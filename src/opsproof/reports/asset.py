"""Who answers for a host, and texts in both languages: what every part of a sheet uses."""

from __future__ import annotations

from opsproof.evidence.model import Record

Bilingual = dict[str, str]
"""A text by language tag, ``zh-CN`` and ``en``."""


class Asset(Record, frozen=True, kw_only=True):
    """Who answers for a host; from the run record's copy of the asset register (F-1)."""

    code: str = ""
    department: str = ""
    owner: str = ""
    criticality: str = ""
    application: str = ""
