"""A realistic day of the lab estate, as sealed bundles: what the report tests read and look at."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec

from opsproof.controls.load import parse_controls
from opsproof.controls.scope import INPUT, Known, evaluate_run
from opsproof.controls.waivers import parse_waivers
from opsproof.evidence.bundle import BundleBuilder
from opsproof.evidence.canonical import canonical
from opsproof.evidence.ids import content_id, timestamp
from opsproof.evidence.keys import Keys
from opsproof.evidence.ledger import EntryKind, LedgerEntry
from opsproof.evidence.model import (
    Artifact,
    Finding,
    MissedItem,
    Observation,
    Outcome,
    Run,
    RunHost,
    Subject,
    SubjectKind,
)
from opsproof.evidence.reader import Bundle
from opsproof.reports.sources import Day, SealedRun

PROJECT = Path(__file__).parents[2]
ESTATE = {
    "name": {"zh": "考务安全平台（演示环境）", "en": "Examination security platform (lab)"},
    "mlps_level": 3,
    "time_zone": "Asia/Shanghai",
}
MORNING = datetime(2026, 11, 22, 0, 30, tzinfo=UTC)
"""08:30 in Shanghai."""

APPLICATIONS = (
    ("app-auth-01", "APP-0001", "身份认证系统", "信息技术部", "张敏"),
    ("app-perm-01", "APP-0002", "权限管理系统", "信息技术部", "张敏"),
    ("app-crypt-01", "APP-0003", "密码服务系统", "信息技术部", "李强"),
    ("app-verify-01", "APP-0004", "安全验证系统", "考务业务部", "李强"),
    ("app-audit-01", "APP-0005", "安全审计系统", "信息技术部", "王磊"),
    ("app-encdec-01", "APP-0006", "安全加解密系统", "考务业务部", "李强"),
    ("app-certpub-01", "APP-0007", "加解密证书发布管理系统", "考务业务部", "赵静"),
    ("app-certmake-01", "APP-0008", "加解密证书制作系统", "考务业务部", "赵静"),
    ("app-info-01", "APP-0009", "信息管理系统", "综合管理部", "王磊"),
    ("app-iauth-01", "APP-0010", "互联网统一身份认证系统", "信息技术部", "陈洁"),
    ("app-iauth-02", "APP-0011", "互联网统一身份认证系统", "信息技术部", "陈洁"),
    ("app-icert-01", "APP-0012", "互联网用户证书管理系统", "信息技术部", "陈洁"),
    ("app-icert-02", "APP-0013", "互联网用户证书管理系统", "信息技术部", "陈洁"),
    ("mgmt-01", "MGT-0001", "运维管理主机", "信息技术部", "王磊"),
    *(
        (f"sql-{n:02}", f"SQL-{n:04}", f"SQL Server 2008 标准版 {n}", "信息技术部", "周涛")
        for n in range(1, 9)
    ),
)


@dataclass
class Host:
    """One host of the day: its facts, and what became of it."""

    name: str
    asset: dict[str, Any]
    facts: dict[str, Any] | None
    outcome: Outcome = Outcome.OK
    reason: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    sites: list[dict[str, Any]] = field(default_factory=list)
    certificates: list[dict[str, Any]] = field(default_factory=list)


def healthy(name: str, *, via: str | None = None) -> dict[str, Any]:
    """The facts of a host on which everything is right."""
    direct = via is None
    return {
        "via": via,
        "os": {"caption": "Windows Server 2019", "version": "10.0.17763.0", "time_zone": None},
        "boot_time": "2026-11-02T19:00:12Z",
        "uptime_seconds": 1_660_000,
        "clock": {"offset_ms": 140, "uncertainty_ms": 90, "source": "Local CMOS Clock"},
        "pending_reboot": {"pending": False, "reasons": []} if direct else None,
        "memory": {"total_mb": 16384, "free_mb": 9011, "free_percent": 55},
        "disks": [
            {"letter": "C", "size_mb": 102400, "free_mb": 48100, "free_percent": 46},
            {"letter": "D", "size_mb": 409600, "free_mb": 300123, "free_percent": 73},
        ],
        "services": {
            "total": 204,
            "running": 92,
            "auto_stopped": [],
            "wanted": {"wanted": ["W3SVC", "WAS"], "missing": [], "stopped": []},
        },
        "iis": {
            "installed": True,
            "sites": 1,
            "pools": [{"name": f"{name}-pool", "state": "Started"}],
        }
        if direct
        else None,
        "ports": {"listening": [80, 443, 8443], "wanted": [8443], "missing": []}
        if direct
        else None,
        "events": {
            "since": "2026-11-21T00:30:00Z",
            "until": "2026-11-22T00:30:00Z",
            "critical": 0,
            "errors": 3,
            "top": [{"provider": "Service Control Manager", "event_id": 7023, "count": 2}],
            "logs": [
                {"channel": channel, "records": 900, "oldest_record": 1, "exported": True}
                for channel in ("Application", "Security", "System")
            ],
        }
        if direct
        else None,
        "security": {
            "log_cleared": [],
            "failed_logons": {"total": 2, "by_account": [], "by_source": []},
            "hit_count": 0,
            "serious_hits": 0,
            "hits": [],
            "gaps": [],
        }
        if direct
        else None,
        "audit": {
            "files": 4,
            "bytes": 4_213_760,
            "records": 2703,
            "examined": 2703,
            "unreadable_records": 0,
            "sources": [],
            "unreadable": [],
            "rules_run": 12,
            "rules_not_run": [],
            "rules_sha256": "0" * 64,
        }
        if direct
        else None,
    }


def lab() -> dict[str, Host]:
    """The 22 hosts, all well."""
    hosts = {}
    for name, code, title, department, owner in APPLICATIONS:
        via = "mgmt-01" if name.startswith("sql-") else None
        asset = {
            "code": f"AST-LAB-{code}",
            "title": title,
            "department": department,
            "owner": owner,
            "criticality": "core",
        }
        host = Host(name, asset, healthy(name, via=via))
        if via is None and name != "mgmt-01":
            host.sites = [
                {"name": f"{name}-site", "site_id": 1, "state": "Started", "bindings": []}
            ]
            host.certificates = [certificate(name, 217)]
            host.files = {"Security.evtx": f"raw security log of {name}".encode() * 40}
        hosts[name] = host
    return hosts


def certificate(name: str, days: int) -> dict[str, Any]:
    """A certificate that ends in ``days`` days."""
    return {
        "thumbprint": hashlib.sha1(name.encode(), usedforsecurity=False).hexdigest().upper(),
        "store": "My",
        "subject": f"CN={name}.lab",
        "issuer": "CN=Lab CA",
        "serial": "01",
        "names": [f"{name}.lab"],
        "key": "EC 256",
        "has_private_key": True,
        "not_before": "2026-01-01T00:00:00Z",
        "not_after": "2027-01-01T00:00:00Z",
        "days_left": days,
    }


def troubled() -> dict[str, Host]:
    """The lab on the day that the demonstration shows."""
    hosts = lab()
    facts = _facts(hosts["app-info-01"])
    facts["disks"][1] |= {"free_mb": 12288, "free_percent": 3}
    facts = _facts(hosts["app-audit-01"])
    raw = hashlib.sha256(hosts["app-audit-01"].files["Security.evtx"]).hexdigest()
    facts["security"]["log_cleared"] = [
        {
            "channel": "Security",
            "time": "2026-11-21T18:14:03.512000Z",
            "record_id": 48213,
            "file": "Security.evtx",
            "sha256": raw,
            "account": "LAB\\svc-deploy",
        }
    ]
    facts["security"] |= {"hit_count": 1, "serious_hits": 1, "hits": [_hit(raw)]}
    facts = _facts(hosts["app-icert-01"])
    facts["services"]["auto_stopped"] = [
        {
            "name": "CertPropSvc",
            "display_name": "证书传播",
            "trigger": False,
            "delayed": False,
            "starting": False,
            "expected": False,
            "exit_code": 1067,
        }
    ]
    _facts(hosts["app-iauth-01"])["iis"]["pools"][0]["state"] = "Stopped"
    hosts["app-iauth-01"].sites[0]["state"] = "Stopped"
    hosts["app-certpub-01"].certificates = [certificate("app-certpub-01", 12)]
    _facts(hosts["app-perm-01"])["pending_reboot"] = {
        "pending": True,
        "reasons": ["windows-update"],
    }
    _facts(hosts["app-verify-01"])["security"]["failed_logons"]["total"] = 64
    _facts(hosts["app-crypt-01"])["disks"] = []
    down = hosts["app-icert-02"]
    down.facts, down.sites, down.certificates, down.files = None, [], [], {}
    down.outcome, down.reason = Outcome.UNREACHABLE, "connection refused"
    return hosts


def _facts(host: Host) -> dict[str, Any]:
    assert host.facts is not None
    return host.facts


def _hit(raw: str) -> dict[str, Any]:
    return {
        "id": "HIT-5a0c1d2e3f405162738495a6",
        "rule": "f2f01843-e7b8-4f95-a35a-d23584476423",
        "title": "Security Eventlog Cleared",
        "severity": "high",
        "file": "Security.evtx",
        "sha256": raw,
        "record_id": 48213,
        "channel": "Security",
        "time": "2026-11-21T18:14:03.512000Z",
        "computer": "app-audit-01",
        "fields": {"SubjectUserName": "svc-deploy", "SubjectLogonId": "0x4f1b2"},
        "redactions": 0,
    }


@dataclass
class Sealing:
    """Seals days of an estate into one reports folder."""

    reports: Path
    keys: Keys
    controls: Mapping[str, bytes] = field(default_factory=lambda: control_files())
    estate: Mapping[str, Any] | None = field(default_factory=lambda: ESTATE)

    def run(
        self,
        hosts: Mapping[str, Host],
        *,
        start: datetime = MORNING,
        nonce: str = "7f3a",
        change: Callable[[Run], Run] = lambda run: run,
        waivers: bytes = b"",
        schedule: bool = True,
    ) -> Path:
        """Seal one daily run of ``hosts``; ``change`` edits its record before it is written."""
        run_id = f"{start:%Y%m%dT%H%M%SZ}-daily-{nonce}"
        builder = BundleBuilder(self.reports, run_id, bureau=self.keys.bureau)
        for name, data in self.controls.items():
            builder.add_input(f"controls/{name}", data)
        if self.estate is not None:
            builder.add_input("estate.json", canonical(self.estate))
        if schedule:
            builder.add_input("schedule.yml", b"items: []\n")
        if waivers:
            builder.add_input("waivers.yml", waivers)
        builder.add_input(INPUT, Known().to_bytes())
        observations = [
            builder.add_observation(observation)
            for host in hosts.values()
            for observation in self._observations(builder, host, run_id, start)
        ]
        run = change(_record(run_id, hosts, start))
        findings = self._findings(run, observations, waivers)
        builder.write(run, findings)
        return builder.seal(self.keys.signer, now=start + timedelta(minutes=2))

    def _findings(
        self, run: Run, observations: Sequence[Observation], waivers: bytes
    ) -> list[Finding]:
        controls = parse_controls(self.controls)
        return evaluate_run(
            run,
            controls,
            observations,
            Known(),
            parse_waivers(waivers, name="waivers.yml") if waivers else [],
            datetime.fromisoformat(run.evaluated_at),
        )

    def _observations(
        self, builder: BundleBuilder, host: Host, run_id: str, start: datetime
    ) -> list[Observation]:
        artifacts = tuple(self._artifact(builder, name, data) for name, data in host.files.items())
        return observations_of(host, run_id, start, artifacts)

    def _artifact(self, builder: BundleBuilder, name: str, data: bytes) -> Artifact:
        source = self.reports / "raw"
        source.parent.mkdir(parents=True, exist_ok=True)
        source.write_bytes(data)
        described = Artifact(
            name=name,
            media_type="application/x-evtx",
            size=len(data),
            sha256=hashlib.sha256(data).hexdigest(),
        )
        stored = builder.add_artifact(source, described)
        source.unlink()
        return stored


def observations_of(
    host: Host, run_id: str, start: datetime, artifacts: tuple[Artifact, ...] = ()
) -> list[Observation]:
    """What the inspection of a host hands over, ids not yet given."""
    if host.facts is None:
        return []
    whole = [
        (SubjectKind.HOST, host.name, host.facts, artifacts),
        *((SubjectKind.SITE, site["name"], site, ()) for site in host.sites),
        *((SubjectKind.CERTIFICATE, item["thumbprint"], item, ()) for item in host.certificates),
    ]
    return [
        Observation(
            id="",
            run=run_id,
            activity="inspection",
            subject=Subject(kind=kind, id=name, host=host.name),
            collected_at=timestamp(start + timedelta(seconds=20)),
            clock_offset_ms=140,
            collector="inspection/1",
            facts=facts,
            artifacts=files,
        )
        for kind, name, facts, files in whole
    ]


def in_memory(
    hosts: Mapping[str, Host],
    *,
    start: datetime = MORNING,
    nonce: str = "7f3a",
    seq: int = 1,
    controls: Mapping[str, bytes] | None = None,
    change: Callable[[Run], Run] = lambda run: run,
) -> SealedRun:
    """A run as reading a sealed bundle gives it, without keys and disk: the same bytes every time."""
    run_id = f"{start:%Y%m%dT%H%M%SZ}-daily-{nonce}"
    files = control_files() if controls is None else controls
    drafts = [
        observation
        for host in hosts.values()
        for observation in observations_of(host, run_id, start, _pretended(host))
    ]
    observations = [msgspec.structs.replace(draft, id=content_id("OBS", draft)) for draft in drafts]
    run = change(_record(run_id, hosts, start))
    now = datetime.fromisoformat(run.evaluated_at)
    findings = evaluate_run(run, parse_controls(files), observations, Known(), [], now)
    inputs = {f"controls/{name}": data for name, data in files.items()}
    inputs |= {"estate.json": canonical(ESTATE), "schedule.yml": b"items: []\n"}
    entry = LedgerEntry(
        seq=seq,
        kind=EntryKind.RUN,
        id=run_id,
        sums_sha256=hashlib.sha256(run_id.encode()).hexdigest(),
        previous="0" * 64,
        at=timestamp(start + timedelta(minutes=2)),
    )
    return SealedRun(Bundle(run, observations, findings, inputs, Path(run_id)), entry)


def day_of(*runs: SealedRun, basis: SealedRun | None = None, **fields: Any) -> Day:
    """22 November 2026 with these runs."""
    last = runs[-1] if runs else basis
    settings: dict[str, Any] = {
        "date": date(2026, 11, 22),
        "zone": "Asia/Shanghai",
        "inventory": "lab",
        "runs": runs,
        "basis": basis,
        "corrections": (),
        "length": last.entry.seq if last else 0,
        "ledger_line": canonical(last.entry) if last else b"",
        "previous_report": "RPT-D-20261121",
    }
    return Day(**(settings | fields))


def _pretended(host: Host) -> tuple[Artifact, ...]:
    return tuple(
        Artifact(
            name=name,
            media_type="application/x-evtx",
            size=len(data),
            sha256=hashlib.sha256(data).hexdigest(),
            stored="encrypted",
            stored_as=f"artifacts/{hashlib.sha256(data[::-1]).hexdigest()}",
        )
        for name, data in host.files.items()
    )


def control_files() -> dict[str, bytes]:
    """The controls that the project ships."""
    return {path.name: path.read_bytes() for path in sorted((PROJECT / "controls").glob("*.yml"))}


def partial_run(**fields: Any) -> Callable[[Run], Run]:
    """A change of the run's record."""
    return lambda run: msgspec.structs.replace(run, **fields)


def missed(name: str) -> tuple[MissedItem, ...]:
    """One item that was due in the morning before and did not run."""
    return (MissedItem(item=name, due_at="2026-11-21T00:30:00Z", reason="no run was sealed"),)


def _record(run_id: str, hosts: Mapping[str, Host], start: datetime) -> Run:
    return Run(
        id=run_id,
        kind="daily",
        inventory="lab",
        playbook="playbooks/daily.yml",
        started_at=timestamp(start),
        finished_at=timestamp(start + timedelta(seconds=83)),
        evaluated_at=timestamp(start + timedelta(seconds=84)),
        status="completed",
        rc=0,
        operator="chen.jie",
        host="ops-01",
        commit="0f3c1a9be7d24c55a1c0e2b7f6d8a9c4e5b60718",
        versions={"opsproof": "0.1.0"},
        hosts={
            host.name: RunHost(
                outcome=host.outcome,
                planned=True,
                seen=True,
                activities=("inspection",),
                reason=host.reason,
                asset=host.asset,
            )
            for host in hosts.values()
        },
    )
