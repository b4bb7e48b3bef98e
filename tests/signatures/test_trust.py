"""A plan says whom "valid" trusts, and nothing is stored on the word of anybody else."""

from __future__ import annotations

import dataclasses
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from asn1crypto import pem
from tests.signatures import drills
from tests.signatures.applying import applied, contents, drill_key, make
from tests.signatures.conftest import NOW

from opsproof.errors import UsageError
from opsproof.evidence.keys import Keys
from opsproof.signatures import lab
from opsproof.signatures.analyse import Job
from opsproof.signatures.book import CertificateBook
from opsproof.signatures.certificates import Allowed
from opsproof.signatures.correction import Correction, Settings
from opsproof.signatures.database import Database
from opsproof.signatures.errors import PlanError
from opsproof.signatures.plan import Plan, load_plan
from opsproof.signatures.rollback import Rollback
from opsproof.signatures.simulate import Drill
from opsproof.signatures.trust import lines, trust_of


@pytest.fixture(scope="module")
def planned(tmp_path_factory: pytest.TempPathFactory) -> tuple[Drill, Job, Plan]:
    """A plan that no test here applies."""
    folder = tmp_path_factory.mktemp("trust")
    drill = make(folder, f"sqlite:///{folder / 'records.db'}", records=12)
    return (drill, *drills.planned(drill))


def own_authority(folder: Path) -> Path:
    """The trusted certificates with one of an engineer's own beside them."""
    key = lab.new_key("ecdsa")
    begin, end = NOW - timedelta(days=9), NOW + timedelta(days=9)
    evil = lab.issue("own CA", key, None, serial=1, not_before=begin, not_after=end, ca=True)
    path = folder / "own.pem"
    path.write_bytes((folder / "ca.pem").read_bytes() + pem.armor("CERTIFICATE", evil.der))
    return path


def changed(job: Job, what: str) -> Job:
    folder = job.workbook.parent
    changes: dict[str, dict[str, Any]] = {
        "anchor": {"trusted": (own_authority(folder),)},
        "certificate": {"certificates": (*job.certificates, folder / "ca.pem")},
        "no CRL": {"revocations": ()},
        "required": {"require_revocation": True},
    }
    return dataclasses.replace(job, **changes[what])


@pytest.mark.parametrize(
    ("what", "said"),
    [
        (
            "anchor",
            r"trusted certificate '[^']*own CA[^']*' \(SHA-256 [0-9a-f]{16}\) is not in the plan",
        ),
        ("certificate", "certificate '.*' .* is not in the plan"),
        ("no CRL", "revocation 'CRL of .*' .* is missing"),
        ("required", "require-revocation was off"),
    ],
)
def test_others_than_the_plans_are_named_and_nothing_is_stored(
    what: str, said: str, planned: tuple[Drill, Job, Plan], tmp_path: Path, keys: Keys
) -> None:
    drill, job, plan = planned
    before = contents(drill)
    other = changed(job, what)
    with pytest.raises(PlanError, match=f"was made with other certificates: .*{said}"):
        applied(other, plan, keys, tmp_path / "work")
    settings = Settings(
        profile=drill.folder / "profile.yml",
        database=drill.url,
        work=tmp_path,
        now=NOW,
        certificates=other.certificates,
        trusted=other.trusted,
        revocations=other.revocations,
        require_revocation=other.require_revocation,
    )
    with pytest.raises(PlanError, match=said):
        Correction(settings).write_script(plan, keys.bureau, tmp_path / "x.sql")
    with pytest.raises(PlanError, match=said):
        Correction(settings).hold(plan, verifying=True)
    Correction(settings).hold(plan, verifying=False)
    assert contents(drill) == before
    assert not (tmp_path / "x.sql").exists()
    assert not (tmp_path / "before").exists()


