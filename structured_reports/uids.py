"""UIDs that follow from what an object is about: a second run names the same object."""

from __future__ import annotations

import json
import uuid

# Root of every name below. It never changes: a new one would give every old result a second identity.
_NAMESPACE = uuid.UUID("6d0f7a52-3c0e-5b7e-9a41-2f5f1c3ad8e6")


def derived_uuid(*parts: str) -> uuid.UUID:
    """Return the name-based UUID of `parts` (RFC 9562 5.5)."""
    # JSON keeps ("ab", "c") and ("a", "bc") apart whatever the parts hold; a separator would not.
    return uuid.uuid5(_NAMESPACE, json.dumps(parts, ensure_ascii=True))


def derived_uid(*parts: str) -> str:
    """Return the UID of `parts`, at most 44 characters.

    References
    ----------
    * DICOM Standard, Part 5, B.2 (UUID derived UID)
    """
    return f"2.25.{derived_uuid(*parts).int}"


def derived_urn(*parts: str) -> str:
    """Return ``urn:uuid:`` and the name-based UUID of `parts`."""
    return derived_uuid(*parts).urn
