"""The HTTP signing service: what is asked, what is taken, what is refused."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from tests.signatures.conftest import NOW, pki

from opsproof.signatures.algorithms import Algorithm
from opsproof.signatures.errors import SourceError
from opsproof.signatures.signing import HttpSigningService

ECDSA = (Algorithm.ECDSA_SHA256,)


def signs(request: dict[str, object]) -> bytes:
    signer = pki("ecdsa").signer
    data = base64.b64decode(str(request["data"]))
    answer = {
        "signature": base64.b64encode(signer.key.sign(ECDSA[0], data)).decode(),
        "certificate": base64.b64encode(signer.certificate.der).decode(),
        "algorithm": "ecdsa-sha256",
    }
    return json.dumps(answer).encode()


@pytest.fixture
def serve() -> Iterator[Callable[[Callable[[dict[str, object]], bytes]], str]]:
    servers: list[HTTPServer] = []

    def start(answer: Callable[[dict[str, object]], bytes]) -> str:
        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                assert self.headers["Authorization"] == "Bearer secret"
                content = answer(json.loads(body))
                self.send_response(200)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
                """Nothing on stderr."""

        server = HTTPServer(("127.0.0.1", 0), Handler)
        servers.append(server)
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        return f"http://127.0.0.1:{server.server_port}/sign"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def test_a_signature_comes_back_with_its_certificate(
    serve: Callable[[Callable[[dict[str, object]], bytes]], str],
) -> None:
    service = HttpSigningService(serve(signs), "archive", token="secret")
    signed = service.sign(b"data", ECDSA, NOW)
    assert signed.certificate == pki("ecdsa").signer.certificate
    assert signed.certificate.key.verify(signed.algorithm, b"data", signed.signature)


@pytest.mark.parametrize("answer", [b"{}", b"[]", b"oops", b'{"signature":"?"}'])
def test_another_answer_is_refused(
    answer: bytes, serve: Callable[[Callable[[dict[str, object]], bytes]], str]
) -> None:
    service = HttpSigningService(serve(lambda _: answer), "archive", token="secret")
    with pytest.raises(SourceError) as caught:
        service.sign(b"data", ECDSA, NOW)
    assert caught.value.what == "the signing service answered something else than a signature"


def test_only_https_leaves_the_machine() -> None:
    with pytest.raises(SourceError) as caught:
        HttpSigningService("http://sign.example/sign", "k").sign(b"data", ECDSA, NOW)
    assert caught.value.what == "a signing service is asked over https only"
