"""One correction from analysis to rollback, in one work folder: what the command line and the
Ansible module call.

The folder (mode 0700) holds ``workbook.db`` (personal data), ``plan.jsonl``, ``approved/`` with every
plan that was approved, ``journal.jsonl``, and ``before/``, the before-images that only the bureau's key
opens.
"""

from __future__ import annotations

import hashlib
import re
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa

from opsproof.errors import UsageError
from opsproof.evidence.files import locked, replacing
from opsproof.evidence.schemas.signatures import ClassCount, InterfaceFacts, RecordSetFacts
from opsproof.logs import times
from opsproof.run.gates import Ticket, load_calendar, load_ticket
from opsproof.signatures import analyse as analysis_of
from opsproof.signatures import basedata, links, scripts, sm2, ticket
from opsproof.signatures.analyse import Analysis, Job
from opsproof.signatures.anomalies import LogReader, Patterns
from opsproof.signatures.apply import Applier, Result
from opsproof.signatures.certificates import Certificate
from opsproof.signatures.database import Database
from opsproof.signatures.errors import PlanError
from opsproof.signatures.keyform import KeyForm
from opsproof.signatures.links import Links
from opsproof.signatures.model import Progress, RecordClass, silent
from opsproof.signatures.plan import Plan, load_plan
from opsproof.signatures.planner import make_plan
from opsproof.signatures.profile import Profile, load_profile
from opsproof.signatures.rollback import Rollback
from opsproof.signatures.signing import SigningService
from opsproof.signatures.standing import Standing, look
from opsproof.signatures.workbook import Workbook

_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Settings:
    """What a correction works with. ``now`` is the clock's, aware.

    ``logs`` are data logs of the signing and verification interface, files or folders of them;
    ``logs_missing`` names those that should be among them and are not.
    """

    profile: Path
    database: str = field(repr=False)
    work: Path
    now: datetime
    certificates: tuple[Path, ...] = ()
    trusted: tuple[Path, ...] = ()
    revocations: tuple[Path, ...] = ()
    require_revocation: bool = False
    base: tuple[Path, ...] = ()
    base_encoding: str = "utf-8-sig"
    base_sheet: str | None = None
    base_database: str | None = field(default=None, repr=False)
    base_query: str | None = None
    workers: int = 1
    logs: tuple[Path, ...] = ()
    logs_missing: tuple[str, ...] = ()
    log_patterns: Path | None = None
    log_encoding: str = "utf-8-sig"


@dataclass(frozen=True)
class Approval:
    """What the bureau gives: a ticket, who may sign tickets, and for whom images are encrypted.

    ``calendar`` holds windows and freeze days (see ``run/gates.py``), in the time zone ``zone``.
    """

    ticket: Path
    approvers: Path
    bureau: x509.Certificate
    calendar: Path = Path("calendar.yml")
    zone: str = "Asia/Shanghai"


