"""The HTTP signing service: the lab's own over real TLS, and servers that answer something else."""

from __future__ import annotations

import asyncio
import base64
import json
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from asn1crypto import pem
from tests.signatures.conftest import NOW, pki

from opsproof.errors import ExitCode, UsageError
from opsproof.signatures.algorithms import Algorithm
from opsproof.signatures.book import CertificateBook, Standing
from opsproof.signatures.certificates import load
from opsproof.signatures.errors import (
    SigningAnswerError,
    SigningRefusedError,
    SigningUnavailableError,
    SourceError,
)
from opsproof.signatures.signing import HttpSigningService
from winlab.estate.lab import Lab
from winlab.estate.schema import parse_estate
from winlab.server import signing_sm2
from winlab.server.signing import SigningCa

SM2 = (Algorithm.SM2_SM3,)
ECDSA = (Algorithm.ECDSA_SHA256,)
RSA = (Algorithm.RSA_PKCS1_SHA256, Algorithm.RSA_PSS_SHA256)
ESTATE = """
estate: 1
hosts:
  - name: crypt-01
    certificates: [{id: web}]
    iis:
      sites:
        - name: Crypto
          bindings: [{port: 8443, protocol: https, certificate: web}]
          signing:
            - {name: archive}
            - {name: archive-ec, kind: ec-p256}
            - {name: old, state: disabled}
            - {name: module, state: unavailable}
            - {name: odd, kind: ec-p256, state: faulty}
            - {name: archive-sm2, kind: sm2}
            - {name: odd-sm2, kind: sm2, state: faulty}
"""


class RunningLab:
    """The lab in a thread of its own, and what a client of its signing server needs."""

    def __init__(self, folder: Path) -> None:
        self.lab = Lab(parse_estate(ESTATE), password="x", file=folder / "e.yml", seed=str(folder))
        self.services: list[HttpSigningService] = []
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()
        self.call(self.lab.start())
        [self.url] = self.lab.signing_urls()
        self.tls_ca, self.ca = folder / "tls-ca.pem", folder / "ca.pem"
        self.tls_ca.write_bytes(self.lab.ca_pem)
        self.ca.write_bytes(self.lab.signing_ca.pem)

    def call(self, work: object) -> None:
        asyncio.run_coroutine_threadsafe(work, self.loop).result(60)  # type: ignore[arg-type]  # any coroutine

    def service(self, key: str, **more: str) -> HttpSigningService:
        options = {"ca_file": str(self.tls_ca), "token": self.lab.signing_ca.token} | more
        made = HttpSigningService(self.url, key, **options)  # type: ignore[arg-type]  # all text
        self.services.append(made)
        return made

    def stop(self) -> None:
        for service in self.services:
            service.close()
        self.call(self.lab.stop())
        self.call(asyncio.sleep(0.2))  # TLS connections say goodbye
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(10)
        self.loop.close()


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningLab]:
    lab = RunningLab(tmp_path_factory.mktemp("signing"))
    yield lab
    lab.stop()


@pytest.mark.parametrize(("key", "algorithms"), [("archive", RSA), ("archive-ec", ECDSA)])
def test_the_labs_server_signs_under_a_certificate_for_signing(
    key: str, algorithms: tuple[Algorithm, ...], running: RunningLab
) -> None:
    service = running.service(key)
    signed = service.sign("成绩 1".encode(), algorithms, NOW)
    assert signed.algorithm == algorithms[0]
    assert signed.certificate.key.verify(signed.algorithm, "成绩 1".encode(), signed.signature)
    assert signed.certificate == service.certificate()
    book = CertificateBook([signed.certificate], load(running.ca))
    assert book.judge(signed.certificate, datetime.now(UTC)).standing is Standing.GOOD


@pytest.mark.parametrize(
    ("key", "algorithms", "error", "word"),
    [
        ("old", RSA, SigningRefusedError, "the key may not sign"),
        ("nobody's", RSA, SigningRefusedError, "it has no such key"),
        ("archive-ec", RSA, SigningRefusedError, "cannot sign with the profile's algorithms"),
        ("module", RSA, SigningUnavailableError, "cannot sign now (HTTP 503)"),
        ("odd", ECDSA, SigningAnswerError, "does not hold over what was sent"),
    ],
)
def test_each_refusal_says_its_own_reason(
    key: str,
    algorithms: tuple[Algorithm, ...],
    error: type[SourceError],
    word: str,
    running: RunningLab,
) -> None:
    with pytest.raises(error) as caught:
        running.service(key).sign(b"data", algorithms, NOW)
    assert word in caught.value.what
    assert caught.value.exit_code is ExitCode.NOT_EVALUATED
    assert running.lab.signing_ca.token not in str(caught.value)


def test_the_labs_server_signs_with_sm2(running: RunningLab, tmp_path: Path) -> None:
    pytest.importorskip("gmssl_pyx", reason="the extra sm2 is not installed")
    signed = running.service("archive-sm2").sign("成绩 1".encode(), SM2, NOW)
    assert signed.certificate == running.service("archive-sm2").certificate()
    assert signed.certificate.algorithm is Algorithm.SM2_SM3
    book = CertificateBook([signed.certificate], load(running.ca))
    assert book.judge(signed.certificate, datetime.now(UTC)).standing is Standing.GOOD
    (tmp_path / "key.pem").write_bytes(pem.armor("CERTIFICATE", signed.certificate.der))
    words = ["verify", "-CAfile", str(running.ca), "-vfyopt", "distid:1234567812345678", "key.pem"]
    subprocess.run(["openssl", *words], cwd=tmp_path, check=True, capture_output=True)
    with pytest.raises(SigningAnswerError, match="does not hold over what was sent"):
        running.service("odd-sm2").sign(b"data", SM2, NOW)


