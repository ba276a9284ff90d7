"""Words that every stage uses: AE titles, keys that carry no identity, what was received."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import Annotated

from pydantic import AfterValidator

_AE_TITLE = re.compile(r"[\x20-\x7e]{1,16}")


def ae_title(value: str) -> str:
    """Return an AE title, its insignificant spaces removed.

    Raises
    ------
    ValueError
        Not 1 to 16 printable ASCII characters without backslash (PS3.5 6.2, VR AE).
    """
    title = value.strip(" ")
    if not _AE_TITLE.fullmatch(title) or "\\" in title:
        raise ValueError(
            f"{value!r}: an AE title is 1 to 16 printable ASCII characters without backslash (PS3.5, VR AE)"
        )
    return title


KEY_LENGTH = 16
"""Characters of the key of a study."""

AETitle = Annotated[str, AfterValidator(ae_title)]


def study_key(study_uid: str) -> str:
    """Return the name of a study in file names, logs and messages: it carries no identity."""
    return hashlib.sha256(study_uid.encode()).hexdigest()[:KEY_LENGTH]


@dataclass(frozen=True)
class ReceivedInstance:
    """An instance that is durable in the spool.

    Attributes
    ----------
    sha256
        Of the encoded data set as it arrived, without file meta information.
    path
        Relative to the spool.
    stored_at
        Seconds since the epoch.
    own
        True for an instance that this node made: it is kept and never read.
    """

    study_uid: str
    series_uid: str
    sop_uid: str
    sop_class_uid: str
    transfer_syntax_uid: str
    modality: str
    sha256: str
    path: str
    size: int
    stored_at: float
    own: bool
