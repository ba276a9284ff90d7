"""The worst errors of each population."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

from matplotlib.figure import Figure

from inference.evaluation.evaluation import Measured
from inference.evaluation.outcomes import answered
from inference.evaluation.pictures.exhibit import Exhibit
from inference.evaluation.pictures.gallery import Shown, bare_and_mapped, draw_gallery, gallery_size
from inference.evaluation.populations import NORMAL_ADULTS
from inference.evaluation.reading import Reading, saliency_of
from inference.film_folder import OPACITY

MOST = 4  # of each kind of error


def failure_exhibits(measured: Measured) -> Iterator[Exhibit]:
    """Yield the gallery of errors of each population, each film of the archives in one of them."""
    chosen = {name: each for name, each in measured.stored.items() if name != NORMAL_ADULTS}
    for number, (name, readings) in enumerate(chosen.items(), start=1):
        yield failures(measured, name, readings, f"failures-{number}")


def failures(measured: Measured, name: str, readings: Sequence[Reading], key: str) -> Exhibit:
    """Return the gallery of errors of a population."""
    title = f"Failures: {name}"
    missed, alarms = errors_of(readings, measured.report.threshold)
    if not missed and not alarms:
        return Exhibit(key, title, f"No error among {len(answered(readings))} films at this threshold.")
    worst = [*missed[:MOST], *alarms[:MOST]]
    return Exhibit(
        key, title,
        f"Look for what misled the model, or a label that looks wrong: the {len(missed[:MOST])} lowest scores of "
        f"{len(missed)} missed pneumonias, then the {len(alarms[:MOST])} highest of {len(alarms)} false alarms, "
        "with maps scaled to their own peaks.",
        f"{len(worst)} films on which the model is most wrong, each bare and with its map.",
        gallery_size(len(worst)), partial(draw_failures, measured=measured, worst=worst), on_black=True,
    )  # fmt: skip


def errors_of(readings: Sequence[Reading], threshold: float) -> tuple[list[Reading], list[Reading]]:
    """Return missed pneumonias and false alarms, the worst first."""
    ranked = sorted(answered(readings), key=lambda each: (each.score or 0.0, each.case.film.file))
    missed = [each for each in ranked if each.truth and (each.score or 0.0) < threshold]
    alarms = [each for each in reversed(ranked) if not each.truth and (each.score or 0.0) >= threshold]
    return missed, alarms


def draw_failures(figure: Figure, measured: Measured, worst: Sequence[Reading]) -> None:
    """Draw errors with the reason why each is one."""
    boxes = measured.folder.boxes([OPACITY])
    films = [each.case.film for each in worst]
    shown = [
        Shown(stored.pixels, saliency_of(measured.model, each), words_of(each), boxes.get(film.file, ()))
        for each, film, stored in zip(worst, films, measured.folder.radiographs(films), strict=True)
    ]
    draw_gallery(figure, [bare_and_mapped(each) for each in shown])


def words_of(reading: Reading) -> str:
    """Return the words over an error."""
    error = "missed pneumonia" if reading.truth else "false alarm"
    return f"{reading.case.film.file}\n{error}, score {reading.score:.2f}"