def test_without_the_library_an_sm2_key_is_there_and_cannot_sign(
    running: RunningLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(signing_sm2, "library", None)
    with pytest.raises(SigningRefusedError) as caught:
        running.service("archive-sm2").sign(b"data", SM2, NOW)
    assert "it does not know the key's algorithm (HTTP 501)" in caught.value.what
    other = SigningCa(datetime.now(UTC))
    assert other.pem.count(b"BEGIN CERTIFICATE") == 1
    # The others are not touched by that.
    assert running.service("archive-ec").sign(b"data", ECDSA, NOW).algorithm in ECDSA


def test_who_has_no_token_learns_nothing(running: RunningLab) -> None:
    service = running.service("archive", token="guess")
    with pytest.raises(SigningRefusedError, match="does not accept the token"):
        service.certificate()
    assert "guess" not in repr(service)


def test_a_server_that_nobody_vouches_for_gets_no_token(
    running: RunningLab, tmp_path: Path
) -> None:
    with pytest.raises(SigningUnavailableError) as caught:
        running.service("archive", ca_file=str(running.ca)).sign(b"data", RSA, NOW)
    assert "its TLS certificate is not trusted" in caught.value.what
    empty = tmp_path / "empty.pem"
    empty.write_text("")
    with pytest.raises(UsageError) as wrong:
        running.service("archive", ca_file=str(empty)).sign(b"data", RSA, NOW)
    assert wrong.value.where == str(empty)


def test_a_site_that_stops_is_unavailable_and_a_new_connection_finds_it_again(
    running: RunningLab,
) -> None:
    service = running.service("archive-ec")
    service.sign(b"1", ECDSA, NOW)

    async def ask(verb: str) -> None:
        await running.lab.handle({"do": "fault", "kind": verb, "hosts": ["crypt-01"]})
        await asyncio.sleep(0.1)

    running.call(ask("down"))
    with pytest.raises(SigningUnavailableError):
        service.sign(b"2", ECDSA, NOW)
    running.call(ask("up"))
    service.sign(b"3", ECDSA, NOW)


def test_files_of_the_site_are_still_files_and_requests_are_logged(running: RunningLab) -> None:
    host = running.lab.hosts["crypt-01"].host
    folder = "C:\\inetpub\\logs\\LogFiles\\W3SVC1"
    log = next(name for name in host.files.list(folder) if name.name.startswith("u_ex"))
    text = host.files.read(f"{folder}\\{log.name}").decode()
    assert "POST /api/v1/sign" in text
    assert running.lab.signing_ca.token not in text


@contextmanager
def other_server(answer: Callable[[dict[str, object]], tuple[int, bytes]]) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            assert self.headers["Authorization"] == "Bearer secret"
            status, content = answer(json.loads(body))
            self.send_response(status)
            self.send_header("Location", "http://127.0.0.1:1/elsewhere")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
            """Nothing on stderr."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/api/v1"
    finally:
        server.shutdown()
        server.server_close()


def signed_by(signer: str, request: dict[str, object], algorithm: str) -> tuple[int, bytes]:
    found = pki(signer).signer
    data = base64.b64decode(str(request["data"]))
    answer = {
        "signature": base64.b64encode(found.key.sign(found.algorithm, data)).decode(),
        "certificate": base64.b64encode(found.certificate.der).decode(),
        "algorithm": algorithm,
    }
    return 200, json.dumps(answer).encode()


def test_an_algorithm_that_was_not_asked_for_is_refused() -> None:
    with (
        other_server(lambda request: signed_by("rsa", request, "rsa-pkcs1-sha256")) as url,
        closing(HttpSigningService(url, "archive", token="secret")) as service,
        pytest.raises(SigningAnswerError),
    ):
        service.sign(b"data", ECDSA, NOW)


@pytest.mark.parametrize(
    "answer",
    [
        (200, b"{}"),
        (200, b"[]"),
        (200, b"oops"),
        (200, b'{"signature":"?"}'),
        (200, b"[" * 100_000),
        (302, b""),
        (418, b"{}"),
        (200, b" " * (2 << 20)),
    ],
    ids=["empty", "list", "no-json", "no-base64", "deep", "elsewhere", "odd-status", "huge"],
)
def test_another_answer_is_refused(answer: tuple[int, bytes]) -> None:
    with other_server(lambda _: answer) as url:
        service = HttpSigningService(url, "archive", token="secret")
        with pytest.raises(SigningAnswerError) as caught:
            service.sign(b"data", ECDSA, NOW)
        service.close()
    assert caught.value.what == "the signing service answered something else than a signature"


def test_a_server_that_takes_its_time_is_not_waited_for() -> None:
    def slow(_: dict[str, object]) -> tuple[int, bytes]:
        time.sleep(0.5)
        return 200, b"{}"

    with other_server(slow) as url, pytest.raises(SigningUnavailableError):
        HttpSigningService(url, "k", token="secret", timeout=0.1).sign(b"data", ECDSA, NOW)


@pytest.mark.parametrize(
    "url",
    [
        "http://sign.example/sign",
        "http://127.0.0.1.evil.example/sign",
        "http://localhost@evil.example/",
        "ftp://127.0.0.1/",
        "https:///sign",
    ],
)
def test_only_https_leaves_the_machine(url: str) -> None:
    with pytest.raises(SourceError) as caught:
        HttpSigningService(url, "k", token="secret").sign(b"data", ECDSA, NOW)
    assert caught.value.what == "a signing service is asked over https only"