def test_the_same_ones_in_other_files_will_do(planned: tuple[Drill, Job, Plan]) -> None:
    """PEM or DER, one file or several, twice, in another order."""
    drill, job, plan = planned
    parts = [
        drill.folder / f"{place}.der"
        for place, one in enumerate(reversed(job.book().certificates))
        if (drill.folder / f"{place}.der").write_bytes(one.der)
    ]
    ca = drill.folder / "ca.pem"
    same = dataclasses.replace(job, certificates=(*parts, *parts), trusted=(ca, ca))
    assert list(plan.header.trust.others(trust_of(same.book()))) == []
    assert same.book().trusted != job.book().trusted


def test_header_facts_and_summary_name_the_anchors_and_the_lists(
    planned: tuple[Drill, Job, Plan], tmp_path: Path
) -> None:
    drill, job, plan = planned
    _, analysis = drills.analysed(drill)
    correction = Correction(Settings(drill.folder / "profile.yml", drill.url, tmp_path, NOW))
    [anchor] = job.book().trusted
    [crl] = job.book().revocations.lists
    assert crl.sha256 not in (anchor.fingerprint, "")
    for facts in (
        correction.facts("analysed", analysis=analysis),
        correction.facts("planned", plan=plan),
        correction.facts("applied", plan=load_plan(plan.path)),
    ):
        assert facts.trust is not None
        assert [one.sha256 for one in facts.trust.anchors] == [anchor.fingerprint]
        assert [one.sha256 for one in facts.trust.revocation_sources] == [crl.sha256]
        assert facts.trust.certificates == len(job.book().certificates) > 2
        assert facts.trust == plan.header.trust.facts()
    named, counted = lines(plan.header.trust.facts())
    assert named == f"trusted: {anchor.name}, SHA-256 {anchor.fingerprint}"
    assert "1 CRLs and OCSP responses" in counted


def test_the_way_back_verifies_no_signature(tmp_path: Path, keys: Keys, keys_folder: Path) -> None:
    """It must stay open when a certificate is no longer trusted."""
    drill = make(tmp_path, f"sqlite:///{tmp_path / 'records.db'}", records=12)
    before = contents(drill)
    job, plan = drills.planned(drill)
    applied(job, plan, keys, tmp_path)
    assert contents(drill) != before
    database = Database(job.url, job.profile)
    key = drill_key(keys_folder)
    Rollback(plan, job.profile, database, tmp_path, keys.bureau, key).roll_back()
    database.close()
    assert contents(drill) == before


def test_a_plan_of_another_version_is_named(
    planned: tuple[Drill, Job, Plan], tmp_path: Path
) -> None:
    old = tmp_path / "plan.jsonl"
    lines = planned[2].path.read_bytes().splitlines(keepends=True)
    old.write_bytes(b'{"profile":"x","schema":"signature-plan/1"}\n' + b"".join(lines[1:]))
    with pytest.raises(
        UsageError, match=r"another version made this plan \(signature-plan/1; "
    ) as caught:
        load_plan(old)
    assert caught.value.remedy is not None
    assert "make a new plan" in caught.value.remedy
    for header in (b'{"schema":"signature-plan/2"}\n', b"{}\n", b"x\n", b'{"schema":5}\n'):
        old.write_bytes(header + b"".join(lines[1:]))
        with pytest.raises(PlanError, match="is not a Header record"):
            load_plan(old)


def test_what_a_profile_takes_though_it_is_weak_is_told_to_those_who_approve() -> None:
    weak = Allowed(frozenset({"1.2.3"}), weak_keys=True, sha1=True, any_of_ca=True)
    told = trust_of(CertificateBook([], [], allowed=weak)).facts()
    assert told.allowed == ("any_of_ca", "weak_keys", "sha1", "purpose 1.2.3")
    assert lines(told)[-1] == "the profile also allows: any_of_ca, weak_keys, sha1, purpose 1.2.3"
    usual = trust_of(CertificateBook([], [])).facts()
    assert usual.allowed == ()
    assert usual.sha256 != told.sha256
    assert not any("allows" in line for line in lines(usual))
