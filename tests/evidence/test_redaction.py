from __future__ import annotations

import base64
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opsproof.evidence.redaction import Redactor, as_records

SECRET = "Zk7#pq/w=9"


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("app.exe /password:abc123 /x", "app.exe /password:[redacted:named-secret] /x"),
        ("tool -p hunter2", "tool -p [redacted:command-line-password]"),
        ("net user bob Geheim1 /add", "net user bob [redacted:net-user-password] /add"),
        ("net user bob /delete", "net user bob /delete"),
        (
            "Server=db;User ID=sa;Password=x y;Pwd=z",
            "Server=db;User ID=sa;Password=[redacted:connection-string];"
            "Pwd=[redacted:connection-string]",
        ),
        ('{"api_key": "k-1"}', '{"api_key": [redacted:named-secret]}'),
        ("密码:abc", "密码:[redacted:named-secret]"),
        ("Authorization: Bearer abcdefgh.ijk", "Authorization: Bearer [redacted:bearer-token]"),
        ("authorization: basic dXNlcjpwYXNz", "authorization: basic [redacted:basic-auth]"),
        ("Authorization: Basic dXNlcjpwYXNz", "Authorization: Basic [redacted:basic-auth]"),
        ("https://bob:pw@host/x", "https://bob:[redacted:url-password]@host/x"),
        (
            "a -----BEGIN RSA PRIVATE KEY-----\nMII\n-----END RSA PRIVATE KEY----- b",
            "a [redacted:private-key] b",
        ),
        ("-----BEGIN PRIVATE KEY-----\nMII cut", "[redacted:private-key]"),
        ("id 11010519491231002X.", "id [redacted:id-card]."),
        ("call 13800138000 now", "call [redacted:mobile-number] now"),
    ],
)
def test_secrets_and_personal_numbers_go(text: str, clean: str) -> None:
    assert Redactor().text(text)[0] == clean


@pytest.mark.parametrize(
    "text",
    [
        "110105194912310021",  # wrong check digit
        "13800138000.5",
        "a113800138000",
        "2026-11-22T09:15:00Z",
        "3f786850e387550fdab836ed7e6dc881de23001b",
        "C:\\Program Files\\app -port 80",
        "The password policy requires 14 characters.",
        "connect using basic authentication.",
        "Bearer Authentication",
        "S-1-5-21-1004336348-1177238915-682003330-512",
        "Microsoft-Windows-Security-Auditing",
        "PasswordLastSet=2026-11-22 09:15:00",
    ],
)
def test_ordinary_text_stays(text: str) -> None:
    assert Redactor().text(text) == (text, {})


def test_a_secret_under_a_telling_key_goes() -> None:
    value, counts = Redactor().value(
        {"Password": "abc", "user": "bob", "password_last_set": "2026"}
    )
    assert value == {
        "Password": "[redacted:named-secret]",
        "user": "bob",
        "password_last_set": "2026",
    }
    assert as_records(counts)[0].rule == "named-secret"


def test_exact_values_go_in_every_form_and_from_keys() -> None:
    forms = [SECRET, base64.b64encode(SECRET.encode()).decode(), "Zk7%23pq%2Fw%3D9"]
    value, counts = Redactor([SECRET]).value({f"x {SECRET}": [f"a{form}b" for form in forms]})
    assert value == {"x [redacted:exact-secret]": ["a[redacted:exact-secret]b"] * 3}
    assert counts == {"exact-secret": 4}


def test_keys_that_become_equal_stay_apart() -> None:
    value, _ = Redactor(["secret-a", "secret-b"]).value({"secret-a": 1, "secret-b": 2})
    assert value == {"[redacted:exact-secret]": 1, "[redacted:exact-secret]#2": 2}


def test_short_values_are_not_searched_for() -> None:
    assert Redactor(["", "abc"]).text("abc") == ("abc", {})


@given(st.text(max_size=40), st.text(min_size=6, max_size=12), st.text(max_size=40))
def test_an_exact_secret_never_survives(before: str, secret: str, after: str) -> None:
    if secret in "[redacted:exact-secret]":
        return
    clean, counts = Redactor([secret]).text(f"{before}{secret}{after}")
    assert counts["exact-secret"] >= 1
    assert secret not in clean.replace("[redacted:exact-secret]", "\x00")


@given(st.text("pasword=: -/\"'abc1389[]", max_size=60))
def test_redacting_twice_changes_nothing(text: str) -> None:
    once, _ = Redactor().text(text)
    assert Redactor().text(once)[0] == once


@pytest.mark.parametrize(
    "unit",
    [
        "a-",
        "a.",
        "pwd=",
        "password=x ",
        "http://a:",
        "-----BEGIN PRIVATE KEY",
        " -p",
        "eyJaaaaaaaa.",
        "1",
    ],
)
def test_hostile_text_costs_linear_time(unit: str) -> None:
    short, long = (_seconds(unit * (size // len(unit))) for size in (10_000, 80_000))
    assert long < max(40 * short, 2.0), "8 times the text must not take 64 times as long"


def _seconds(text: str) -> float:
    start = time.process_time()
    Redactor(["Zk7#pq/w=9"]).text(text)
    return time.process_time() - start
