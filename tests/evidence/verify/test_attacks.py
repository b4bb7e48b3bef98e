"""Every attack on sealed evidence is detected and named with the file or line it touched."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.evidence import samples

from opsproof.errors import ExitCode, UsageError
from opsproof.evidence import cms, sums
from opsproof.evidence.keys import Keys, load_certificates
from opsproof.evidence.ledger import Head, Ledger
from opsproof.evidence.verify import Trust, Verification, verify


@pytest.fixture(scope="module")
def sealed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    reports = tmp_path_factory.mktemp("sealed") / "reports"
    for number in (1, 2, 3):
        samples.sealed_run(reports, number)
    return reports


@pytest.fixture
def reports(sealed: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(sealed, tmp_path / "copy"))


def run_folder(reports: Path, number: int) -> Path:
    return reports / "runs" / Ledger(reports).entries[number - 1].id


def rewrite(path: Path, change: Callable[[bytes], bytes]) -> None:
    data = path.read_bytes()
    changed = change(data)
    assert changed != data
    path.unlink()
    path.write_bytes(changed)


def reseal(folder: Path, signer: Keys) -> None:
    """What somebody with a signing key can do: fresh lists and a fresh signature."""
    for name in (sums.SM3SUMS, sums.SHA256SUMS, sums.SIGNATURE, "signer.pem"):
        (folder / name).unlink()
    (folder / "signer.pem").write_bytes(signer.signer.pem)
    pairs = {name: sums.both_hashes(folder / name) for name in sums.files_below(folder)}
    sm3 = sums.render("sm3", {name: pair[1] for name, pair in pairs.items()})
    (folder / sums.SM3SUMS).write_bytes(sm3)
    sha = {name: pair[0] for name, pair in pairs.items()}
    sha[sums.SM3SUMS] = sums.sha256_file(folder / sums.SM3SUMS)
    listing = sums.render("sha256", sha)
    (folder / sums.SHA256SUMS).write_bytes(listing)
    (folder / sums.SIGNATURE).write_bytes(cms.sign(listing, signer.signer))


def rewrite_ledger(reports: Path) -> None:
    """A full rewrite: every bundle's place and every line made to fit again."""
    import msgspec

    from opsproof.evidence.canonical import canonical
    from opsproof.evidence.ledger import NO_PREVIOUS, EntryKind, line_sha256
    from opsproof.evidence.reader import load_bundle
    from opsproof.evidence.records import RUN_FILE
    from opsproof.evidence.seal import entry_of

    previous, lines = NO_PREVIOUS, []
    for number in (1, 2, 3):
        folder = run_folder(reports, number)
        run = msgspec.structs.replace(load_bundle(folder).run, previous=previous, seq=number)
        (folder / RUN_FILE).unlink()
        (folder / RUN_FILE).write_bytes(canonical(run) + b"\n")
        reseal(folder, samples.keys("attacker"))
        lines.append(canonical(entry_of(folder, EntryKind.RUN, run)))
        previous = line_sha256(lines[-1])
    (reports / "ledger.jsonl").write_bytes(b"".join(line + b"\n" for line in lines))


def problems(result: Verification) -> list[str]:
    return [f"{problem.where}: {problem.what}" for problem in result.problems]


def test_untouched_evidence_is_whole_and_says_what_was_not_checked(reports: Path) -> None:
    result = verify(reports)
    assert (result.exit_code, result.problems) == (ExitCode.OK, [])
    assert result.head == str(Ledger(reports).head)
    assert result.done["finding recomputed"] == 3 * 5
    assert result.done["signature"] == 3
    assert result.not_done == [
        "a cut tail or a full rewrite: give --head LENGTH:SHA256 from a printed, signed report",
        "who signed: the CA certificate came with the evidence itself; "
        "give --ca with one that you got another way",
        "the content of encrypted artifacts: only the bureau's key opens them (--bureau-key)",
        "that facts were true when they were collected: no seal can show that",
    ]


def test_with_head_ca_and_key_only_the_truth_of_facts_remains_open(reports: Path) -> None:
    from tests.evidence.test_cms import bureau_key

    from opsproof.evidence.verify.run import Bureau

    trust = Trust(
        ca=load_certificates(samples.key_folder() / "ca.pem"),
        head=Ledger(reports).head,
        bureau=Bureau(samples.keys().bureau, bureau_key()),
    )
    result = verify(reports, trust)
    assert result.exit_code is ExitCode.OK
    assert result.done["artifact content"] == 3
    assert result.not_done == [
        "that facts were true when they were collected: no seal can show that"
    ]


