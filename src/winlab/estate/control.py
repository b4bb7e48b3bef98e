"""The control socket: JSON lines over a Unix socket that only its owner can open.

A request is ``{"do": NAME, ...}``; the answer ``{"ok": true, "result": ...}`` or ``{"ok": false,
"error": ..., "where": ..., "remedy": ...}``. One connection may carry several requests.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
from collections.abc import Awaitable, Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeAlias

from winlab.estate.errors import LabError

Handler: TypeAlias = Callable[[Mapping[str, Any]], Awaitable[Any]]
LIMIT = 64 * 1024 * 1024
_SUN_PATH = 100


@contextlib.contextmanager
def _short(path: Path) -> Iterator[str]:
    """Give a path that fits sun_path (108 bytes), through /proc/self/fd if need be."""
    if len(os.fsencode(path)) < _SUN_PATH:
        yield str(path)
        return
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)


class ControlServer:
    """Answers requests by ``handler``; LabError and ValueError become error answers."""

    def __init__(self, path: Path, handler: Handler) -> None:
        """Serve at ``path`` once started."""
        self._path = path
        self._handler = handler
        self._server: asyncio.Server | None = None
        self._place = contextlib.ExitStack()
        self._clients: dict[asyncio.Task[None], asyncio.StreamWriter] = {}

    async def start(self) -> None:
        """Listen; the socket file is readable and writable by its owner alone."""
        listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        old = os.umask(0o177)
        try:
            # The name stays good until the end: asyncio looks the file up by it (Python 3.13).
            listening.bind(self._place.enter_context(_short(self._path)))
        except OSError as exc:
            listening.close()
            self._place.close()
            raise LabError(
                f"cannot make the control socket ({exc.strerror})",
                where=str(self._path),
                remedy="give another --state",
            ) from exc
        finally:
            os.umask(old)
        self._server = await asyncio.start_unix_server(self._serve, sock=listening, limit=LIMIT)

    async def stop(self) -> None:
        """Stop listening and remove the file."""
        if self._server is not None:
            self._server.close()
        for writer in self._clients.values():
            writer.close()
        await asyncio.gather(*self._clients, return_exceptions=True)
        self._path.unlink(missing_ok=True)
        self._place.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._clients[task] = writer
        try:
            while line := await reader.readline():
                writer.write(await self._answer(line))
                await writer.drain()
        except (ConnectionError, ValueError):
            pass  # the client went away, or sent a line above the limit: nobody is left to tell
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()
            del self._clients[task]

    async def _answer(self, line: bytes) -> bytes:
        answer: dict[str, Any]
        try:
            request = json.loads(line)
            if not isinstance(request, dict) or not isinstance(request.get("do"), str):
                raise ValueError("a request is an object with the key 'do'")
            answer = {"ok": True, "result": await self._handler(request)}
        except LabError as exc:
            answer = {
                "ok": False,
                "error": exc.what,
                "where": exc.where,
                "remedy": exc.remedy,
            }
        except (ValueError, KeyError, TypeError) as exc:
            answer = {
                "ok": False,
                "error": f"bad request: {exc}",
                "where": "",
                "remedy": "see winlab --help",
            }
        return json.dumps(answer, ensure_ascii=False).encode() + b"\n"


def ask(path: Path, request: Mapping[str, Any], timeout: float = 30.0) -> Any:
    """Send one request and return its result; LabError for an error or when no lab answers."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(timeout)
        try:
            with _short(path) as name:
                connection.connect(name)
            connection.sendall(json.dumps(request).encode() + b"\n")
            with connection.makefile("rb") as stream:
                line = stream.readline()
        except OSError as exc:
            raise LabError("no lab answers here", remedy="start one with winlab up") from exc
    if not line:
        raise LabError("the lab closed the connection", remedy="look into its log, winlab.log")
    answer = json.loads(line)
    if not answer["ok"]:
        raise LabError(answer["error"], where=answer["where"], remedy=answer["remedy"])
    return answer["result"]
