from __future__ import annotations

from pathlib import Path

import pytest

from opsproof.controls import load, parse_controls
from opsproof.controls.strict_yaml import YamlError
from opsproof.evidence.canonical import canonical

GOOD = """\
activity: inspection
controls:
  - id: INS-DISK-001
    title: {zh: 磁盘, en: Disk}
    remedy:
      zh: 清理
      en: Clean up
    subject: host
    severity: high
    demands: [B-1, A-7.10]
    clauses:
      - {id: "gbt22239-2019:8.1.7.5.a", reviewed: false}
    applies: {path: disks, present: true}
    test: {every: disks, where: {path: kind, equals: fixed}, holds: {path: free, at_least: 10}}
"""


def controls(text: str, *more: str) -> list[str]:
    files = {f"{n}.yml": part.encode() for n, part in enumerate((text, *more))}
    return [control.id for control in parse_controls(files)]


def changed(old: str, new: str) -> str:
    assert old in GOOD
    return GOOD.replace(old, new)


def test_a_control_is_read_whole() -> None:
    (control,) = parse_controls({"inspection.yml": GOOD.encode()})
    assert control.activity == "inspection"
    assert control.title.zh == "磁盘"
    assert control.demands == ("B-1", "A-7.10")
    assert [(c.id, c.reviewed) for c in control.clauses] == [("gbt22239-2019:8.1.7.5.a", False)]
    assert control.as_json()["test"] == {
        "every": "disks",
        "where": {"path": "kind", "equals": "fixed"},
        "holds": {"path": "free", "at_least": 10},
        "least": 1,
    }
    assert canonical(control.as_json())


def test_the_hash_of_a_control_follows_from_its_meaning_only() -> None:
    (first,) = parse_controls({"a.yml": GOOD.encode()})
    (same,) = parse_controls(
        {"b.yml": changed("{zh: 磁盘, en: Disk}", "{en: Disk, zh: 磁盘}").encode()}
    )
    (other,) = parse_controls({"a.yml": changed("at_least: 10", "at_least: 5").encode()})
    assert first.sha256 == same.sha256
    assert first.sha256 != other.sha256


@pytest.mark.parametrize(
    ("text", "error"),
    [
        (
            changed("severity: high", "severity: bad"),
            "0.yml:9: 'bad' is not one of critical, high, ",
        ),
        (changed("subject: host", "subject: thing"), "0.yml:8: 'thing' is not one of host, site, "),
        (
            changed("INS-DISK-001", "disk"),
            "0.yml:3: 'disk' is not a control id such as INS-DISK-001",
        ),
        (changed("[B-1, A-7.10]", "[B1]"), "0.yml:10: 'B1' is not a demand id such as B-1"),
        (changed("    subject: host\n", ""), "0.yml:3: lacks subject"),
        (
            changed("    subject: host", "    colour: red\n    subject: host"),
            "0.yml:8: has the unknown key 'colour'",
        ),
        (
            changed("    severity: high", "    severity: high\n    severity: low"),
            "0.yml:10: the key 'severity' stands there twice",
        ),
        (changed("zh: 清理\n", "zh: 清理\n      de: x\n"), "0.yml:7: has the unknown key 'de'"),
        (changed("      en: Clean up\n", ""), "0.yml:5: lacks en"),
        (changed("en: Clean up", "en: ''"), "0.yml:7: 'en' is not text"),
        (changed("at_least: 10}", "at_least: 10.5}"), "0.yml:14: 10.5 is a float"),
        (changed("at_least: 10}", "at_least: ten}"), "0.yml:14: 'ten' is no value for 'at_least'"),
        (
            changed("at_least: 10}", "roughly: 10}"),
            "0.yml:14: the operator 'roughly' does not exist",
        ),
        (
            changed("at_least: 10}", "at_least: 10, at_most: 3}"),
            "0.yml:14: ['at_least', 'at_most', 'path'] is not a condition",
        ),
        (
            changed("{path: disks, present: true}", "{path: disks, present: yes}"),
            "0.yml:13: 'yes' is no value for 'present'",
        ),
        (
            changed("{path: disks, present: true}", "{path: 'Disks[0]', present: true}"),
            "0.yml:13: 'Disks[0]' is not a path of facts",
        ),
        (changed("{path: disks, present: true}", "{any: []}"), "0.yml:13: 'any' is empty"),
        (
            changed("{path: disks, present: true}", "{all: [], x: 1}"),
            "0.yml:13: has the unknown key 'x'",
        ),
        (
            changed("reviewed: false", "reviewed: true"),
            "0.yml:12: a reviewed clause names its reviewer",
        ),
        (changed("gbt22239-2019:8.1.7.5.a", "8.1.7"), "0.yml:12: '8.1.7' is not a clause id"),
        ("activity: x\ncontrols: []\n", "0.yml:2: 'controls' is not a list of controls"),
        ("- 1\n", "0.yml:1: is not a mapping"),
        ("a: [\n", "0.yml:2: is not YAML: "),
        ("a: &x 1\nb: *x\n", "0.yml: uses an alias (*name)"),
        (
            "a: !!python/object:os.system x\n",
            "0.yml:1: the tag tag:yaml.org,2002:python/object:os.system is not allowed",
        ),
    ],
)
def test_what_is_wrong_is_named_with_file_and_line(text: str, error: str) -> None:
    with pytest.raises(YamlError) as caught:
        controls(text)
    assert str(caught.value).startswith(f"controls/{error}")


def test_ids_are_unique_over_all_files() -> None:
    with pytest.raises(YamlError) as caught:
        controls(GOOD, GOOD)
    assert str(caught.value) == (
        "controls/1.yml:3: the control id INS-DISK-001 is used in controls/0.yml:3 already"
    )


def test_a_folder_without_controls_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(YamlError, match="holds no controls"):
        load(tmp_path)


def test_a_folder_is_read_sorted_by_id(tmp_path: Path) -> None:
    (tmp_path / "a.yml").write_text(changed("INS-DISK-001", "INS-Z-1"), encoding="utf-8")
    (tmp_path / "b.yml").write_text(GOOD, encoding="utf-8")
    assert [control.id for control in load(tmp_path)] == ["INS-DISK-001", "INS-Z-1"]


OWNED = GOOD.replace(
    "activity: inspection\n",
    'activity: inspection\nowner_remedy: {zh: "由 {owner} 决定", en: "Ask {owner}"}\n',
).replace("    applies:", "    owner: policy.gpo\n    applies:")


def test_an_owner_is_part_of_the_control_and_none_leaves_its_hash_as_it_was() -> None:
    (owned,) = parse_controls({"a.yml": OWNED.encode()})
    (plain,) = parse_controls({"a.yml": GOOD.encode()})
    assert owned.owner is not None
    assert owned.owner.path == "policy.gpo"
    assert owned.as_json()["owner"]["remedy"] == {"zh": "由 {owner} 决定", "en": "Ask {owner}"}
    assert "owner" not in plain.as_json()
    assert owned.sha256 != plain.sha256


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('owner_remedy: {zh: "由 {owner} 决定", en: "Ask {owner}"}\n', "", "no remedy for owners"),
        ("Ask {owner}", "Ask somebody", "does not name the owner"),
        ("policy.gpo", "Policy GPO", "is not a path"),
    ],
)
def test_an_owner_that_nobody_could_name_is_refused(old: str, new: str, said: str) -> None:
    with pytest.raises(YamlError, match=said):
        controls(OWNED.replace(old, new))
