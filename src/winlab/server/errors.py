"""What can keep the lab from serving."""

from __future__ import annotations

from opsproof.errors import OpsproofError


class LabError(OpsproofError):
    """The lab cannot listen or answer as it was told to."""
