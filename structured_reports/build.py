"""From one request to every object of a result."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from types import MappingProxyType

from structured_reports.alternatives import alternatives
from structured_reports.errors import InvalidObjectError
from structured_reports.fhir.bundle import FhirBundle
from structured_reports.fhir.options import FhirOptions
from structured_reports.heatmap import heatmap
from structured_reports.key_objects import key_objects
from structured_reports.pdf import pdf
from structured_reports.port import DEFAULT_KINDS, Builder, ReportRequest, ResultObject
from structured_reports.presentation_state import presentation_state
from structured_reports.report import report
from structured_reports.segmentation import fractional_segmentation, segmentation
from structured_reports.summary import summary

# In the order of building: a report refers to the heatmap, key objects and the bundle to what was made before.
BUILDERS: Mapping[str, Builder] = MappingProxyType(
    {
        "summary": summary,
        "heatmap": heatmap,
        "gsps": presentation_state,
        "seg": segmentation,
        "seg-fractional": fractional_segmentation,
        "report": report,
        "pdf": pdf,
        "kos": key_objects,
        "fhir": FhirBundle(),
    }
)


def build_results(
    request: ReportRequest,
    kinds: Collection[str] = DEFAULT_KINDS,
    fhir: FhirOptions = FhirOptions(),  # noqa: B008
    forms: Collection[str] = (),
) -> tuple[ResultObject, ...]:
    """Return the objects of one result; the same request gives the same bytes.

    Parameters
    ----------
    kinds
        Keys of `BUILDERS`. An object that does not apply, as a heatmap below the threshold, is left out.
    fhir
        How the bundle refers to what the target server has.
    forms
        Keys of `structured_reports.forms`: alternatives that a destination may need, made beside the first form.

    Raises
    ------
    InvalidObjectError
        An unknown kind.
    UnusableHeaderError, IdentityMismatchError, FhirInvalidError
        No object is returned if one of them cannot be made.
    """
    unknown = set(kinds) - set(BUILDERS)
    if unknown:
        raise InvalidObjectError(f"kinds: {', '.join(sorted(unknown))}; known are {', '.join(BUILDERS)}")
    builders: Mapping[str, Builder] = {**BUILDERS, "fhir": FhirBundle(fhir)}
    built: dict[str, ResultObject] = {}
    for kind in (kind for kind in BUILDERS if kind in kinds):
        made = builders[kind](request, built)
        if made is not None:
            built[kind] = made
    return (*built.values(), *alternatives(request, built, forms))
