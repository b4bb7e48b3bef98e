from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from scripts.hardening_controls import written

from opsproof.controls import Control, check_schemas, parse_controls
from opsproof.controls.conditions import NotCollectedError, holds
from opsproof.policy.baseline import Setting, meets
from opsproof.policy.baseline_yaml import load_layers
from opsproof.policy.controls import DOMAIN_ID, STOPPED_ID, TAKEN_BACK_ID
from opsproof.policy.targets import Right, Service, Value

PROJECT = Path(__file__).resolve().parents[2]
SETTINGS = [
    one for layer in load_layers(["iis-server"], PROJECT / "baselines") for one in layer.settings
]


@pytest.fixture(scope="module")
def controls() -> dict[str, Control]:
    data = (PROJECT / "controls" / "hardening.yml").read_bytes()
    return {control.id: control for control in parse_controls({"hardening.yml": data})}


def test_the_file_of_controls_is_what_the_baselines_say() -> None:
    shipped = (PROJECT / "controls" / "hardening.yml").read_text(encoding="utf-8")
    assert shipped == written(), "run scripts/hardening_controls.py"


def test_every_setting_has_a_control_that_asks_for_facts_that_exist(
    controls: dict[str, Control],
) -> None:
    assert set(controls) == {one.id for one in SETTINGS} | {DOMAIN_ID, STOPPED_ID, TAKEN_BACK_ID}
    check_schemas(controls.values())


def values(setting: Setting) -> list[Value | None]:
    wanted = setting.value
    found: list[Value | None] = [wanted]
    if not isinstance(setting.target, Right):
        found.append(None)
    if isinstance(wanted, int):
        found += [wanted + 1, max(wanted - 1, 0), 0, *([3] if wanted < 4 else [])]
    elif isinstance(wanted, tuple):
        found += [(*wanted, "S-1-5-7"), ()]
    elif isinstance(setting.target, Service):
        found += ["auto", "demand"]
    elif isinstance(wanted, str):
        found += [wanted + "x"]
    else:
        found += [0, 1]
    return found


def test_a_control_judges_as_the_planner_does(controls: dict[str, Control]) -> None:
    for setting in SETTINGS:
        for value in values(setting):
            fact: dict[str, Any] = {
                "present": value is not None,
                "value": sorted(value) if isinstance(value, tuple) else value,
            }
            verdict = holds(controls[setting.id].test, {"settings": {setting.slug: fact}})
            assert verdict is meets(setting, value), (setting.id, value)


@pytest.mark.parametrize(
    ("control", "fact", "named"),
    [
        (TAKEN_BACK_ID, "taken_back", ["HRD-URA-012"]),
        (STOPPED_ID, "stopped", ["service W32Time", "port 443"]),
    ],
)
def test_an_auditor_sees_that_an_apply_was_taken_back_or_broke_something(
    controls: dict[str, Control], control: str, fact: str, named: list[str]
) -> None:
    test = controls[control].test
    assert holds(test, {"taken_back": [], "stopped": []})
    assert not holds(test, {"taken_back": [], "stopped": [], fact: named})


def test_nothing_is_judged_on_a_host_that_was_not_read_again(controls: dict[str, Control]) -> None:
    facts = {"settings": None, "taken_back": None, "stopped": None}
    for control in controls.values():
        if control.id != DOMAIN_ID:
            with pytest.raises(NotCollectedError):
                holds(control.test, facts)


def test_layers_and_releases_narrow_their_controls(controls: dict[str, Control]) -> None:
    layer = controls["HRD-IIS-001"].applies
    assert layer is not None
    assert holds(layer, {"baselines": ["member-server", "iis-server"]})
    assert not holds(layer, {"baselines": ["member-server"]})
    [limited] = [c for c in controls.values() if c.id == next(s.id for s in SETTINGS if s.releases)]
    assert limited.applies is not None
    assert not holds(limited.applies, {"release": "2016"})
