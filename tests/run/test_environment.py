from __future__ import annotations

from pathlib import Path

from opsproof.run.environment import ALLOWED, scrubbed


def test_only_listed_variables_of_the_caller_pass() -> None:
    env = scrubbed({"HOME": "/home/x", "AWS_SECRET_ACCESS_KEY": "canary", "TOKEN": "canary"}, None)
    assert env["HOME"] == "/home/x"
    assert "canary" not in env.values()


def test_no_listed_name_is_that_of_a_secret() -> None:
    words = ("PASSWORD", "SECRET", "TOKEN", "KEY")
    allowed = {"ANSIBLE_VAULT_PASSWORD_FILE", "KRB5_CLIENT_KTNAME"}  # paths
    assert [name for name in ALLOWED if name not in allowed and any(w in name for w in words)] == []


def test_the_locale_is_always_utf8_and_results_are_never_cut() -> None:
    env = scrubbed({"LC_ALL": "C", "LANG": "POSIX", "MAX_EVENT_RES": "10"}, Path("/p/ansible.cfg"))
    assert env["LC_ALL"] == "C.UTF-8"
    assert int(env["MAX_EVENT_RES"]) > 700_000
    assert env["ANSIBLE_CONFIG"] == "/p/ansible.cfg"
    assert "LANG" not in env


def test_the_tools_of_this_python_come_first_on_the_path() -> None:
    assert scrubbed({"PATH": "/usr/bin"}, None)["PATH"].endswith("/bin:/usr/bin")
