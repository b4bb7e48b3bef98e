"""Writes controls/hardening.yml from the baselines.

Run it after changing a baseline: python scripts/hardening_controls.py
"""

from __future__ import annotations

from pathlib import Path

from opsproof.policy.baseline_yaml import load
from opsproof.policy.controls import controls_yaml

PROJECT = Path(__file__).resolve().parents[1]
BASELINES = ("member-server", "iis-server")


def written() -> str:
    """What the file should hold."""
    return controls_yaml(load(PROJECT / "baselines" / f"{name}.yml") for name in BASELINES)


if __name__ == "__main__":
    (PROJECT / "controls" / "hardening.yml").write_text(written(), encoding="utf-8")