def test_one_copied_bundle_can_be_checked_alone(reports: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(run_folder(reports, 2), tmp_path / "elsewhere"))
    result = verify(copy)
    assert result.exit_code is ExitCode.OK
    assert "its place among other evidence: check the reports folder with its ledger" in (
        result.not_done
    )
    assert any(
        note.startswith("the folder is named elsewhere, the evidence 2026") for note in result.notes
    )


@pytest.mark.parametrize(
    "name",
    [
        "run.json",
        "observations.jsonl",
        "findings.jsonl",
        "inputs/controls/sample.yml",
        "inputs/waivers.yml",
        "README.zh.md",
        "signer.pem",
    ],
)
def test_an_edited_file_is_named(reports: Path, name: str) -> None:
    folder = run_folder(reports, 2)
    rewrite(folder / name, lambda data: data.replace(b"a", b"b", 1))
    result = verify(reports)
    assert result.exit_code is ExitCode.TAMPERED
    assert f"runs/{folder.name}/{name}: was changed after sealing (SHA-256 differs)" in (
        problems(result)
    )
    assert all(folder.name in text for text in problems(result))


@pytest.mark.parametrize("name", ["observations.jsonl", "SHA256SUMS", "SHA256SUMS.p7s", "SM3SUMS"])
def test_a_missing_file_is_named(reports: Path, name: str) -> None:
    folder = run_folder(reports, 1)
    (folder / name).unlink()
    result = verify(reports)
    assert result.exit_code is ExitCode.INCOMPLETE
    assert any(text.startswith(f"runs/{folder.name}") and name in text for text in problems(result))


def test_a_missing_artifact_is_named(reports: Path) -> None:
    folder = run_folder(reports, 1)
    artifact = min((folder / "artifacts").iterdir())
    artifact.unlink()
    result = verify(reports)
    assert result.exit_code is ExitCode.INCOMPLETE
    assert problems(result) == [f"runs/{folder.name}/artifacts/{artifact.name}: is missing"]


@pytest.mark.parametrize("name", ["extra.txt", "inputs/controls/more.yml", "artifacts/0000"])
def test_an_added_file_is_named(reports: Path, name: str) -> None:
    folder = run_folder(reports, 3)
    (folder / name).write_text("x")
    result = verify(reports)
    assert result.exit_code is ExitCode.TAMPERED
    assert problems(result) == [f"runs/{folder.name}/{name}: was added after sealing"]


def test_a_symbolic_link_is_no_file(reports: Path, tmp_path: Path) -> None:
    path = run_folder(reports, 1) / "run.json"
    shutil.move(path, tmp_path / "run.json")
    path.symlink_to(tmp_path / "run.json")
    assert any("was replaced by a symbolic link" in text for text in problems(verify(reports)))


def test_a_prettier_finding_is_found_even_when_resealed_with_the_right_key(reports: Path) -> None:
    folder = run_folder(reports, 3)
    rewrite(folder / "findings.jsonl", lambda data: data.replace(b'"fail"', b'"pass"', 1))
    reseal(folder, samples.keys())
    result = verify(folder)
    assert result.exit_code is ExitCode.TAMPERED
    assert (
        "findings.jsonl:1: the finding SMP-DISK-001 about app-01/host/app-01 does not follow: "
        "it says pass, the facts say fail"
    ) in problems(result)


def test_a_finding_left_out_is_found_even_when_resealed(reports: Path) -> None:
    folder = run_folder(reports, 3)
    rewrite(folder / "findings.jsonl", lambda data: data.split(b"\n", 1)[1])
    reseal(folder, samples.keys())
    result = verify(folder)
    assert result.exit_code is ExitCode.TAMPERED
    assert any("findings.jsonl" in text for text in problems(result))


def test_a_softer_control_is_found_even_when_resealed(reports: Path) -> None:
    folder = run_folder(reports, 3)
    rewrite(folder / "inputs/controls/sample.yml", lambda data: data.replace(b"10}", b"5}"))
    reseal(folder, samples.keys())
    assert "says fail, the facts say pass" in " ".join(problems(verify(folder)))


def test_a_reseal_does_not_fit_the_ledger(reports: Path) -> None:
    folder = run_folder(reports, 2)
    rewrite(folder / "README.md", lambda data: data + b"x")
    reseal(folder, samples.keys())
    assert problems(verify(reports)) == [
        f"ledger.jsonl:2: differs from runs/{folder.name} in sums_sha256"
    ]


