from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from opsproof.controls.model import Text
from opsproof.controls.strict_yaml import YamlError
from opsproof.errors import UsageError
from opsproof.evidence.model import Severity
from opsproof.policy.baseline import Comparison, Setting, for_host, layered, meets
from opsproof.policy.baseline_write import dump
from opsproof.policy.baseline_yaml import load, load_layers, read
from opsproof.policy.registry import RegistryPath, RegistryType
from opsproof.policy.targets import Audit, Registry, Right, Service, SystemAccess, Target, Value

BASELINES = Path(__file__).resolve().parents[2] / "baselines"
LENGTH = Setting(
    "HRD-ACC-001",
    Text("长度", "Length"),
    "account-policy",
    SystemAccess("MinimumPasswordLength"),
    Comparison.AT_LEAST,
    14,
    Severity.MEDIUM,
    ("x:y",),
)
VALUE = Registry(RegistryPath("HKLM", "SOFTWARE\\A", "B"), RegistryType.DWORD)


def setting(target: Target, comparison: str, value: Value | None) -> Setting:
    return replace(LENGTH, target=target, comparison=Comparison(comparison), value=value)


@pytest.mark.parametrize(
    ("one", "observed", "good"),
    [
        (setting(VALUE, "equal", 1), 1, True),
        (setting(VALUE, "equal", 1), 0, False),
        (setting(VALUE, "equal", 1), None, False),
        (LENGTH, 15, True),
        (LENGTH, 13, False),
        (setting(SystemAccess("LockoutDuration"), "at_least", 15), -1, True),
        (setting(SystemAccess("MaximumPasswordAge"), "at_most_not_zero", 60), 0, False),
        (setting(SystemAccess("MaximumPasswordAge"), "at_most_not_zero", 60), 60, True),
        (setting(SystemAccess("MaximumPasswordAge"), "at_most_not_zero", 60), -1, False),
        (setting(VALUE, "absent", None), None, True),
        (setting(VALUE, "absent", None), 0, False),
        (setting(Audit("{x}"), "contains", 1), 3, True),
        (setting(Audit("{x}"), "contains", 2), 1, False),
        (setting(Right("SeTcbPrivilege"), "equal", ()), None, True),
        (setting(Right("SeX"), "equal", ("S-1-5-6", "S-1-5-19")), ("S-1-5-19", "s-1-5-6"), True),
        (setting(Right("SeX"), "contains", ("S-1-5-6",)), ("S-1-5-19",), False),
        (setting(Right("SeX"), "contains", ("S-1-5-6",)), ("S-1-5-19", "S-1-5-6"), True),
        (setting(Service("Spooler"), "equal", "disabled"), None, True),
        (setting(Service("Spooler"), "equal", "disabled"), "auto", False),
    ],
)
def test_values_are_held_against_settings(one: Setting, observed: Value | None, good: bool) -> None:
    assert meets(one, observed) is good


def test_shipped_baselines_are_large_enough_and_every_setting_cites_its_source() -> None:
    base, layer = load_layers(["iis-server"], BASELINES)
    assert (base.id, layer.id, layer.over) == ("member-server", "iis-server", "member-server")
    assert len(base.settings) >= 250
    assert all(one.sources for one in (*base.settings, *layer.settings))
    for release in base.releases:
        assert len(for_host(layered([base]), release=release, overrides={})) >= 250


@pytest.mark.parametrize("name", ["member-server", "iis-server"])
def test_shipped_baselines_are_written_as_we_write_them(name: str) -> None:
    file = BASELINES / f"{name}.yml"
    assert dump(load(file)) == file.read_text(encoding="utf-8")


def test_a_layer_decides_over_what_is_below_and_adds_its_own() -> None:
    base = load(BASELINES / "member-server.yml")
    stricter = replace(LENGTH, id="OWN-ACC-001", value=20)
    layer = replace(base, id="own", settings=(stricter,), over="member-server")
    found = layered([base, layer])
    assert len(found) == len(base.settings)
    assert stricter in found


