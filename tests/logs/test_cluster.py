"""Audits on a Dask cluster: the same report, and no plain words to other machines."""

from __future__ import annotations

import errno
import os
import signal
import threading
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from tests.logs.test_parts import PARTS, folder, rules

from opsproof.errors import RefusedError, UsageError
from opsproof.evidence.canonical import canonical
from opsproof.logs import audit as audit_module
from opsproof.logs.audit import audit
from opsproof.logs.cluster import Cluster, examined_on, load_manifest
from opsproof.logs.files import READERS
from opsproof.logs.model import Kind
from opsproof.logs.parts import Part
from opsproof.logs.readers import w3c
from opsproof.logs.readers.base import Log
from opsproof.logs.rules.compiled import RuleSet
from opsproof.logs.table import Table

__all__ = ["folder", "rules"]

distributed = pytest.importorskip("distributed", reason="the extra dask is not installed")

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """A scheduler with two workers, all in this process."""
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=False, dashboard_address="127.0.0.1:0"
    ) as cluster:
        yield cluster.scheduler_address


def test_cluster_gives_the_same_report(address: str, folder: Path, rules: RuleSet) -> None:
    alone = audit([folder], rules, options=PARTS)
    together = audit([folder], rules, options=PARTS, cluster=Cluster(address))
    assert canonical(together) == canonical(alone)


def test_cluster_over_tls_gives_the_same_report(
    tmp_path: Path,
    folder: Path,
    rules: RuleSet,
) -> None:
    security = distributed.Security.temporary()
    files = {
        "ca": security.tls_ca_file,
        "certificate": security.tls_client_cert,
        "key": security.tls_client_key,
    }
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    with distributed.LocalCluster(
        n_workers=1,
        threads_per_worker=1,
        processes=False,
        protocol="tls://",
        host="127.0.0.1",
        security=security,
        dashboard_address="127.0.0.1:0",
    ) as local:
        cluster = Cluster(
            local.scheduler_address,
            ca=tmp_path / "ca",
            certificate=tmp_path / "certificate",
            key=tmp_path / "key",
        )
        assert cluster.address.startswith("tls://")
        report = audit([folder], rules, options=PARTS, cluster=cluster)
    assert canonical(report) == canonical(audit([folder], rules, options=PARTS))


def test_manifest_prefers_workers_but_does_not_depend_on_them(
    address: str,
    folder: Path,
    rules: RuleSet,
) -> None:
    near = {"*.evtx": ("tcp://127.0.0.1:1",)}
    together = audit([folder], rules, options=PARTS, cluster=Cluster(address, near=near))
    assert together.counts.files == 2


@pytest.mark.parametrize("read", [0, 1])
def test_what_a_worker_cannot_read_is_examined_here(
    address: str, folder: Path, rules: RuleSet, monkeypatch: pytest.MonkeyPatch, read: int
) -> None:
    """Members of a cabinet are on this machine alone; and a share may fail a worker half-way."""
    asked: list[str] = []

    def elsewhere(log: Log, *rest: Any) -> Iterator[Table]:
        tables = w3c.read(log, *rest)
        if threading.current_thread() is threading.main_thread():
            yield from tables
            return
        asked.append(log.name)
        yield from islice(tables, read)
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), log.path)

    alone = audit([folder], rules, options=PARTS)
    monkeypatch.setitem(READERS, Kind.W3C, elsewhere)
    together = audit([folder], rules, options=PARTS, cluster=Cluster(address))
    assert len(asked) > 1
    assert canonical(together) == canonical(alone)


def test_what_nobody_can_read_is_damage_as_on_one_machine(
    address: str, folder: Path, rules: RuleSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: Any) -> Iterator[Table]:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setitem(READERS, Kind.W3C, fails)
    together = audit([folder], rules, options=PARTS, cluster=Cluster(address))
    assert any("Input/output error" in one.what for one in together.unreadable)
    assert canonical(together) == canonical(audit([folder], rules, options=PARTS))


@pytest.mark.parametrize("workers", [1, 2])
def test_parts_of_a_killed_worker_are_run_again(
    folder: Path, rules: RuleSet, monkeypatch: pytest.MonkeyPatch, workers: int
) -> None:
    """A worker process that has parts to do is killed; nothing is lost and nothing counts twice.

    With the only one everything is gone that was in the memory of any.
    """
    killed: list[int] = []

    def examined(*asked: Any) -> Iterator[Part]:
        parts = examined_on(*asked)
        yield next(parts)
        # Parts under way are done or in the memory of a worker; with it they are gone.
        held, pids = client.has_what(), client.run(os.getpid)
        (worker,) = [one for one in pids if held.get(one)][:1]
        os.kill(pids[worker], signal.SIGKILL)
        killed.append(len(held[worker]))
        yield from parts

    alone = audit([folder], rules, options=PARTS)
    monkeypatch.setattr(audit_module, "examined_on", examined)
    with (
        distributed.LocalCluster(
            n_workers=workers, threads_per_worker=1, processes=True, dashboard_address="127.0.0.1:0"
        ) as local,
        distributed.Client(local.scheduler_address, set_as_default=False) as client,
    ):
        together = audit([folder], rules, options=PARTS, cluster=Cluster(local.scheduler_address))
    assert killed
    assert killed[0] > 0
    assert canonical(together) == canonical(alone)


@pytest.mark.parametrize(
    "cluster",
    [
        Cluster("tcp://10.0.0.1:8786"),
        Cluster("tcp://scheduler.example:8786"),
        Cluster("tls://10.0.0.1:8786"),
        Cluster("ucx://127.0.0.1:8786"),
    ],
)
def test_plain_or_unproven_schedulers_are_refused(cluster: Cluster) -> None:
    with pytest.raises(RefusedError):
        cluster.check()


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:8786", "tcp://localhost:1", "tcp://[::1]:1"])
def test_this_machine_may_be_spoken_to_in_plain(address: str) -> None:
    Cluster(address).check()


def test_manifest_is_a_mapping_of_patterns(tmp_path: Path) -> None:
    file = tmp_path / "m.yml"
    file.write_text("'/logs/web1/*': [tls://10.0.0.1:9000]\n")
    cluster = Cluster("tcp://127.0.0.1:1", near=load_manifest(file))
    assert cluster.workers(Path("/logs/web1/a.log")) == ["tls://10.0.0.1:9000"]
    assert cluster.workers(Path("/logs/web2/a.log")) is None
    file.write_text("- a list")
    with pytest.raises(UsageError, match="this is no manifest"):
        load_manifest(file)