def test_a_foreign_signer_is_found_with_the_ca(reports: Path) -> None:
    folder = run_folder(reports, 2)
    reseal(folder, samples.keys("attacker"))
    trust = Trust(ca=load_certificates(samples.key_folder() / "ca.pem"))
    texts = problems(verify(folder, trust))
    assert texts == [
        "signer.pem: the certificate CN=opsproof demo CA does not lead to the given CA"
    ]


def test_swapped_bundles_are_named(reports: Path) -> None:
    first, second = run_folder(reports, 1), run_folder(reports, 2)
    spare = reports / "spare"
    first.rename(spare)
    second.rename(first)
    spare.rename(second)
    result = verify(reports)
    assert result.exit_code is ExitCode.TAMPERED
    assert problems(result) == [
        f"ledger.jsonl:1: differs from runs/{first.name} in seq, id, sums_sha256, previous, at",
        f"ledger.jsonl:2: differs from runs/{second.name} in seq, id, sums_sha256, previous, at",
    ]


def test_a_deleted_bundle_is_named(reports: Path) -> None:
    folder = run_folder(reports, 2)
    shutil.rmtree(folder)
    result = verify(reports)
    assert result.exit_code is ExitCode.INCOMPLETE
    assert problems(result) == [
        f"runs/{folder.name}: line 2 of the ledger names it and it is missing"
    ]


def lines_of(reports: Path) -> list[bytes]:
    return (reports / "ledger.jsonl").read_bytes().splitlines(keepends=True)


@pytest.mark.parametrize(
    ("order", "named"),
    [
        ((0, 2), "ledger.jsonl:2: does not follow line 1 (previous differs)"),
        ((1, 2), "ledger.jsonl:1: does not follow line 0 (previous differs)"),
        ((1, 0, 2), "ledger.jsonl:1: does not follow line 0 (previous differs)"),
        ((0, 1, 1, 2), "ledger.jsonl:3: does not follow line 2 (previous differs)"),
        ((0, 2, 1), "ledger.jsonl:2: does not follow line 1 (previous differs)"),
    ],
    ids=["deleted", "head deleted", "reordered", "inserted", "tail reordered"],
)
def test_changed_order_of_the_ledger_is_named(
    reports: Path, order: tuple[int, ...], named: str
) -> None:
    lines = lines_of(reports)
    (reports / "ledger.jsonl").write_bytes(b"".join(lines[n] for n in order))
    result = verify(reports)
    assert result.exit_code is ExitCode.TAMPERED
    assert named in problems(result)


def test_an_edited_last_line_is_named(reports: Path) -> None:
    lines = lines_of(reports)
    entry = json.loads(lines[2])
    changed = lines[2].replace(entry["at"].encode(), b"2026-11-25T00:00:00Z")
    (reports / "ledger.jsonl").write_bytes(b"".join([*lines[:2], changed]))
    name = run_folder(reports, 3).name
    assert problems(verify(reports)) == [f"ledger.jsonl:3: differs from runs/{name} in at"]


def test_a_cut_tail_is_found_by_the_bundle_it_leaves(reports: Path) -> None:
    folder = run_folder(reports, 3)
    (reports / "ledger.jsonl").write_bytes(b"".join(lines_of(reports)[:2]))
    result = verify(reports)
    assert result.exit_code is ExitCode.INCOMPLETE
    assert problems(result) == [
        f"runs/{folder.name}: is sealed and missing from the ledger; the next run takes it up"
    ]


def test_a_tail_cut_by_two_is_found_by_the_bundles_it_leaves(reports: Path) -> None:
    (reports / "ledger.jsonl").write_bytes(b"".join(lines_of(reports)[:1]))
    result = verify(reports)
    assert result.exit_code is ExitCode.INCOMPLETE
    assert any("says it is line 3; the ledger ends before" in text for text in problems(result))


def test_a_tail_cut_with_its_bundles_is_found_by_the_printed_head(reports: Path) -> None:
    head = Ledger(reports).head
    shutil.rmtree(run_folder(reports, 3))
    (reports / "ledger.jsonl").write_bytes(b"".join(lines_of(reports)[:2]))
    assert verify(reports).exit_code is ExitCode.OK
    result = verify(reports, Trust(head=head))
    assert result.exit_code is ExitCode.INCOMPLETE
    assert problems(result) == [
        "ledger.jsonl: has 2 lines, the given head says 3: its tail was cut"
    ]


