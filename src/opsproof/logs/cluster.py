"""The same examination on a Dask cluster (extra ``dask``): parts go out, results come back in order.

Dask runs whatever it is sent, so a scheduler is only spoken to over TLS with certificates, or in
plain on this machine. Files have to be at the same path for every worker that may read them; a
manifest says which workers are near which files. A part whose worker dies is run again elsewhere;
one whose worker cannot read the file (members of cabinets are unpacked here alone) is run here.
"""

from __future__ import annotations

import hashlib
import ipaddress
import pickle
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatch
from importlib import import_module
from pathlib import Path
from threading import local
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec

from opsproof.errors import OpsproofError, RefusedError, UsageError
from opsproof.logs.options import Options
from opsproof.logs.parts import Examiner, Part, Unit
from opsproof.logs.rules.compiled import RuleSet
from opsproof.yaml_file import read_yaml

_AHEAD: Final = 4
"""Parts under way for each thread of the cluster."""

_RETRIES: Final = 3


@dataclass(frozen=True, slots=True)
class Cluster:
    """Where the scheduler is and how to speak to it.

    ``ca``, ``certificate`` and ``key`` are PEM files; ``near`` maps patterns of paths to the
    addresses of workers that have these files close by.
    """

    address: str
    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None
    near: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def check(self) -> None:
        """Raises :class:`RefusedError` for plain speech to another machine."""
        parts = urlsplit(self.address)
        if parts.scheme == "tls":
            if not (self.ca and self.certificate and self.key):
                raise RefusedError(
                    "a scheduler over TLS needs a CA, a certificate and a key", where=self.address
                )
        elif parts.scheme not in {"tcp", "inproc"} or not _here(parts.scheme, parts.hostname):
            raise RefusedError(
                "Dask runs what it is sent: plain connections only go to this machine",
                where=self.address,
                remedy="use tls:// with certificates",
            )

    def workers(self, path: Path) -> list[str] | None:
        """The workers near a file; None where the manifest does not say."""
        return next(
            (list(found) for pattern, found in self.near.items() if fnmatch(str(path), pattern)),
            None,
        )


def load_manifest(path: Path) -> dict[str, tuple[str, ...]]:
    """A manifest: a YAML mapping from patterns of paths to lists of worker addresses.

    Raises :class:`UsageError` where the file is none.
    """
    try:
        return msgspec.convert(read_yaml(path), dict[str, tuple[str, ...]])
    except (OSError, msgspec.ValidationError) as error:
        raise UsageError(f"this is no manifest: {error}", where=str(path)) from error


def examined_on(
    cluster: Cluster,
    units: Iterable[Unit],
    rules: RuleSet,
    options: Options,
    here: Callable[[Unit], Part],
) -> Iterator[Part]:
    """The parts of the units, in their order; ``here`` examines what a worker could not read.

    Raises :class:`RefusedError` for an address that must not be spoken to in plain, and
    :class:`UsageError` where the extra is not installed, and :class:`OpsproofError` where no scheduler
    answers.
    """
    cluster.check()
    client = _client(cluster)
    try:
        common = pickle.dumps((rules, options))
        key = hashlib.sha256(common).hexdigest()
        # The result of a task and not scattered data: that is gone with the worker that has it.
        sent = client.submit(bytes, common, retries=_RETRIES, pure=False)
        ahead = _AHEAD * max(1, sum(client.nthreads().values()))
        waiting: deque[tuple[Unit, Any]] = deque()
        for unit in units:
            near = cluster.workers(unit.log.path)
            asked = client.submit(
                _examine,
                key,
                sent,
                unit,
                workers=near,
                allow_other_workers=near is not None,
                retries=_RETRIES,
                pure=False,
            )
            waiting.append((unit, asked))
            if len(waiting) >= ahead:
                yield _part(*waiting.popleft(), here)
        while waiting:
            yield _part(*waiting.popleft(), here)
    finally:
        client.close()


def _part(unit: Unit, asked: Any, here: Callable[[Unit], Part]) -> Part:
    part: Part = asked.result()
    return here(unit) if part.failed else part


def _here(scheme: str, host: str | None) -> bool:
    if scheme == "inproc" or host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host or "").is_loopback
    except ValueError:
        return False


def _client(cluster: Cluster) -> Any:
    try:
        distributed: Any = import_module("distributed")
    except ImportError as error:
        raise UsageError(
            "audits on a cluster need the extra dask", remedy="pip install 'opsproof[dask]'"
        ) from error
    security = None
    if cluster.ca and cluster.certificate and cluster.key:
        security = distributed.Security(
            require_encryption=True,
            tls_ca_file=str(cluster.ca),
            tls_client_cert=str(cluster.certificate),
            tls_client_key=str(cluster.key),
        )
    try:
        return distributed.Client(cluster.address, security=security, set_as_default=False)
    except OSError as error:
        raise OpsproofError(f"no scheduler answers: {error}", where=cluster.address) from error


_OWN: Final = local()
"""On each thread of a worker: what it examines with, by the digest of rules and options."""


def _examine(key: str, common: bytes, unit: Unit) -> Part:
    """What a worker runs."""
    examiners: dict[str, Examiner] = _OWN.__dict__
    if key not in examiners:
        rules, options = pickle.loads(common)  # noqa: S301 - from the client that Dask trusts anyway
        examiners.clear()
        examiners[key] = Examiner(rules, options)
    return examiners[key].examine(unit)
