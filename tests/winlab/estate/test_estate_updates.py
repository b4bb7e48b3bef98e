"""Updates of an estate file become a host's catalogue and policy."""

from __future__ import annotations

import pytest
from tests.winlab.estate.conftest import Builder

from winlab.estate.errors import EstateError
from winlab.estate.schema import parse_estate

ESTATE = """
estate: 1
updates:
  - {kb: "5000001", title: One, os: ["2022"]}
  - {kb: "5000002", title: Two, supersedes: ["5000001"]}
hosts:
  - {name: new, os: "2022", updates: {installed: ["5000002"]}}
  - {name: old, os: "2016", updates: {approved: []}}
  - {name: away, os: "2022", updates: {wsus: unreachable, error: "0x80072EE2"}}
  - {name: alone, os: "2022", updates: {wsus: none}}
  - name: ill
    os: "2022"
    updates: {trouble: [{kb: "5000002", fails: ["0x80073701"], rollbacks: 2, id: other}]}
"""


def test_each_host_has_what_fits_its_release(build: Builder) -> None:
    built = build(ESTATE)
    catalogue = {name: item.host.updates.catalogue for name, item in built.items()}
    assert {u.kb[0] for u in catalogue["new"].values()} == {"5000001", "5000002"}
    assert {u.kb[0] for u in catalogue["old"].values()} == {"5000002"}
    assert set(catalogue["new"]) & set(catalogue["old"]) == set()
    assert built["new"].host.updates.dump()["installed_kbs"] == ["5000002"]


def test_the_policy_points_at_the_server_unless_there_is_none(build: Builder) -> None:
    built = build(ESTATE)
    assert built["old"].host.updates.search("managed_server") == []
    assert built["away"].host.updates.wsus.error == 0x80072EE2
    key = "HKLM\\SOFTWARE\\Policies\\Microsoft\\Windows\\WindowsUpdate"
    assert built["alone"].host.registry.value(key, "WUServer") is None


def test_trouble_is_of_one_host(build: Builder) -> None:
    ill = build(ESTATE)["ill"].host.updates.catalogue["other"]
    assert (ill.install_errors, ill.rollbacks) == ((0x80073701,), 2)


def test_a_number_that_no_update_has_is_refused() -> None:
    with pytest.raises(EstateError) as caught:
        parse_estate('estate: 1\nhosts: [{name: a, updates: {installed: ["5000009"]}}]')
    assert "no update has KB5000009" in str(caught.value)
