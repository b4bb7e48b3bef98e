"""Checking sealed evidence: one bundle, or a whole reports folder with its ledger.

Needs nothing but the folder: no network, no Ansible, no key. What was not checked is said.
"""

from opsproof.evidence.verify.entry import Trust, verify
from opsproof.evidence.verify.result import Problem, Verification

__all__ = ["Problem", "Trust", "Verification", "verify"]