def test_two_targets_under_one_id_are_refused() -> None:
    base = load(BASELINES / "member-server.yml")
    layer = replace(base, settings=(replace(LENGTH, target=VALUE),))
    with pytest.raises(UsageError, match="two layers use the id HRD-ACC-001"):
        layered([base, layer])


def test_a_host_may_deviate_by_value_or_leave_a_setting_alone() -> None:
    other = replace(LENGTH, id="HRD-ACC-002", target=VALUE, comparison=Comparison.EQUAL, value=1)
    third = replace(
        LENGTH, id="HRD-ACC-003", target=Service("X"), value="disabled", releases=("2019",)
    )
    found = for_host(
        (LENGTH, other, third), release="2022", overrides={"HRD-ACC-001": 20, "HRD-ACC-002": None}
    )
    assert found == (replace(LENGTH, comparison=Comparison.EQUAL, value=20),)


@pytest.mark.parametrize(
    ("overrides", "what"),
    [
        ({"HRD-NIX-001": 1}, "there is no setting HRD-NIX-001"),
        ({"HRD-ACC-001": "14"}, "'14' is no value for HRD-ACC-001"),
    ],
)
def test_wrong_overrides_are_refused(overrides: dict[str, Value | None], what: str) -> None:
    with pytest.raises(UsageError, match=what):
        for_host((LENGTH,), release="2022", overrides=overrides)


HEAD = """baseline: own
title: {zh: 自己, en: own}
releases: ["2022"]
sources:
  x: {title: X, where: y}
settings:
"""
GOOD = """  - id: OWN-A-001
    title: {zh: 一, en: one}
    category: c
    set: {system_access: MinimumPasswordLength}
    compare: at_least
    value: 14
    severity: high
    sources: ["x:place"]
"""


@pytest.mark.parametrize(
    ("old", "new", "line", "what"),
    [
        ("    severity: high\n", "", 7, "lacks severity"),
        (
            "value: 14",
            "value: long",
            12,
            "'long' is no value for [System Access] MinimumPasswordLength",
        ),
        (
            '["x:place"]',
            '["z:place"]',
            14,
            "'z:place' is not one of the file's sources and a place in it",
        ),
        ('["x:place"]', "[]", 14, "cites no source"),
        (
            "compare: at_least",
            "compare: about",
            11,
            "'about' is not one of equal, at_least, at_most_not_zero, contains, absent",
        ),
        ("{system_access: MinimumPasswordLength}", "{magic: X}", 10, "sets nothing that is known"),
        (
            "{system_access: MinimumPasswordLength}",
            "{right: Admin}",
            10,
            "'Admin' is not a right such as SeTcbPrivilege",
        ),
        (
            "{system_access: MinimumPasswordLength}",
            '{registry: "HKCR\\\\A", name: B, type: dword}',
            10,
            "'HKCR\\\\A' is not a key below HKLM or HKCU",
        ),
        ("    value: 14\n", "", 7, "lacks value"),
        ("category: c", "category: c\n    extra: 1", 10, "has the unknown key 'extra'"),
    ],
)
def test_files_that_are_not_right_are_refused_with_their_line(
    old: str, new: str, line: int, what: str
) -> None:
    text = (HEAD + GOOD).replace(old, new)
    with pytest.raises(YamlError) as caught:
        read(text.encode(), name="own.yml")
    assert (caught.value.what, caught.value.where) == (what, f"own.yml:{line}")


def test_one_target_may_stand_once() -> None:
    twin = GOOD.replace("OWN-A-001", "OWN-A-002")
    with pytest.raises(YamlError, match="has the same target"):
        read((HEAD + GOOD + twin).encode(), name="own.yml")


def test_a_circle_of_layers_is_refused(tmp_path: Path) -> None:
    for name, over in (("a", "b"), ("b", "a")):
        text = (HEAD + GOOD).replace("baseline: own", f"baseline: {name}\nover: {over}")
        (tmp_path / f"{name}.yml").write_text(text, encoding="utf-8")
    with pytest.raises(YamlError, match="a over b over a is a circle"):
        load_layers(["a"], tmp_path)
