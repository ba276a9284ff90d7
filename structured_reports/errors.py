"""Why a result object was not made.

ReportError
├── UnusableHeaderError    the source lacks what no result can do without: quarantine the study
├── IdentityMismatchError  the object would name another patient or study: stop, never send
├── InvalidObjectError     the request contradicts itself: a fault of the node
└── FhirInvalidError       the bundle breaks a rule of FHIR: a fault of the node or of its configuration
"""

from __future__ import annotations


class ReportError(Exception):
    """No result object was made."""


class UnusableHeaderError(ReportError):
    """The source header lacks an attribute that no result can do without."""


class IdentityMismatchError(ReportError):
    """What was encoded does not decode to the identity of the source."""


class InvalidObjectError(ReportError):
    """What was asked for cannot be a valid object."""


class FhirInvalidError(ReportError):
    """A bundle is not valid FHIR R4."""
