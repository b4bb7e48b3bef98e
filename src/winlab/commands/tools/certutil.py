"""certutil.exe. Source: "certutil" (Microsoft Learn): -encode, -decode, -hashfile, -store."""

from __future__ import annotations

import base64
import hashlib

from cryptography import x509

from winlab.commands.call import Call, program
from winlab.host import paths
from winlab.host.errors import NotModelledError, WindowsError

_FILE_NOT_FOUND = 0x80070002
_EXISTS = 0x80070050


def _signed(code: int) -> int:
    return code - 2**32


def _done(call: Call, verb: str) -> int:
    call.line(
        call.text(
            f"CertUtil: -{verb} command completed successfully.",
            f"CertUtil: -{verb} 命令成功完成。",
        )
    )
    return 0


def _failed(call: Call, verb: str, win32: int) -> int:
    code = 0x80070000 | win32
    names = {2: "ERROR_FILE_NOT_FOUND", 80: "ERROR_FILE_EXISTS", 13: "ERROR_INVALID_DATA"}
    name = names.get(win32, f"ERROR {win32}")
    word = call.text("command FAILED", "失败")
    call.line(f"CertUtil: -{verb} {word}: 0x{code:08x} (WIN32: {win32} {name})")
    call.line(f"CertUtil: {call.message(win32)}")
    return _signed(code)


def _code(call: Call, verb: str, names: list[str], *, force: bool) -> int:
    try:
        data = call.host.files.read(names[0], call.cwd)
    except WindowsError as exc:
        return _failed(call, verb, exc.code)
    target = paths.normalise(names[1], call.cwd)
    if call.host.files.exists(target) and not force:
        return _failed(call, verb, 80)
    call.line(call.text(f"Input Length = {len(data)}", f"输入长度 = {len(data)}"))
    if verb == "encode":
        text = base64.b64encode(data).decode()
        rows = [text[i : i + 64] for i in range(0, len(text), 64)]
        lines = ["-----BEGIN CERTIFICATE-----", *rows, "-----END CERTIFICATE-----", ""]
        result = "\r\n".join(lines).encode()
    else:
        rows = [r for r in data.decode("ascii", "replace").split() if not r.startswith("-----")]
        body = "".join(r for r in rows if r not in {"CERTIFICATE-----", "BEGIN", "END"})
        try:
            result = base64.b64decode(body, validate=True)
        except ValueError:
            return _failed(call, verb, 13)
    call.line(call.text(f"Output Length = {len(result)}", f"输出长度 = {len(result)}"))
    call.host.files.write(target, result)
    return _done(call, verb)


def _hash(call: Call, names: list[str]) -> int:
    algorithm = (names[1] if len(names) > 1 else "SHA1").upper()
    if algorithm not in {"MD5", "SHA1", "SHA256", "SHA384", "SHA512"}:
        raise NotModelledError(f"certutil -hashfile {algorithm}")
    try:
        data = call.host.files.read(names[0], call.cwd)
    except WindowsError as exc:
        return _failed(call, "hashfile", exc.code)
    digest = hashlib.new(algorithm.lower(), data, usedforsecurity=False).hexdigest()
    call.line(call.text(f"{algorithm} hash of {names[0]}:", f"{algorithm} 的 {names[0]} 哈希:"))
    call.line(digest)
    return _done(call, "hashfile")


def _store(call: Call, names: list[str]) -> int:
    wanted = names[0] if names else "CA"
    try:
        store = call.host.certificates.canonical(wanted)
    except WindowsError:
        return _failed(call, "store", 2)
    title = {
        "my": call.text("Personal", "个人"),
        "root": call.text("Trusted Root Certification Authorities", "受信任的根证书颁发机构"),
    }.get(store.lower(), store)
    call.line(f'{store} "{title}"')
    for number, certificate in enumerate(call.host.certificates.list(store)):
        if len(names) > 1 and names[1].lower() != certificate.thumbprint.lower():
            continue
        parsed = x509.load_der_x509_certificate(certificate.der)
        rule = call.text("Certificate", "证书")
        call.line(f"================ {rule} {number} ================")
        serial = f"{parsed.serial_number:x}"
        call.line(
            f"{call.text('Serial Number', '序列号')}: {serial.zfill(len(serial) + len(serial) % 2)}"
        )
        issuer = parsed.issuer.rfc4514_string()
        call.line(f"{call.text('Issuer', '颁发者')}: {issuer}")
        for labels, when in (
            (("NotBefore", "NotBefore"), parsed.not_valid_before_utc),
            (("NotAfter", "NotAfter"), parsed.not_valid_after_utc),
        ):
            local = call.host.clock.local(when)
            hour = local.hour % 12 or 12
            shown = call.text(
                f"{local.month}/{local.day}/{local.year} {hour}:{local:%M %p}",
                f"{local.year}/{local.month}/{local.day} {local.hour}:{local:%M}",
            )
            call.line(f" {call.text(*labels)}: {shown}")
        call.line(f"{call.text('Subject', '使用者')}: {parsed.subject.rfc4514_string()}")
        thumbprint = certificate.thumbprint.lower()
        call.line(f"{call.text('Cert Hash(sha1)', '证书哈希(sha1)')}: {thumbprint}")
        if certificate.has_key:
            container = call.text("Key Container", "密钥容器")
            call.line(f"  {container} = {certificate.key_container}")
            call.line(f"  {call.text('Provider', '提供程序')} = {certificate.key_provider}")
        call.line()
    return _done(call, "store")


@program("certutil")
def certutil(call: Call) -> int:
    """Encode, decode, hash, and show certificate stores."""
    words = [("-" + a[1:] if a.startswith("/") else a) for a in call.args]
    force = any(w.lower() == "-f" for w in words)
    words = [w for w in words if w.lower() != "-f"]
    verb = words[0].lstrip("-").lower() if words else ""
    names = words[1:]
    for name in names:
        if name.startswith("-"):
            raise NotModelledError(f"certutil -{verb} {name}")
    if verb in {"encode", "decode"} and len(names) == 2:
        return _code(call, verb, names, force=force)
    if verb == "hashfile" and names:
        return _hash(call, names)
    if verb == "store":
        return _store(call, names)
    raise NotModelledError(f"certutil -{verb}")
