"""Which finding of a model is measured: the one that the films are labelled with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from inference.errors import ModelError
from inference.film_folder import LABELLED, LABELLED_NAME
from inference.models import Model
from inference.types import Code, Finding


def with_measured_finding(model: Model) -> Model:
    """Return a model that says of its findings only the one that the films are labelled with.

    It is known by its code; a finding of that name coded in another scheme is it too, for a code of another scheme
    says neither that it is nor that it is not.

    Raises
    ------
    ModelError
        It has no such finding.
    """
    findings = model.card.findings
    order = order_of(findings)
    if order is None:
        found = ", ".join(told(each.name, each.code) for each in findings)
        raise ModelError(
            f"{model.card.name} {model.card.version}: finds {found}; the films are labelled with "
            f"{told(LABELLED_NAME, LABELLED)}, and no other finding can be measured on them"
        )
    return replace(
        model, card=replace(model.card, findings=(findings[order],)), scoring=model.scoring.of_finding(order)
    )


def order_of(findings: Sequence[Finding]) -> int | None:
    """Return where the finding of the labels stands among others, None where it does not."""
    coded = [(each.code.value, each.code.scheme) == (LABELLED.value, LABELLED.scheme) for each in findings]
    named = [each.name.casefold() == LABELLED_NAME and each.code.scheme != LABELLED.scheme for each in findings]
    return next((known.index(True) for known in (coded, named) if True in known), None)


def told(name: str, code: Code) -> str:
    """Return a finding as reports name it."""
    return f"{name} ({code.value} of {code.scheme})"


def measured_finding(model: Model) -> str:
    """Return the only finding of a model as reports name it."""
    (finding,) = model.card.findings
    return told(finding.name, finding.code)
