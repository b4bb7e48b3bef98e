"""Log audit: Windows event logs and IIS logs in, Sigma rules applied, hits with evidence out."""

from opsproof.logs.audit import Limits, audit
from opsproof.logs.model import AuditReport, Hit

__all__ = ["AuditReport", "Hit", "Limits", "audit"]
