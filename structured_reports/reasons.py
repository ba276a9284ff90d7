"""Why no AI was performed, as codes of the standard (CID 9300, Procedure Discontinuation Reasons)."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from inference.types import Code
from structured_reports.port import Refusal


def _dcm(value: str, meaning: str) -> Code:
    return Code(value, "DCM", meaning)


EXPIRED = _dcm("110533", "Workitem expired")
EQUIPMENT = _dcm("110501", "Equipment failure")
FORMAT = _dcm("110521", "Objects incorrectly formatted")
TYPE = _dcm("110522", "Object Types not supported")
UNSPECIFIED = _dcm("110513", "Discontinued for unspecified reason")

REASONS: Mapping[str, Code] = MappingProxyType(
    {
        "deadline": EXPIRED,
        **dict.fromkeys(("failed", "hang", "not-finite", "not-probable"), EQUIPMENT),
        **dict.fromkeys(
            ("pixels", "decoder", "frames", "geometry", "orientation", "header", "identity", "units"), FORMAT
        ),
        **dict.fromkeys(
            (
                "no-model",
                "modality",
                "intent",
                "localizer",
                "phantom",
                "body-part",
                "view",
                "not-frontal",
                "unfamiliar",
            ),
            TYPE,
        ),
    }
)
"""Code of a refusal to the code of the standard; any other has `UNSPECIFIED`."""


def reason(refusal: Refusal) -> Code:
    """Return the coded reason of a refusal."""
    return REASONS.get(refusal.code, UNSPECIFIED)
