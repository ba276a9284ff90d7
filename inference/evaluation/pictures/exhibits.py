"""Which pictures the report of one model holds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

from matplotlib.figure import Figure

from inference.evaluation.embedding import embedded
from inference.evaluation.evaluation import Measured
from inference.evaluation.outcomes import outcome_of
from inference.evaluation.pictures.calls import draw_confusion, draw_reliability, draw_subgroups
from inference.evaluation.pictures.curves import draw_learning, draw_precision, draw_roc, learning_rows
from inference.evaluation.pictures.exhibit import Exhibit
from inference.evaluation.pictures.failures import failure_exhibits
from inference.evaluation.pictures.gallery import Shown, bare_and_mapped, draw_gallery, gallery_size
from inference.evaluation.pictures.space import FEWEST, Plane, draw_embedding, draw_spread
from inference.evaluation.pictures.style import columns_of, rows_of
from inference.evaluation.pointing import Pointed
from inference.evaluation.populations import NORMAL_ADULTS
from inference.figures import Outcome
from inference.film_folder import OPACITY

# Width of a picture by panels side by side.
PANEL_INCHES = {1: 4.1, 2: 7.4, 3: 10.8}
MOST_MAPS = 12
NO_EMBEDDING = "This model gives no embedding, so there is nothing to draw."


def exhibits_of(measured: Measured, log: Path) -> list[Exhibit]:
    """Return every picture of a report, or the sentence that stands in its place."""
    outcomes = {name: outcome_of(readings) for name, readings in measured.readings.items()}
    drawable = {name: outcome for name, outcome in outcomes.items() if len(outcome.truth)}
    return [
        learning(log),
        *curves(measured, {name: each for name, each in drawable.items() if 0 < each.truth.sum() < len(each.truth)}),
        confusion(measured, list(drawable)),
        reliability(measured, drawable),
        embedding(measured),
        spread(measured),
        maps(measured),
        subgroups(measured),
        *failure_exhibits(measured),
    ]


def learning(log: Path) -> Exhibit:
    """Return the learning curves."""
    rows = learning_rows(log)
    if not rows:
        words = "The model folder has no training log by epoch (training.jsonl), so there is no curve to draw."
        return Exhibit("learning", "Learning curves", words)
    return Exhibit(
        "learning", "Learning curves",
        "Look for validation curves that turn while the training loss still falls: from there on the model learns "
        "films by heart.",
        f"Loss and AUC of the validation films over {len(rows)} epochs.",
        (10.8, 3.9), partial(draw_learning, rows=rows),
    )  # fmt: skip


def curves(measured: Measured, outcomes: Mapping[str, Outcome]) -> Iterator[Exhibit]:
    """Yield ROC and precision-recall curves."""
    if not outcomes:
        words = "No population has films of both classes, so there is no curve to draw."
        yield Exhibit("roc", "ROC curves", words)
        yield Exhibit("precision_recall", "Precision and recall", words)
        return
    threshold, size = measured.report.threshold, panel_size(len(outcomes), 4.15)
    values = measured.report.populations
    areas = ", ".join(f"{name} {figure_of(values[name]['auc'])}" for name in outcomes)
    yield Exhibit(
        "roc", "ROC curves",
        "Look for the distance of the orange operating point from the upper left corner, and whether it lies at "
        "the same place in every population; the dotted line is chance.",
        f"ROC curves with the operating point. AUC: {areas}.", size,
        partial(draw_roc, outcomes=outcomes, values=values, threshold=threshold),
    )  # fmt: skip
    means = ", ".join(f"{name} {figure_of(values[name]['average_precision'])}" for name in outcomes)
    yield Exhibit(
        "precision_recall", "Precision and recall",
        "Look for how much precision is left at the orange operating point; the dotted line is a guess, and "
        "precision in a hospital, where pneumonia is rarer than here, is lower.",
        f"Precision over recall with the operating point. Average precision: {means}.", size,
        partial(draw_precision, outcomes=outcomes, values=values, threshold=threshold),
    )  # fmt: skip


def confusion(measured: Measured, names: Sequence[str]) -> Exhibit:
    """Return the confusion matrices."""
    values = {name: measured.report.populations[name] for name in names}
    if not values:
        return Exhibit("confusion", "Confusion matrix", "Every film was refused, so there is nothing to count.")
    return Exhibit(
        "confusion", "Confusion matrix",
        "Look at the corners off the diagonal: lower left are missed pneumonias, upper right are false alarms.",
        "Counts of called and not called films by label; the same counts stand in the first table.",
        panel_size(len(values), 3.6), partial(draw_confusion, values=values),
    )  # fmt: skip


def reliability(measured: Measured, outcomes: Mapping[str, Outcome]) -> Exhibit:
    """Return the reliability diagrams."""
    values = measured.report.populations
    if not outcomes:
        return Exhibit("reliability", "Reliability diagram", "Every film was refused, so there is nothing to draw.")
    errors = ", ".join(f"{name} {figure_of(values[name]['calibration_error'])}" for name in outcomes)
    return Exhibit(
        "reliability", "Reliability diagram",
        "Look for dots off the dotted line whose own interval does not reach it: below it the score promises too "
        "much, above it too little; hollow dots are bins of fewer than ten films, gray bars the sizes of the bins.",
        f"Share of films with pneumonia over the score, in 15 bins. Calibration error: {errors}.",
        panel_size(len(outcomes), 4.4), partial(draw_reliability, outcomes=outcomes, values=values),
    )  # fmt: skip


def embedding(measured: Measured) -> Exhibit:
    """Return the map of the embedding."""
    named = {name: embedded(readings) for name, readings in measured.stored.items() if name != NORMAL_ADULTS}
    named = {name: readings for name, readings in named.items() if readings}
    count = sum(map(len, named.values()))
    if count < FEWEST:
        words = (
            NO_EMBEDDING if not count else f"{count} films have an embedding; a map of fewer than {FEWEST} misleads."
        )
        return Exhibit("embedding", "Embedding (t-SNE)", words)
    return Exhibit(
        "embedding", "Embedding (t-SNE)",
        "Look for films of one colour among those of the other, and for populations that lie apart: neighbours are "
        "alike to the network, while distances between far groups and their sizes mean nothing.",
        f"{count} films placed by t-SNE, coloured by class, with a mark for each population.", (10.8, 8.2),
        partial(draw_embedding, plane=Plane(named)),
    )  # fmt: skip


def spread(measured: Measured) -> Exhibit:
    """Return the plot of the variance within classes."""
    title = "Variance within classes"
    if not measured.scatters:
        known = any(embedded(readings) for readings in measured.readings.values())
        return Exhibit("spread", title, "No population has two films of each class." if known else NO_EMBEDDING)
    ratios = ", ".join(f"{each.population} {each.ratio:.2f}" for each in measured.scatters)
    return Exhibit(
        "spread", title,
        "Look for boxes that reach above the dotted line, half of the distance between the class means: such films "
        "lie farther from the films of their class than the classes lie apart; boxes hold the middle half, whiskers "
        "90 % of the films.",
        f"Distance of each film from its class mean. Variance between by variance within the classes: {ratios}.",
        panel_size(len(measured.scatters), 4.0), partial(draw_spread, scatters=measured.scatters),
    )  # fmt: skip


def maps(measured: Measured) -> Exhibit:
    """Return the gallery of maps with boxes."""
    title = "Maps and radiologists' boxes"
    if measured.report.pointing is None:
        reason = "This model gives no maps." if measured.pointed else "No film of this split has a radiologist's box."
        return Exhibit("maps", title, reason)
    chosen = sorted(measured.pointed, key=lambda each: each.reading.case.film.file)[:MOST_MAPS]
    return Exhibit(
        "maps", title,
        "Look for the white cross, the maximum of the map, inside a blue box, which a radiologist drew around an "
        f"opacity; each map is scaled to its own peak, and these are the first {len(chosen)} of "
        f"{len(measured.pointed)} films by name, not chosen.",
        f"{len(chosen)} films of adults with opacities, each bare and with map, boxes and maximum; "
        f"{sum(each.is_hit for each in chosen)} maxima lie in a box.",
        gallery_size(len(chosen)), partial(draw_maps, measured=measured, chosen=chosen), on_black=True,
    )  # fmt: skip


def draw_maps(figure: Figure, measured: Measured, chosen: Sequence[Pointed]) -> None:
    """Draw the gallery of maps."""
    boxes = measured.folder.boxes([OPACITY])
    films = [each.reading.case.film for each in chosen]
    shown = [
        Shown(stored.pixels, each.saliency, words_of(each), boxes[film.file], each.peak)
        for each, film, stored in zip(chosen, films, measured.folder.radiographs(films), strict=True)
    ]
    draw_gallery(figure, [bare_and_mapped(each) for each in shown])


def words_of(each: Pointed) -> str:
    """Return the words over a film with boxes."""
    where = "inside a box" if each.is_hit else "outside" if each.peak else "no maximum"
    return f"{each.reading.case.film.file}\nscore {each.reading.score:.2f}, {where}"


def subgroups(measured: Measured) -> Exhibit:
    """Return the plot of subgroups."""
    groups = measured.report.subgroups
    return Exhibit(
        "subgroups", "Subgroups",
        "Look for a part whose interval does not meet that of its population (orange square): there the model is "
        "better or worse than its average tells. Long lines are few films; numbers are films with pneumonia of all "
        "films; 'shown' are those films again, changed in what is no disease; what is refused then is left out.",
        "AUC, sensitivity and specificity of each part of each population; the same figures stand in the table.",
        (10.8, 0.9 + 0.29 * len(groups)), partial(draw_subgroups, groups=groups),
    )  # fmt: skip


def panel_size(count: int, row_inches: float) -> tuple[float, float]:
    """Return the size of a picture of panels in inches."""
    across = columns_of(count)
    return (PANEL_INCHES[across], row_inches * rows_of(count))


def figure_of(figure: object) -> str:
    """Return the value of a figure for an alternative text."""
    value = figure["value"] if isinstance(figure, Mapping) else None
    return "not defined" if value is None else f"{value:.3f}"
