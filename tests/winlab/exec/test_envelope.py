"""Decoding of the manifest, and of what is none."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.winlab.exec.payloads import bootstrap, module_payload, wrapper_payload

from winlab.exec.envelope import EnvelopeError, NotJsonError, decode, is_bootstrap

FIRST = b'{"name":"exec_wrapper","script":"","params":{}}'


def test_module_manifest() -> None:
    envelope = decode(module_payload("win_ping", {"data": "x"}))
    assert [action.name for action in envelope.manifest.actions] == ["module_wrapper.ps1"]
    assert envelope.data == b""


def test_requirements_of_the_module() -> None:
    payload = module_payload("win_ping", {}, edit=lambda t: t + b"\n#Requires -Version 5.1\n")
    assert decode(payload).requirements.MinPSVersion == "5.1"


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_third_part_is_input_for_the_action(end: bytes) -> None:
    payload = wrapper_payload("winrm_put_file.ps1", {"Path": "C:\\x"}, b"YQ==\r\n")
    assert decode(payload.replace(b"\n\0\0\0\0\n", end + b"\0\0\0\0" + end)).data == b"YQ=="


@pytest.mark.parametrize(
    ("stdin", "message"),
    [
        (FIRST, "the input ends before the exec manifest"),
        (
            FIRST + b'\n\0\0\0\0\n{"actions":[]}',
            "an unknown version of ansible-core: its exec manifest has no action",
        ),
        (
            FIRST + b'\n\0\0\0\0\n{"actions":[{"params":{"_ansible_version": "2.30.1"}}]}',
            "ansible-core 2.30.1: its exec manifest is not 2.19's: Object missing required field "
            "`name` - at `$.actions[0]`",
        ),
    ],
)
def test_what_is_no_manifest_names_its_sender(stdin: bytes, message: str) -> None:
    with pytest.raises(EnvelopeError) as caught:
        decode(stdin)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("stdin", "message"),
    [
        (b"#!/usr/bin/python3\n", "Invalid JSON primitive: ."),
        (b"import os\n", "Invalid JSON primitive: import."),
        (b"", "Invalid JSON primitive: ."),
    ],
)
def test_what_is_no_json(stdin: bytes, message: str) -> None:
    with pytest.raises(NotJsonError) as caught:
        decode(stdin)
    assert str(caught.value) == message


@given(st.binary(max_size=200), st.binary(max_size=200))
def test_any_bytes_are_refused_and_nothing_else(first: bytes, second: bytes) -> None:
    for stdin in (first, first + b"\n\0\0\0\0\n" + second, FIRST + b"\n\0\0\0\0\n" + second):
        with pytest.raises(EnvelopeError):
            decode(stdin)


def test_bootstrap_is_known_by_how_it_reads_its_input() -> None:
    assert is_bootstrap(bootstrap())
    assert not is_bootstrap("Get-Date")
