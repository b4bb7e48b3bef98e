from __future__ import annotations

import hashlib
from pathlib import Path

import msgspec
import pytest
from tests.evidence import samples

from opsproof.controls import evaluate_inputs
from opsproof.errors import IncompleteError, UsageError
from opsproof.evidence.bundle import BundleBuilder
from opsproof.evidence.model import Outcome, SubjectKind
from opsproof.evidence.reader import load_bundle, sealed_runs
from opsproof.evidence.verify import verify

RUN = "20261122T091500Z-daily-0001"
CANARY = "Canary-7f3a-secret"


def test_a_bundle_reads_back_as_it_was_written(reports: Path) -> None:
    bundle = load_bundle(samples.sealed_run(reports, 1))
    assert [o.subject.key for o in bundle.observations] == [
        "app-01/host/app-01",
        "app-01/site/portal",
        "app-02/host/app-02",
    ]
    assert {f.subject.key: f.state.value for f in bundle.findings} == {
        "app-01/host/app-01": "fail",
        "app-01/site/portal": "pass",
        "app-02/host/app-02": "waived",
        "app-03/host/app-03": "not-collected",
        "app-03/site/portal": "not-collected",
    }
    assert bundle.inputs["controls/sample.yml"] == samples.CONTROLS
    log, table = sorted(bundle.observations[0].artifacts, key=lambda a: a.stored)
    assert (log.stored, table.stored) == ("encrypted", "plain")
    path = bundle.artifact_path(table)
    assert path is not None
    assert path.read_bytes() == samples.PLAIN


def test_the_same_raw_file_is_stored_once(reports: Path) -> None:
    folder = samples.sealed_run(reports, 1)
    assert len(list((folder / "artifacts").iterdir())) == 2


def test_a_secret_appears_nowhere_in_a_bundle(reports: Path, tmp_path: Path) -> None:
    builder = BundleBuilder(reports, RUN, bureau=samples.keys().bureau, secrets=[CANARY])
    samples.fill(builder, tmp_path)
    about = samples.subject(SubjectKind.HOST, "app-01", "app-01")
    builder.add_observation(
        samples.observation(RUN, about, {"disks": [], "text": f"x{CANARY}", CANARY: 1})
    )
    record = samples.run_record(RUN, limit=f"app {CANARY}")
    builder.write(record, [])
    with pytest.raises(UsageError) as caught:
        builder.add_input("hosts.json", f'"{CANARY}"'.encode())
    assert str(caught.value) == "hosts.json: holds a secret value (move it to the vault)"
    folder = builder.seal(samples.keys().signer, now=samples.NOW)
    holding = [
        p.name for p in folder.rglob("*") if p.is_file() and CANARY.encode() in p.read_bytes()
    ]
    assert holding == []
    assert [(r.rule, r.count) for r in load_bundle(folder).run.redactions] == [("exact-secret", 1)]


def test_a_secret_in_a_host_s_reason_leaves_record_and_findings_alike(
    reports: Path, tmp_path: Path
) -> None:
    builder = BundleBuilder(reports, RUN, bureau=samples.keys().bureau, secrets=[CANARY])
    samples.fill(builder, tmp_path)
    gone = samples.host(Outcome.UNREACHABLE, f"rejected {CANARY}")
    record = samples.run_record(RUN, hosts={"app-01": gone})
    builder.write(record, evaluate_inputs(record, builder.observations, builder.inputs))
    folder = builder.seal(samples.keys().signer, now=samples.NOW)
    assert verify(folder).problems == []
    assert not any(CANARY.encode() in p.read_bytes() for p in folder.rglob("*") if p.is_file())
    assert load_bundle(folder).run.hosts["app-01"].reason == "rejected [redacted:exact-secret]"


def test_integers_beyond_2_to_the_53_stay_verifiable(reports: Path, tmp_path: Path) -> None:
    builder = BundleBuilder(reports, RUN, bureau=samples.keys().bureau)
    about = samples.subject(SubjectKind.HOST, "app-01", "app-01")
    stored = builder.add_observation(samples.observation(RUN, about, {"bytes": 2**60}))
    assert stored.facts == {"bytes": str(2**60)}
    samples.fill(builder, tmp_path)
    folder = builder.seal(samples.keys().signer, now=samples.NOW)
    assert verify(folder).problems == []


def test_records_of_another_run_are_refused(reports: Path) -> None:
    builder = BundleBuilder(reports, RUN)
    about = samples.subject(SubjectKind.HOST, "app-01", "app-01")
    with pytest.raises(UsageError, match="is of run other"):
        builder.add_observation(samples.observation("other", about, {}))
    with pytest.raises(UsageError, match="run other does not belong into bundle"):
        builder.write(samples.run_record("other"), [])
    builder.close()


def test_raw_files_need_a_certificate_and_must_be_there(reports: Path, tmp_path: Path) -> None:
    builder = BundleBuilder(reports, RUN)
    (tmp_path / "raw").write_bytes(b"x")
    with pytest.raises(UsageError, match="there is no certificate to encrypt for"):
        builder.add_artifact(tmp_path / "raw", samples.artifact("x", b"x"))
    with pytest.raises(IncompleteError, match="is missing"):
        builder.add_artifact(tmp_path / "gone", samples.artifact("x", b"y"))
    builder.close()


@pytest.mark.parametrize("path", ["../x", "/etc/x", "a/../../x", ""])
def test_inputs_stay_below_their_folder(reports: Path, path: str) -> None:
    builder = BundleBuilder(reports, RUN)
    with pytest.raises(UsageError, match="is not a path below inputs"):
        builder.add_input(path, b"")
    builder.close()


def test_sealed_runs_are_given_newest_first(reports: Path) -> None:
    folders = [samples.sealed_run(reports, number) for number in (1, 2, 3)]
    assert [b.root for b in sealed_runs(reports)] == folders[::-1]
    assert list(sealed_runs(reports, kind="weekly")) == []
    assert len(list(sealed_runs(reports, kind="daily", inventory="lab"))) == 3


def test_stored_name_is_the_hash_of_what_is_stored(reports: Path) -> None:
    folder = samples.sealed_run(reports, 1)
    for path in (folder / "artifacts").iterdir():
        assert path.name == hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_missing_record_is_named(reports: Path) -> None:
    folder = samples.sealed_run(reports, 1)
    (folder / "findings.jsonl").unlink()
    with pytest.raises(IncompleteError, match=r"findings\.jsonl: is missing"):
        load_bundle(folder)


def test_writing_again_replaces_what_was_written(reports: Path, tmp_path: Path) -> None:
    builder = BundleBuilder(reports, RUN, bureau=samples.keys().bureau)
    samples.fill(builder, tmp_path)
    record = msgspec.structs.replace(samples.run_record(RUN), rc=2)
    samples_findings = load_bundle(builder.path).findings
    builder.write(record, samples_findings)
    folder = builder.seal(samples.keys().signer, now=samples.NOW)
    assert load_bundle(folder).run.rc == 2
    assert verify(folder).problems == []
