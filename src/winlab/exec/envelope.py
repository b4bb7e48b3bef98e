"""Decoding of the exec manifest that ansible-core 2.19 and 2.20 send on stdin.

Source: ansible-core 2.19 ``executor/powershell/module_manifest.py`` (``_get_bootstrap_input``) and
``bootstrap_wrapper.ps1``: two or three parts separated by a line of four NULs. Part one names the
wrapper and the versions it needs, part two is the manifest, part three is input for its action.
Script texts are kept as they came (base64): nothing here needs them decoded.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

# Neither JSON nor base64 has a NUL; looking for the bytes alone costs a fifth of a line pattern.
_SEPARATOR = b"\0\0\0\0"
_VERSION = re.compile(rb'"_ansible_version":\s*"([^"]{1,40})"')


class EnvelopeError(Exception):
    """The input is not an exec manifest of ansible-core 2.19; the message says what it is."""


class NotJsonError(EnvelopeError):
    """The first part of the input is not JSON (a Python module, for one)."""


class Script(msgspec.Struct, frozen=True):
    """A script of the manifest: its path on the controller and its base64 text."""

    path: str
    script: str


class Action(msgspec.Struct, frozen=True):
    """One wrapper of the chain; the first runs and wraps the next."""

    name: str
    params: dict[str, Any] = {}
    secure_params: dict[str, Any] = {}


class Manifest(msgspec.Struct, frozen=True):
    """The second part: scripts by name and the chain of actions."""

    scripts: dict[str, Script] = {}
    actions: list[Action] = []


class Requirements(msgspec.Struct, frozen=True):
    """Parameters of ``exec_wrapper``: the versions a module asks for, and where it may write."""

    MinOSVersion: str | None = None
    MinPSVersion: str | None = None
    TempPath: str | None = None


class _Bootstrap(msgspec.Struct, frozen=True):
    name: str
    params: Requirements


class Envelope(msgspec.Struct, frozen=True):
    """One decoded input. ``data`` are the lines of the third part, undecoded."""

    requirements: Requirements
    manifest: Manifest
    data: bytes = b""


_bootstrap_decoder = msgspec.json.Decoder(_Bootstrap)
_manifest_decoder = msgspec.json.Decoder(Manifest)


def is_bootstrap(script: str) -> bool:
    """Whether ``script`` is ``bootstrap_wrapper.ps1``, which reads the manifest from its input."""
    return "ConvertFrom-Json -InputObject $codeJson" in script or "$code.script" in script


def decode(stdin: bytes) -> Envelope:
    """Decode one input; raises :class:`EnvelopeError` for any other, naming the sender's version."""
    parts = [part.strip(b"\r\n") for part in stdin.split(_SEPARATOR, 2)]
    try:
        bootstrap = _bootstrap_decoder.decode(parts[0].lstrip(b"\xef\xbb\xbf"))
    except msgspec.MsgspecError as error:
        raise _undecodable(stdin, parts[0]) from error
    if len(parts) == 1:
        raise EnvelopeError("the input ends before the exec manifest")
    try:
        manifest = _manifest_decoder.decode(parts[1])
    except msgspec.MsgspecError as error:
        raise EnvelopeError(
            f"{_sender(stdin)}: its exec manifest is not 2.19's: {error}"
        ) from error
    if not manifest.actions:
        raise EnvelopeError(f"{_sender(stdin)}: its exec manifest has no action")
    return Envelope(bootstrap.params, manifest, parts[2] if len(parts) > 2 else b"")


def _undecodable(stdin: bytes, first: bytes) -> EnvelopeError:
    if _SEPARATOR in stdin and b"module_entry" in stdin:
        return EnvelopeError(
            f"{_sender(stdin)}: winlab decodes the exec manifest of ansible-core 2.19 and 2.20, "
            "and this payload is that of 2.18 or older"
        )
    primitive = re.split(rb"[^\w.+-]", first.strip(), maxsplit=1)[0][:40]
    return NotJsonError(f"Invalid JSON primitive: {primitive.decode('ascii', 'replace')}.")


def _sender(stdin: bytes) -> str:
    found = _VERSION.search(stdin)
    return f"ansible-core {found[1].decode()}" if found else "an unknown version of ansible-core"