def test_an_older_printed_head_still_fits_a_longer_ledger(reports: Path) -> None:
    old = Ledger(reports).head
    samples.sealed_run(reports, 4)
    assert verify(reports, Trust(head=old)).exit_code is ExitCode.OK


def test_a_full_rewrite_is_found_by_head_and_by_ca(reports: Path) -> None:
    head = Ledger(reports).head
    rewrite_ledger(reports)
    assert verify(reports).exit_code is ExitCode.OK
    assert problems(verify(reports, Trust(head=head))) == [
        "ledger.jsonl:3: is not the line that the given head names"
    ]
    ca = load_certificates(samples.key_folder() / "ca.pem")
    assert len(problems(verify(reports, Trust(ca=ca)))) == 3


def test_a_bundle_of_another_chain_is_named(reports: Path, tmp_path: Path) -> None:
    other = samples.sealed_run(tmp_path / "other", 9)
    shutil.copytree(other, reports / "runs" / other.name)
    result = verify(reports)
    assert result.exit_code is ExitCode.TAMPERED
    assert problems(result) == [
        f"runs/{other.name}: claims line 1 of the ledger, which is another's"
    ]


def test_a_torn_last_line_is_incomplete(reports: Path) -> None:
    with (reports / "ledger.jsonl").open("ab") as stream:
        stream.write(b'{"at":"20')
    result = verify(reports)
    assert result.exit_code is ExitCode.INCOMPLETE
    assert problems(result) == ["ledger.jsonl:4: the last line is torn; opsproof ledger repair"]


def test_a_missing_ledger_is_named(reports: Path) -> None:
    (reports / "ledger.jsonl").unlink()
    result = verify(reports)
    assert "ledger.jsonl: is missing" in problems(result)
    assert result.exit_code is ExitCode.INCOMPLETE


def test_a_file_among_the_bundles_is_named(reports: Path) -> None:
    (reports / "runs" / "note.txt").write_text("x")
    assert problems(verify(reports)) == ["runs/note.txt: does not belong here"]


def test_a_partial_folder_is_noted_and_no_evidence(reports: Path) -> None:
    (reports / "runs" / ".x.partial").mkdir()
    result = verify(reports)
    assert result.exit_code is ExitCode.OK
    assert "runs/.x.partial was never sealed: not evidence, not checked" in result.notes


def test_a_path_without_evidence_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="holds no evidence"):
        verify(tmp_path)
    with pytest.raises(UsageError, match="'3:xyz' is not a head"):
        Head.parse("3:xyz")


def test_a_clock_that_went_back_is_noted(reports: Path) -> None:
    folder = samples.sealed_run(reports, 0)
    result = verify(reports)
    assert result.exit_code is ExitCode.OK
    assert any(
        note.startswith("ledger.jsonl:4 was sealed at 2026-11-21T09:15:00Z, line 3 at 2026-11-24")
        for note in result.notes
    )
    assert any(
        note.startswith(f"runs/{folder.name} says it was sealed at 2026-11-21T09:15:00Z, its sign")
        for note in result.notes
    )


def test_a_hostile_file_name_is_shown_escaped(reports: Path) -> None:
    name = os.fsdecode(b"x\xff\n\x1b[2Kfine")
    (run_folder(reports, 1) / name).touch()
    result = verify(reports)
    assert result.exit_code is ExitCode.TAMPERED
    assert result.problems[0].where.endswith("/x\\udcff\\n\\x1b[2Kfine")
    result.problems[0].where.encode("ascii")


def test_a_hash_list_that_is_not_utf_8_is_named(reports: Path) -> None:
    folder = run_folder(reports, 1)
    rewrite(folder / "SM3SUMS", lambda data: data[:100] + b"\x80" + data[101:])
    assert f"runs/{folder.name}/SM3SUMS:2: is not UTF-8" in problems(verify(reports))


@pytest.mark.parametrize("key", ["sealed_at", "evaluated_at"])
def test_a_damaged_time_is_tampering_and_no_crash(reports: Path, key: str) -> None:
    folder = run_folder(reports, 1)
    rewrite(
        folder / "run.json",
        lambda data: data.replace(f'"{key}":"2'.encode(), f'"{key}":"x'.encode()),
    )
    assert verify(reports).exit_code is ExitCode.TAMPERED
    reseal(folder, samples.keys())
    assert any("' is not a time" in text for text in problems(verify(folder)))
