"""What a check of the doctor says."""

from __future__ import annotations

from enum import StrEnum

import msgspec


class Health(StrEnum):
    """How a check came out, from the worst to the best."""

    FAILED = "failed"
    WARNING = "warning"
    OK = "ok"
    SKIPPED = "skipped"


class Check(msgspec.Struct, frozen=True):
    """One answer. ``remedy`` says what to do and is there whenever ``health`` is not ok."""

    name: str
    health: Health
    detail: str
    remedy: str = ""


def ok(name: str, detail: str) -> Check:
    """It is as it must be."""
    return Check(name, Health.OK, detail)


def warning(name: str, detail: str, remedy: str) -> Check:
    """It works, and will not for long or not for everybody."""
    return Check(name, Health.WARNING, detail, remedy)


def failed(name: str, detail: str, remedy: str) -> Check:
    """A run would fail on it."""
    return Check(name, Health.FAILED, detail, remedy)


def worst(checks: list[Check]) -> Health:
    """The worst of several; ``skipped`` for none."""
    order = list(Health)
    return min((check.health for check in checks), key=order.index, default=Health.SKIPPED)
