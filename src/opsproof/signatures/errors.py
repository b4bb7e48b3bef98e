"""Errors of signature correction. All are for people: what, where, what to do."""

from __future__ import annotations

from opsproof.errors import OpsproofError, RefusedError, TamperedError, UsageError


class ProfileError(UsageError):
    """A profile, or a name in it, is not what it must be."""


class SourceError(OpsproofError):
    """A database or a file cannot be read."""


class DeliveryError(UsageError):
    """Base data as a whole is not what the profile asks for: nothing of it is taken."""


class CertificateError(UsageError):
    """A certificate, a CRL or an OCSP response cannot be read."""


class MalformedError(ValueError):
    """Bytes are not the signature, container or certificate they are taken for. Never shown raw."""


class NotVerifiableError(OpsproofError):
    """The library that this algorithm needs is not installed; says nothing about the signature.

    An analysis makes it a record's class; whatever must not go on without an answer ends with it.
    """


class PlanError(TamperedError):
    """A plan is not the one that was written, or a value in it does not verify."""


class ApprovalError(RefusedError):
    """The ticket is missing, is not signed by the bureau, or names another plan."""


class SigningUnavailableError(SourceError):
    """The signing service is not there, or cannot sign now; asking again later may help."""


class SigningRefusedError(SourceError):
    """The signing service is there and will not sign with this key for us."""


class SigningAnswerError(SourceError):
    """The signing service answered with something that is not a right signature."""