class Correction:
    """Drives one correction; every step can be run again."""

    def __init__(self, settings: Settings) -> None:
        """Read the profile and the logs' patterns, and make the work folder.

        Raises:
            UsageError: the profile or the patterns are not right, a log is not there, or there are no
                patterns for it.
        """
        self.settings = settings
        self.profile: Profile = load_profile(settings.profile)
        self._reader = self._log_reader()
        self._links: Links | None = None
        settings.work.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.plan_path = settings.work / "plan.jsonl"

    def job(self) -> Job:
        """The analysis that these settings ask for."""
        settings = self.settings
        return Job(
            url=settings.database,
            profile=self.profile,
            certificates=settings.certificates,
            trusted=settings.trusted,
            revocations=settings.revocations,
            require_revocation=settings.require_revocation,
            now=settings.now,
            workbook=settings.work / "workbook.db",
            base_delivered=bool(settings.base or settings.base_query),
        )

    def analyse(self, progress: Progress | None = None) -> Analysis:
        """Diagnose every record; what the last analysis found stays if this one fails.

        Raises:
            SourceError: the database or base data cannot be read.
            DeliveryError: base data is not what the profile asks for.
            CertificateError: a certificate or what revokes them cannot.
            RefusedError: another analysis is under way in this folder.
        """
        settings = self.settings
        job = self.job()
        with Workbook.replacing(job.workbook) as partial:
            with closing(Workbook(partial, fresh=True)) as workbook:
                self._deliver(workbook)
            return analysis_of.analyse(
                replace(job, workbook=partial), workers=settings.workers, progress=progress
            )

    def _deliver(self, workbook: Workbook) -> None:
        """Take the base data in."""
        settings, profile = self.settings, self.profile
        books = [path for path in settings.base if path.suffix.lower() == ".xlsx"]
        if settings.base_sheet is not None and not books:
            raise UsageError("a sheet is named, but no base data is a workbook (.xlsx)")
        if not settings.base and settings.base_query is None:
            return
        form = self._key_form()
        for path in settings.base:
            rows = basedata.read(
                path, profile, encoding=settings.base_encoding, sheet=settings.base_sheet
            )
            workbook.add_base(rows, form)
        if settings.base_query is not None:
            source = settings.base_database or settings.database
            workbook.add_base(basedata.query(source, settings.base_query, profile), form)

    def plan(self, analysis: Analysis, service: SigningService | None) -> Plan:
        """Write the plan of an analysis that was just made."""
        return make_plan(
            self.job(), analysis, self.plan_path, service=service, now=self.settings.now
        )

    def approved(self, approval: Approval) -> tuple[Plan, Ticket, Certificate]:
        """The plan and the ticket that names it.

        A plan that was once approved stays at hand: the way back needs it when there is a new one.

        Raises:
            RefusedError: there is no such ticket, or it does not allow this plan now.
            PlanError: the plan is not whole, or was changed meanwhile.
            UsageError: before-images cannot be encrypted for the bureau's certificate, or the calendar's
                time zone is none.
        """
        if not isinstance(approval.bureau.public_key(), rsa.RSAPublicKey):
            raise UsageError("the bureau's certificate has no RSA key to encrypt before-images for")
        zone = times.zone(approval.zone)
        if zone is None:
            raise UsageError("this is no time zone such as Asia/Shanghai", where=approval.zone)
        plan = load_plan(self._plan_of(load_ticket(approval.ticket)))
        found, signer = ticket.approve(
            approval.ticket,
            plan,
            self.profile,
            approval.approvers,
            calendar=load_calendar(approval.calendar),
            zone=zone,
            now=self.settings.now,
        )
        kept = self._kept(plan.sha256)
        if plan.path != kept:
            kept.parent.mkdir(mode=0o700, exist_ok=True)
            digest = hashlib.sha256()
            with replacing(kept, mode=0o600) as copy, plan.path.open("rb") as source:
                while block := source.read(1 << 20):
                    digest.update(block)
                    copy.write(block)
                if digest.hexdigest() != plan.sha256:
                    raise PlanError("was changed while it was approved", where=str(plan.path))
        return replace(plan, path=kept), found, signer

    def _kept(self, sha256: str) -> Path:
        return self.settings.work / "approved" / f"{sha256}.jsonl"

    def _plan_of(self, ticket: Ticket) -> Path:
        wanted = ticket.content_sha256 or ""
        kept = self._kept(wanted)
        return kept if _SHA256.fullmatch(wanted) and kept.is_file() else self.plan_path

    def hold(self, plan: Plan, *, verifying: bool) -> None:
        """What :meth:`apply` (``verifying``) and :meth:`roll_back` ask of a plan before anything else.

        Raises:
            PlanError: it is for another profile or database, or was made with other certificates.
        """
        book = self.job().book() if verifying else None
        with closing(Database(self.settings.database, self.profile)) as database:
            plan.held_to(self.profile, database=database, book=book)

    def apply(self, plan: Plan, bureau: x509.Certificate, progress: Progress = silent) -> Result:
        """Store what an approved plan says; see :class:`Applier`. Logs are read before."""
        self._gather()
        database = Database(self.settings.database, self.profile)
        try:
            applier = Applier(
                plan,
                self.profile,
                database,
                self.job().checker(),
                self.settings.work,
                bureau,
                progress=progress,
            )
            return applier.apply()
        finally:
            database.close()

    def roll_back(
        self,
        plan: Plan,
        bureau: x509.Certificate,
        key: rsa.RSAPrivateKey,
        progress: Progress = silent,
    ) -> Result:
        """Put the before-images back; see :class:`Rollback`. Logs are read before."""
        self._gather()
        database = Database(self.settings.database, self.profile)
        try:
            way_back = Rollback(
                plan,
                self.profile,
                database,
                self.settings.work,
                bureau,
                key,
                progress=progress,
            )
            return way_back.roll_back()
        finally:
            database.close()

    def write_script(
        self, plan: Plan, bureau: x509.Certificate, path: Path, progress: Progress = silent
    ) -> int:
        """The plan as T-SQL in ``path`` (mode 0600); the number of records.

        The before-images of the copy are kept as :meth:`apply` keeps them, for the way back.

        Raises:
            PlanError: the copy is not what was planned on, or a value does not verify.
            RefusedError: another process works in the folder.
        """
        database = Database(self.settings.database, self.profile)
        checker, work = self.job().checker(), self.settings.work
        try:
            with locked(work / "lock", wait=False), sm2.quiet():
                batches = scripts.forward(plan, self.profile, database, checker, work, bureau)
                title = f"signature correction, plan {plan.sha256}"
                return scripts.save(title, plan, self.profile, batches, path, progress)
        finally:
            database.close()

    def write_rollback_script(
        self,
        plan: Plan,
        bureau: x509.Certificate,
        key: rsa.RSAPrivateKey,
        path: Path,
        progress: Progress = silent,
    ) -> int:
        """The way back as T-SQL in ``path`` (mode 0600); the number of records."""
        database = Database(self.settings.database, self.profile)
        try:
            batches = scripts.backward(
                plan, self.profile, database, self.settings.work, bureau, key
            )
            title = f"the way back, plan {plan.sha256}"
            return scripts.save(title, plan, self.profile, batches, path, progress)
        finally:
            database.close()

    def standing(
        self, ticket: Path | None = None, progress: Progress = silent
    ) -> tuple[Plan, Standing]:
        """Look at every record that a plan writes, once more with the strict check.

        It is the last plan, or the one that ``ticket`` names, whoever signed that.
        """
        plan = load_plan(self.plan_path if ticket is None else self._plan_of(load_ticket(ticket)))
        if ticket is not None and plan.sha256 != load_ticket(ticket).content_sha256:
            raise UsageError("names a plan that is not in the work folder", where=str(ticket))
        database = Database(self.settings.database, self.profile)
        try:
            return plan, look(plan, database, self.job().checker(), progress)
        finally:
            database.close()

    def interface(self, progress: Progress = silent) -> InterfaceFacts | None:
        """Failures in the data logs, with how their records stand now; None where no log is named.

        Raises:
            SourceError: a log cannot be read, or the database does not answer.
        """
        reader, found = self._reader, self._gather()
        if reader is None or found is None:
            return None
        database = Database(self.settings.database, self.profile)
        try:
            return links.interface_facts(
                reader,
                found,
                database,
                self.job().checker(),
                self.settings.work / "workbook.db",
                self.settings.logs_missing,
                progress,
            )
        finally:
            database.close()

    def _log_reader(self) -> LogReader | None:
        settings = self.settings
        if not settings.logs:
            return None
        if settings.log_patterns is None:
            raise UsageError("data logs need a file of patterns that says how their lines look")
        patterns = Patterns(settings.log_patterns, self.profile.key)
        return LogReader(settings.logs, patterns, settings.log_encoding)

    def _gather(self) -> Links | None:
        """Read the logs once: what they lack is said before anything is stored."""
        if self._links is None and self._reader is not None:
            self._links = links.gather(self._reader, self.settings.work, self._key_form())
        return self._links

    def _key_form(self) -> KeyForm:
        with closing(Database(self.settings.database, self.profile)) as database:
            return database.key_form

    def facts(
        self,
        state: str,
        *,
        analysis: Analysis | None = None,
        plan: Plan | None = None,
        result: Result | None = None,
        approval: tuple[Ticket, Certificate] | None = None,
    ) -> RecordSetFacts:
        """What goes to evidence: counts and hashes."""
        classes = _classes(analysis, plan)
        header = None if plan is None else plan.header
        actions = {} if plan is None else plan.footer.actions
        entries = 0 if plan is None else plan.footer.entries
        records = sum(classes.values())
        valid = classes.get(RecordClass.VALID.value, 0)
        seen = analysis or header
        wrote = result is not None and result.written > 0
        return RecordSetFacts(
            profile=self.profile.id,
            profile_sha256=self.profile.sha256,
            state=state,
            records=records,
            valid=valid,
            wrong=records - valid,
            classes=tuple(
                ClassCount(record_class=name, records=count)
                for name, count in sorted(classes.items())
            ),
            base_rows=0 if seen is None else seen.base_rows,
            bad_base_rows=0 if seen is None else seen.bad_base_rows,
            table_sha256="" if seen is None else seen.table_sha256,
            plan_sha256=None if plan is None else plan.sha256,
            to_write=actions.get("write", 0),
            unsolved=entries - actions.get("write", 0),
            ticket=None if approval is None else approval[0].id,
            approver_sha256=None if approval is None else approval[1].fingerprint,
            written=0 if result is None else result.written,
            already=0 if result is None else result.already,
            left_alone=0 if result is None else result.left_alone,
            left=() if result is None else tuple(result.left),
            before_sha256=result.before_sha256 if result is not None and wrote else None,
            after_sha256=result.after_sha256 if result is not None and wrote else None,
            base_without_record=0 if seen is None else seen.base_without_record,
            interface=self.interface(),
            ambiguous=0 if seen is None else seen.ambiguous,
            ambiguous_records=() if seen is None else seen.ambiguous_records,
            trust=None if seen is None else seen.trust.facts(),
        )


def _classes(analysis: Analysis | None, plan: Plan | None) -> dict[str, int]:
    if analysis is not None:
        return {name.value: count for name, count in analysis.classes.items()}
    return dict(plan.header.classes) if plan is not None else {}
