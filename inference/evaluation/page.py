"""The report of one model as a page: first the verdict, then the pictures, then how it was measured."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from pathlib import Path

from rich.progress import Progress

from inference.errors import FilmError
from inference.evaluation.evaluation import Measured
from inference.evaluation.markup import contents, document, exhibit_section, items, paragraph, section, table, tag
from inference.evaluation.pictures.exhibit import FILM_PICTURES, Exhibit, write_exhibits
from inference.evaluation.pictures.exhibits import exhibits_of
from inference.evaluation.report import Report
from inference.evaluation.subgroups import SUBGROUP_FIGURES
from inference.evaluation.text import interval, refused_of
from inference.evaluation.words import verdict
from inference.film_folder import BY_FILM
from inference.whole_files import gathered

VERDICT_FIGURES = {
    "auc": "AUC", "sensitivity": "Sensitivity", "specificity": "Specificity", "accuracy": "Accuracy",
    "calibration_error": "ECE", "calibration_error_if_calibrated": "ECE if calibrated",
}  # fmt: skip
FURTHER_FIGURES = {
    "average_precision": "Average precision", "macro_precision": "Macro precision", "macro_recall": "Macro recall",
    "macro_f": "Macro F", "specificity_at_sensitivity_80": "Specificity at sensitivity 0.80", "brier": "Brier score",
}  # fmt: skip
PAGE = "index.html"
WARNING = "Research and demonstration. Not for diagnosis."
METHODS = (
    "Every film is read once, as in serving; all figures and pictures come from predictions.csv, which lies beside "
    "this page, and stand in evaluation.json.",
    "Intervals hold 95 % of 1000 bootstrap samples in which whole subjects are drawn, not films. A figure of exactly 0 "
    "or 1 has an interval without width; that is a limit of the method, not certainty.",
    "ECE is the expected calibration error over 15 bins of equal width. It is above zero even for exact scores when "
    "films are few, so the column beside it shows what exact scores would give: labels are drawn from the scores, mean "
    "and 95 % range of 1000 draws.",
    "Archives hold films as squares. 'Original aspect ratio' are children's films whose original size is known, "
    "restored to it: a model that read the squashing rather than the lung would do worse there.",
    "Films that are 'shown' narrower, darker and so on are the same films, read again, changed in what is no disease: "
    "a model that reads the disease says the same of them. Those that it refuses then are left out, as their number "
    "tells.",
    "The test folder that Kermany et al. published is harder than the rest of their films; both are shown.",
    "Adults are judged by the radiologists of the RSNA challenge, not by report text. 'All others' includes films that "
    "are neither normal nor an opacity.",
)
SOURCES = (
    "Children, one to five years: Kermany, Zhang, Goldbaum, Mendeley Data doi:10.17632/rscbjbr9sj, Cell 172(5), 2018, "
    "CC BY 4.0.",
    "Adults: ChestX-ray14, provided by the NIH Clinical Center; Wang et al., CVPR 2017.",
    "Radiologists' classes and boxes: RSNA Pneumonia Detection Challenge 2018; Shih et al., Radiology: Artificial "
    "Intelligence 1(1), 2019.",
    "CheXNet reproduction: predictions published by J. Zech, 2018.",
)
TERMS = {
    "Sensitivity, specificity": "The share of films with pneumonia that are called, and of films without that are not.",
    "AUC": "The chance that a film with pneumonia scores above one without; 0.5 is a guess.",
    "Operating point": "The threshold of the model's card, chosen on validation films before this measurement.",
    "Calibration": "Of films that score 0.7, 70 % should have pneumonia; the ECE is the mean distance from that.",
    "Embedding": "What the last layer of the network sees of a film, a long list of numbers.",
}


def write_report(measured: Measured, log: Path, out: Path, progress: Progress, *, films: bool = True) -> None:
    """Write figures, pictures and page into a folder: all of them, or none; see `write_page`.

    Raises
    ------
    OutputError
        They cannot be written.
    """
    with gathered(out, PAGE, FILM_PICTURES) as part:
        measured.write(part)
        write_page(measured, log, part, progress, films=films)


def write_page(measured: Measured, log: Path, out: Path, progress: Progress, *, films: bool = True) -> None:
    """Write the pictures and `index.html`.

    Parameters
    ----------
    log
        The model's ``training.jsonl``.
    films
        False where no picture may show any, for a page that is passed on.
    """
    exhibits = [each if films or not each.on_black else each.withheld for each in exhibits_of(measured, log)]
    write_exhibits(exhibits, out, progress)
    (out / PAGE).write_text(page(measured, exhibits), encoding="utf-8")


def page(measured: Measured, exhibits: Sequence[Exhibit]) -> str:
    """Return the page."""
    report = measured.report
    parts = [("verdict", "Verdict"), ("reference", "Published reference"), ("refused", "Refused films")]
    links = [*parts, *((each.key, each.title) for each in exhibits), ("methods", "How it was measured")]
    body = [
        *heading(report),
        contents(links),
        verdict_section(report),
        reference_section(report),
        refused_section(measured),
        *(with_subgroups(each, report) for each in exhibits),
        methods_section(),
    ]
    return document(f"{report.model} {report.version}: evaluation", "".join(body))


def heading(report: Report) -> Iterator[str]:
    """Yield what was measured."""
    yield tag("h1", escape(f"{report.model} {report.version} on {report.split} films"))
    yield tag("p", WARNING, kind="warning")
    split = "film by film, so that a child may lie in training and test" if report.protocol == BY_FILM else "by subject"
    measured = f"Finding: {report.finding}. Threshold {report.threshold:g}, "
    words = f"{measured}films split {split} under seed {report.seed}. Weights: sha256 "
    yield tag("p", escape(words) + tag("span", escape(report.digest), kind="digest"), kind="subtitle")


def verdict_section(report: Report) -> str:
    """Return the figures of every population and what they say."""
    head = ["Population", "Films", "With pneumonia", "Refused", *VERDICT_FIGURES.values()]
    rows = [
        [name, *counts_of(values), *(interval(values[key]) for key in VERDICT_FIGURES)]
        for name, values in report.populations.items()
    ]
    further = [
        [name, *(interval(values[key]) for key in FURTHER_FIGURES)] for name, values in report.populations.items()
    ]
    return section(
        "verdict", "Verdict",
        table("Figures at the threshold, with 95 % intervals", head, rows),
        items(verdict(report)),
        table("Further figures", ["Population", *FURTHER_FIGURES.values()], further),
    )  # fmt: skip


def counts_of(values: Mapping[str, object]) -> list[str]:
    """Return films, those with pneumonia and those refused."""
    return [str(values["films"]), str(values["positive"]), str(sum(refused_of(values).values()))]


def reference_section(report: Report) -> str:
    """Return a published model beside this one."""
    title = "Published reference"
    if not report.reference:
        return section("reference", title, paragraph("The data folder holds no published scores of these films."))
    head = ["Output", "Films", "With pneumonia", "AUC", "AUC, this model", "Difference",
            "Specificity at sensitivity 0.80", "The same, this model"]  # fmt: skip
    tables = [
        table(population, head, (
            [each.name, str(each.films), str(each.positive), interval(each.auc), interval(each.model_auc),
             interval(each.difference), interval(each.specificity_at_sensitivity_80),
             interval(each.model_specificity_at_sensitivity_80)]
            for each in report.reference if each.population == population
        ))
        for population in dict.fromkeys(each.population for each in report.reference)
    ]  # fmt: skip
    words = (
        "Scores that others published for the same films, on those films only. A difference above zero, with an "
        "interval that does not hold zero, is in favour of this model. The published outputs are of other findings; "
        "the three nearest are shown, and none is chosen."
    )
    return section("reference", title, paragraph(words), *tables)


def refused_section(measured: Measured) -> str:
    """Return which films were refused and why."""
    title = "Refused films"
    reasons = {
        reading.case.film.file: (name, reading.answer)
        for name, readings in measured.readings.items()
        for reading in readings
        if isinstance(reading.answer, FilmError)
    }
    if not reasons:
        return section("refused", title, paragraph("The model refused none of the films."))
    rows = [[file, name, refusal.code, refusal.reason] for file, (name, refusal) in reasons.items()]
    words = paragraph("These films have no score and stand in none of the figures.")
    return section("refused", title, words, table("Films", ["File", "Population", "Code", "Reason"], rows))


def with_subgroups(exhibit: Exhibit, report: Report) -> str:
    """Return a picture's section; that of subgroups has their table too."""
    written = exhibit_section(exhibit)
    if exhibit.key != "subgroups":
        return written
    head = ["Part", "Of", "Films", "With pneumonia", "AUC", "Sensitivity", "Specificity"]
    rows = [
        [f"{each.quality}: {each.name}", each.population, str(each.films), str(each.positive),
         *(interval(each.figures[key]) for key in SUBGROUP_FIGURES)]
        for each in report.subgroups
    ]  # fmt: skip
    return written.removesuffix("</section>") + table("Subgroups", head, rows) + "</section>"


def methods_section() -> str:
    """Return how it was measured, what words mean, and where films come from."""
    terms = "".join(tag("dt", escape(term)) + tag("dd", escape(words)) for term, words in TERMS.items())
    parts = (items(METHODS), tag("h3", "Words"), tag("dl", terms), tag("h3", "Sources"), items(SOURCES))
    return section("methods", "How it was measured", *parts)
