"""The report as tables for a terminal."""

from __future__ import annotations

import io

from rich.console import Console
from rich.table import Table

from inference.evaluation.report import Report
from inference.evaluation.text import confusion_of, interval, refused_of

FIGURES = ("auc", "accuracy", "sensitivity", "specificity", "macro_f", "calibration_error")


def told(report: Report, columns: int) -> str:
    """Return one table for each population as text of so many columns at most."""
    text = io.StringIO()
    console = Console(file=text, width=columns)
    for name in report.populations:
        console.print(population_table(report, name))
    return text.getvalue().rstrip("\n")


def population_table(report: Report, name: str) -> Table:
    """Return the figures, the confusion matrix and the operating points of a population."""
    values = report.populations[name]
    table = Table(title=name, title_justify="left", show_header=False, min_width=64)
    table.add_row(
        "films", f"{values['films']}, {values['positive']} of them positive; {sum(refused_of(values).values())} refused"
    )
    table.add_row("tp, fp, fn, tn", ", ".join(str(count) for count in confusion_of(values).values()))
    for each in FIGURES:
        table.add_row(each, interval(values[each]))
    table.add_row("calibration_error, if calibrated", interval(values["calibration_error_if_calibrated"]))
    for point in report.operating_points[name]:
        reached = f"{point['sensitivity']:.3f} at threshold {point['threshold']:.3f}"
        table.add_row(f"sensitivity at specificity {point['specificity']:.2f}", reached)
    return table
