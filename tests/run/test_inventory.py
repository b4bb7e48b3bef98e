from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from opsproof.errors import UsageError
from opsproof.run.environment import scrubbed, tool
from opsproof.run.inventory import (
    Inventory,
    InventoryHost,
    digest,
    is_secret,
    planned,
    resolve,
    secrets,
)
from opsproof.run.vault import known_secrets, with_resolved


@pytest.fixture
def env(project: Path) -> dict[str, str]:
    return scrubbed(os.environ, project / "ansible.cfg")


def of(**variables: object) -> Inventory:
    return Inventory(Path("x"), "x", "", {"h1": InventoryHost("h1", (), dict(variables))})


def test_hosts_groups_variables_and_assets_are_as_ansible_sees_them(
    project: Path, env: dict[str, str]
) -> None:
    (project / "inventory" / "schedule.yml").write_text("items: []\n")
    found = resolve(project / "inventory", env, project)
    assert sorted(found.hosts) == ["h1", "h2", "h3"]
    assert found.hosts["h1"].groups == ("all", "web")
    assert found.hosts["h1"].asset == {"code": "AST-1"}
    assert found.hosts["h2"].variables["free_percent"] == 3
    assert found.zone.key == "Asia/Shanghai"


def test_planned_hosts_follow_plays_and_limit(project: Path, env: dict[str, str]) -> None:
    playbook = project / "playbooks" / "two.yml"
    playbook.write_text("- hosts: web\n- hosts: other:h1\n- hosts: none_such\n")
    inventory = project / "inventory"
    assert planned(playbook, inventory, None, env, project) == [("h1", "h2"), ("h1", "h3"), ()]
    assert planned(playbook, inventory, "!h1", env, project) == [("h2",), ("h3",), ()]
    with pytest.raises(UsageError, match="leaves us with no hosts to target"):
        planned(playbook, inventory, "none", env, project)
    playbook.write_text("- hosts: none_such\n")
    with pytest.raises(UsageError, match="no host is left to work on"):
        planned(playbook, inventory, None, env, project)


@pytest.mark.parametrize(
    ("text", "message"),
    [("all: [", "failed to parse inventory source"), ("all: {}\n", "holds no host")],
)
def test_an_inventory_that_cannot_be_used_is_one_line(
    project: Path, env: dict[str, str], text: str, message: str
) -> None:
    (project / "inventory" / "hosts.yml").write_text(text)
    with (project / "ansible.cfg").open("a") as file:
        file.write("[inventory]\nany_unparsed_is_failed = true\n")
    with pytest.raises(UsageError) as caught:
        resolve(project / "inventory", env, project)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_inventory_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no such inventory"):
        resolve(tmp_path / "none", {}, tmp_path)


@pytest.mark.parametrize(
    "name",
    [
        "ansible_password",
        "db_passwd",
        "api_key",
        "SERVICE_TOKEN",
        "vault_x",
        "x_secret",
        "passphrase",
    ],
)
def test_names_of_secrets(name: str) -> None:
    assert is_secret(name)


@pytest.mark.parametrize(
    "name", ["ansible_user", "ansible_winrm_ca_trust_path", "keyboard", "passage"]
)
def test_names_of_no_secrets(name: str) -> None:
    assert not is_secret(name)


def test_plain_secrets_are_known_at_once_and_short_ones_left_out() -> None:
    assert secrets(of(ansible_password="hunter22", pass_word="x", token="abc")) == (
        frozenset({"hunter22"}),
        False,
    )


@pytest.mark.parametrize(
    "variables",
    [{"ansible_password": "{{ vault_x }}"}, {"anything": {"__ansible_vault": "$ANSIBLE_VAULT"}}],
)
def test_templates_and_vaulted_values_must_be_resolved(variables: dict[str, object]) -> None:
    assert secrets(of(**variables)) == (frozenset(), True)


def test_ansible_resolves_vaulted_and_templated_secrets_and_connections(
    project: Path, env: dict[str, str]
) -> None:
    (project / "vault-password").write_text("open sesame\n")
    env["ANSIBLE_VAULT_PASSWORD_FILE"] = str(project / "vault-password")
    vaulted = subprocess.run(
        [tool("ansible-vault"), "encrypt_string", "vaulted-77", "--name", "plainly_named"],
        env=env, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    variables = project / "inventory" / "host_vars"
    variables.mkdir()
    (variables / "h1.yml").write_text(vaulted)
    (variables / "h2.yml").write_text(
        json.dumps({"ansible_password": "x-{{ 40 + 2 }}-y", "ansible_host": "{{ 'web' ~ 1 }}"})
    )
    found = resolve(project / "inventory", env, project)
    assert known_secrets(found, env, project) == {"vaulted-77", "x-42-y"}
    again, known = with_resolved(found, env, project)
    assert again.hosts["h2"].variables["ansible_host"] == "web1"
    assert known == {"vaulted-77", "x-42-y"}


def test_a_secret_that_cannot_be_resolved_stops_the_run(project: Path, env: dict[str, str]) -> None:
    variables = project / "inventory" / "host_vars"
    variables.mkdir()
    (variables / "h1.yml").write_text(json.dumps({"ansible_password": "{{ nowhere }}"}))
    found = resolve(project / "inventory", env, project)
    with pytest.raises(
        Exception, match=r"its variables cannot be resolved: .*'nowhere' is undefined"
    ):
        known_secrets(found, env, project)


def test_the_digest_changes_with_any_file_and_not_with_caches(tmp_path: Path) -> None:
    (tmp_path / "hosts.yml").write_text("all:\n")
    before = digest(tmp_path)
    (tmp_path / "__pycache__").mkdir()
    (tmp_path / "__pycache__" / "x.pyc").write_text("x")
    assert digest(tmp_path) == before
    (tmp_path / "group_vars").mkdir()
    (tmp_path / "group_vars" / "all.yml").write_text("x: 1\n")
    assert digest(tmp_path) != before


def test_hosts_that_disagree_on_the_time_zone_are_refused() -> None:
    both = Inventory(
        Path("x"),
        "x",
        "",
        {
            "h1": InventoryHost("h1", (), {}),
            "h2": InventoryHost("h2", (), {"estate_time_zone": "Europe/Berlin"}),
        },
    )
    with pytest.raises(UsageError, match="hosts disagree on estate_time_zone"):
        _ = both.zone
    for zone in ("Mars/Olympus", "Asia", "../x"):
        with pytest.raises(UsageError, match="is not a time zone"):
            _ = of(estate_time_zone=zone).zone
