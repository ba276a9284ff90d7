"""Which finding of a model is measured: the one that the films are labelled with."""

from __future__ import annotations

from dataclasses import replace

from inference.errors import ModelError
from inference.labelled import LABELLED, LABELLED_NAME, labelled_among, told
from inference.models import Model


def with_measured_finding(model: Model) -> Model:
    """Return a model that says of its findings only the one that the films are labelled with.

    Raises
    ------
    ModelError
        It has no such finding.
    """
    findings = model.card.findings
    order = labelled_among([(each.name, each.code) for each in findings])
    if order is None:
        found = ", ".join(told(each.name, each.code) for each in findings)
        raise ModelError(
            f"{model.card.name} {model.card.version}: finds {found}; the films are labelled with "
            f"{told(LABELLED_NAME, LABELLED)}, and no other finding can be measured on them"
        )
    return replace(
        model, card=replace(model.card, findings=(findings[order],)), scoring=model.scoring.of_finding(order)
    )


def measured_finding(model: Model) -> str:
    """Return the only finding of a model as reports name it."""
    (finding,) = model.card.findings
    return told(finding.name, finding.code)
