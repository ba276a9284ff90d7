"""The verdict on a model in sentences, each with the figures that it rests on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from inference.evaluation.report import Report
from inference.evaluation.text import confusion_of, interval, refused_of

# Hanley and Lippman-Hand, JAMA 249, 1983: of n films without one event, the 95 % upper end is about 3 / n.
RULE_OF_THREE = 3.0


def verdict(report: Report) -> Iterator[str]:
    """Yield what can be said of the model."""
    for name, values in report.populations.items():
        yield found(name, values)
    yield normal_adults(report)
    yield pointing(report)
    for name, values in report.populations.items():
        yield calibrated(name, values)
    yield refused(report)


def found(name: str, values: Mapping[str, object]) -> str:
    """Return what is found and what is falsely called in a population."""
    counts = confusion_of(values)
    with_it, without = counts["tp"] + counts["fn"], counts["tn"] + counts["fp"]
    return (
        f"{capital(name)}: finds {counts['tp']} of {with_it} films with pneumonia; "
        f"{counts['fp']} of {without} films without it are false alarms."
    )


def normal_adults(report: Report) -> str:
    """Return what becomes of normal adults."""
    normal = report.normal_adults
    if normal is None:
        return "Normal adults: no film of them was read."
    words = f"Normal adults: {normal.flagged} of {normal.films} flagged at the threshold, {interval(normal.share)}"
    if not normal.flagged:
        most = min(1.0, RULE_OF_THREE / normal.films)
        words += f"; with none of {normal.films} the true share may be up to {most:.0%} (rule of three)"
    at = interval(normal.specificity_at_sensitivity_80)
    return f"{words}. At the threshold that finds 80 % of the opacities, the specificity on them is {at}."


def pointing(report: Report) -> str:
    """Return whether maps point into boxes."""
    game = report.pointing
    if game is None:
        return "Maps: the model gives none, or no film of this split has a radiologist's box."
    return (
        f"Maps: the maximum lies inside a radiologist's box in {game.hits} of {game.films} adults' films with "
        f"opacities, {interval(game.interval)}; a random point would in {game.chance:.3f}."
    )


def calibrated(name: str, values: Mapping[str, object]) -> str:
    """Return whether scores can be read as probabilities."""
    error, expected = values["calibration_error"], values["calibration_error_if_calibrated"]
    if not isinstance(error, Mapping) or not isinstance(expected, Mapping) or error["value"] is None:
        return f"{capital(name)}: no score, so no calibration."
    is_above = error["value"] > expected["high"]
    said = "are not probabilities here" if is_above else "agree with probabilities, as far as these films can tell"
    return (
        f"{capital(name)}: scores {said}: calibration error {error['value']:.3f}, while exact scores would show "
        f"{expected['low']:.3f} to {expected['high']:.3f} on {values['films']} films."
    )


def refused(report: Report) -> str:
    """Return how many films were refused."""
    counts = {name: refused_of(values) for name, values in report.populations.items()}
    told = [f"{name}: {sum(codes.values())} ({', '.join(codes)})" for name, codes in counts.items() if codes]
    if not told:
        return "Refused: no film; every film above was scored."
    return f"Refused and in none of the figures: {'; '.join(told)}."


def capital(words: str) -> str:
    """Return words that begin a sentence."""
    return words[:1].upper() + words[1:]
