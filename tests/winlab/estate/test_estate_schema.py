"""Estate files are checked whole, and every error says where and what to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from winlab.estate.errors import EstateError
from winlab.estate.schema import all_hosts, load_estate, parse_estate

ROOT = Path(__file__).parents[3]

GOOD = """
estate: 1
hosts:
  - name: web-01
    role: web
    certificates: [{id: web}]
    iis:
      sites:
        - name: Main
          bindings: [{port: 8080}, {port: 8443, protocol: https, certificate: web}]
groups:
  - {prefix: bulk-, count: 12, host: {name: x, memory_gb: 2}}
"""


def test_groups_unroll_into_numbered_hosts() -> None:
    names = [host.name for host in all_hosts(parse_estate(GOOD))]
    assert names == ["web-01", *(f"bulk-{n:02}" for n in range(1, 13))]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("estate: 2\nhosts: [{name: a}]", "e.yml: estate: Invalid enum value 2"),
        ("estate: 1", "e.yml: hosts: there is no host (add one host or one group)"),
        ("hosts: [{name: a}]", "e.yml: Object missing required field `estate`"),
        (
            "estate: 1\nhosts: [{name: a, colour: red}]",
            "e.yml: hosts[0]: Object contains unknown field `colour`",
        ),
        ("estate: 1\nhosts: [{name: A_B}]", "e.yml: hosts[0].name: Expected `str` matching regex"),
        (
            "estate: 1\nhosts: [{name: a, disks: [{letter: c}]}]",
            "e.yml: hosts[0].disks[0].letter: Expected `str` matching regex",
        ),
        (
            "estate: 1\nhosts: [{name: a, os: '2025'}]",
            "e.yml: hosts[0].os: Invalid enum value '2025'",
        ),
        (
            "estate: 1\nhosts: [{name: a}, {name: a}]",
            "e.yml: hosts[a]: is there twice (give every host its own name)",
        ),
        (
            "estate: 1\nhosts: [{name: long-enough-name-1}, {name: long-enough-name-2}]",
            "e.yml: hosts[long-enough-name-2]: has the computer name LONG-ENOUGH-NAM, "
            "as long-enough-name-1 has (let names differ in their first 15 letters",
        ),
        (
            "estate: 1\nhosts: [{name: a, peers: [b]}]",
            "e.yml: hosts[a].peers: b is no host of this estate (add that host)",
        ),
        (
            "estate: 1\nhosts: [{name: a, files: [{path: 'C:\\x', text: t, source: s}]}]",
            "e.yml: hosts[a].files[C:\\x]: needs text or source, and not both (give one of them)",
        ),
        (
            "estate: 1\nhosts: [{name: a, files: [{path: 'x', text: t}]}]",
            "e.yml: hosts[a].files[x]: is no absolute path (begin with C:\\)",
        ),
        (
            "estate: 1\nhosts: [{name: a, iis: {sites: [{name: s, bindings: [{port: 5985}]}]}}]",
            "e.yml: hosts[a].iis.sites[s].bindings: port 5985 is taken on this host "
            "(choose another port)",
        ),
        (
            "estate: 1\nhosts: [{name: a, iis: {sites: "
            "[{name: s, bindings: [{port: 1, protocol: https}]}]}}]",
            "e.yml: hosts[a].iis.sites[s].bindings: https needs a certificate; None is none of this "
            "host's (name the id of one under certificates)",
        ),
        (
            "estate: 1\nhosts: [{name: a, incidents: [{kind: sql-injection, site: s}]}]",
            "e.yml: hosts[a].incidents: there is no site 's' (name a site)",
        ),
        ("estate: 1\nhosts: [\n", "e.yml: line "),
    ],
)
def test_what_is_wrong_is_named_with_its_place(text: str, message: str) -> None:
    with pytest.raises(EstateError) as caught:
        parse_estate(text, "e.yml")
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)
    assert caught.value.remedy
    assert int(caught.value.exit_code) == 2


def test_a_missing_file_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(EstateError, match=r"no\.yml: cannot be read \(No such file"):
        load_estate(tmp_path / "no.yml")


def test_the_demonstration_estate_has_the_hosts_of_the_contract() -> None:
    hosts = {
        host.name: host for host in all_hosts(load_estate(ROOT / "inventories/lab/estate.yml"))
    }
    assert len(hosts) == 22
    assert sum(name.startswith("app-") for name in hosts) == 13
    legacy = [host for name, host in hosts.items() if name.startswith("sql-")]
    assert [host.sql_edition for host in legacy] == ["Standard"] * 6 + ["Enterprise"] * 2
    assert all(host.winrm is not None and not host.winrm.https for host in legacy)
    assert hosts["mgmt-01"].peers == tuple(sorted(host.name for host in legacy))
    assert {host.os for name, host in hosts.items() if name.startswith("app")} == {
        "2016",
        "2019",
        "2022",
    }
    assert {host.locale for host in hosts.values()} == {"zh-CN", "en-US"}
