"""The comparison of models as a page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from html import escape
from pathlib import Path

from matplotlib.figure import Figure
from rich.progress import Progress

from inference.evaluation.comparison import Compared, Contest, shared
from inference.evaluation.markup import contents, document, exhibit_section, items, paragraph, section, table, tag
from inference.evaluation.measured_finding import measured_finding
from inference.evaluation.page import FURTHER_FIGURES, METHODS, PAGE, SOURCES, VERDICT_FIGURES, WARNING
from inference.evaluation.pictures.curves import draw_overlaid
from inference.evaluation.pictures.exhibit import FILM_PICTURES, Exhibit, write_exhibits
from inference.evaluation.pictures.exhibits import panel_size
from inference.evaluation.pictures.gallery import Shown, draw_gallery, gallery_size
from inference.evaluation.populations import NORMAL_ADULTS
from inference.evaluation.reading import Reading, saliency_of
from inference.evaluation.text import interval, is_restored, signed
from inference.film_folder import BY_FILM
from inference.whole_files import gathered

COMPARED_FIGURES = {
    key: name for key, name in (VERDICT_FIGURES | FURTHER_FIGURES).items() if key != "calibration_error_if_calibrated"
}
MOST = 8  # films of a gallery
Row = tuple[Reading, ...]


def write_comparison_report(compared: Compared, out: Path, progress: Progress) -> None:
    """Write figures, pictures and page into a folder: all of them, or none.

    Raises
    ------
    OutputError
        They cannot be written.
    """
    with gathered(out, PAGE, FILM_PICTURES) as part:
        compared.write(part)
        write_comparison(compared, part, progress)


def write_comparison(compared: Compared, out: Path, progress: Progress) -> None:
    """Write the pictures and `index.html`."""
    exhibits = [overlay(compared), *disagreements(compared)]
    write_exhibits(exhibits, out, progress)
    (out / PAGE).write_text(page(compared, exhibits), encoding="utf-8")


def page(compared: Compared, exhibits: Sequence[Exhibit]) -> str:
    """Return the page."""
    title = " and ".join(each.label for each in compared.contenders)
    links = [("films", "Films"), ("verdict", "Verdict"), *((each.key, each.title) for each in exhibits)]
    body = (
        tag("h1", escape(f"Comparison of {title}")), tag("p", WARNING, kind="warning"),
        contents([*links, ("methods", "How it was measured")]),
        films_section(compared),
        section("verdict", "Verdict", *(contest_table(each) for each in compared.contests)),
        *(exhibit_section(each) for each in exhibits),
        section("methods", "How it was measured", items(METHODS), tag("h3", "Sources"), items(SOURCES)),
    )  # fmt: skip
    return document(f"Comparison of {title}", "".join(body))


def films_section(compared: Compared) -> str:
    """Return what the models were compared on."""
    count = len(compared.common.films)
    words = (
        f"{count} films are test films of every model: none of them was trained or chosen on one of these. "
        f"Differences are each model less the first, {compared.contenders[0].label}, taken from the same bootstrap "
        "samples of subjects."
    )
    head = ["Model", "Finding", "Split", "Seed", "Threshold", "Films of subjects it had seen", "Weights (sha256)"]
    rows = [
        [each.label, measured_finding(each.model), each.protocol.split, str(each.protocol.seed), f"{each.threshold:g}",
         str(compared.common.acquainted[each.label]), each.model.card.digest[:12]]
        for each in compared.contenders
    ]  # fmt: skip
    notes = [
        f"{each.label} was split film by film: for {compared.common.acquainted[each.label]} of these films it had "
        "seen another film of the same child, which favours it."
        for each in compared.contenders
        if each.protocol.split == BY_FILM
    ]
    return section("films", "Films", paragraph(words), table("Models", head, rows), items(notes) if notes else "")


def contest_table(contest: Contest) -> str:
    """Return the figures of a population, a row for each, with the differences from the first model."""
    first, *others = contest.standings
    head = ["Figure", first.model]
    for each in others:
        head += [each.model, "Difference"]
    rows = []
    for key, name in COMPARED_FIGURES.items():
        row = [name, interval(first.figures[key])]
        for each in others:
            row += [interval(each.figures[key]), signed(each.differences[key])]
        rows.append(row)
    refused = [str(sum(each.refused.values())) for each in contest.standings]
    row = ["Refused films", refused[0]]
    for count in refused[1:]:
        row += [count, ""]
    counts = f"{contest.films} films of {contest.subjects} subjects, {contest.positive} with pneumonia"
    return table(f"{contest.population}: {counts}", head, [*rows, row])


def overlay(compared: Compared) -> Exhibit:
    """Return the ROC curves of all models over each other."""
    outcomes = {each.population: compared.outcomes(each.population) for each in compared.contests}
    drawable = {
        name: models
        for name, models in outcomes.items()
        if all(0 < each.truth.sum() < len(each.truth) for each in models.values())
    }
    if not drawable:
        return Exhibit("roc", "ROC curves", "No population has films of both classes that every model answered.")
    labels = {
        f"{contest.population}/{each.model}": f"{each.model}\nAUC {interval(each.figures['auc'])}"
        for contest in compared.contests
        for each in contest.standings
    }
    return Exhibit(
        "roc", "ROC curves",
        "Look for a curve that lies above the other everywhere; curves that cross differ in where they are good.",
        "ROC curves of every model, one panel for each population; the areas stand in the tables above.",
        panel_size(len(drawable), 4.15), partial(draw_overlaid, outcomes=drawable, labels=labels),
    )  # fmt: skip


def disagreements(compared: Compared) -> Iterator[Exhibit]:
    """Yield the films on which calls differ, one gallery for each population of the archives."""
    chosen = [name for name in compared.readings if name != NORMAL_ADULTS and not is_restored(name)]
    for number, name in enumerate(chosen, start=1):
        yield disagreement(compared, name, f"disagreement-{number}")


def disagreement(compared: Compared, population: str, key: str) -> Exhibit:
    """Return the films of a population on which calls differ most."""
    title = f"Disagreement: {population}"
    rows = disagreed(compared, population)
    if not rows:
        return Exhibit(key, title, "The models call the same films here.")
    worst = rows[:MOST]
    first, other = compared.contenders[0], compared.contenders[-1]
    return Exhibit(
        key, title,
        f"Look for what one model sees and the other does not: the {len(worst)} films of the widest gap in score among "
        f"{len(rows)} on which calls differ; for each the maps of {first.label} (left) and of "
        f"{other.label} (right), each scaled to its own peak.",
        f"{len(worst)} films with the maps of two models.",
        gallery_size(len(worst)), partial(draw_disagreed, compared=compared, rows=worst), on_black=True,
    )  # fmt: skip


def disagreed(compared: Compared, population: str) -> list[Row]:
    """Return the readings of films that some models call and others do not, the widest gap in score first."""
    rows: list[Row] = list(zip(*shared(compared.readings[population]).values(), strict=True))
    thresholds = [each.threshold for each in compared.contenders]
    differing = [
        row
        for row in rows
        if len({(reading.score or 0.0) >= threshold for reading, threshold in zip(row, thresholds, strict=True)}) > 1
    ]
    return sorted(differing, key=lambda row: (-gap(row), row[0].case.film.file))


def gap(row: Row) -> float:
    """Return the difference between the highest and the lowest score of a film."""
    scores = [reading.score or 0.0 for reading in row]
    return max(scores) - min(scores)


def draw_disagreed(figure: Figure, compared: Compared, rows: Sequence[Row]) -> None:
    """Draw films with the maps of the first and the last model."""
    films = [row[0].case.film for row in rows]
    first, other = compared.contenders[0].model, compared.contenders[-1].model
    shown = []
    for row, stored in zip(rows, compared.folder.radiographs(films), strict=True):
        label = "pneumonia" if row[0].truth else "no pneumonia"
        scores = ", ".join(f"{reading.score:.2f}" for reading in row)
        words = f"{row[0].case.film.file}\nlabel: {label}; scores {scores}"
        left = Shown(stored.pixels, saliency_of(first, row[0]), words)
        shown.append((left, Shown(stored.pixels, saliency_of(other, row[-1]), "")))
    draw_gallery(figure, shown)
