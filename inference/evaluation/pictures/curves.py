"""Curves: learning, ROC, precision and recall."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from inference.evaluation.pictures.style import NEGATIVE, POSITIVE, SERIES, THIRD, panels, unit_square
from inference.evaluation.text import interval, wrapped
from inference.figures import Outcome, confusion, precision_points, ratio, roc_points
from inference.film_folder import ADULTS, CHILDREN

Values = Mapping[str, Mapping[str, object]]
Rows = Sequence[Mapping[str, float]]


def learning_rows(log: Path) -> list[dict[str, float]]:
    """Return the rows of a training log that tell of an epoch, in order; where none has a validation curve, none."""
    if not log.is_file():
        return []
    rows = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines() if line.strip()]
    curves = {f"{population}_{name}" for population in (CHILDREN, ADULTS) for name in ("loss", "auc")}
    epochs = [row for row in rows if "epoch" in row]
    return epochs if any(curves & set(row) for row in epochs) else []


def draw_learning(figure: Figure, rows: Rows) -> None:
    """Draw loss and AUC of the validation films by epoch."""
    losses, areas = figure.subplots(1, 2)
    plot_learned(losses, rows, "loss", "training films, augmented", THIRD, "^")
    for population, colour, mark in ((CHILDREN, NEGATIVE, "o"), (ADULTS, POSITIVE, "s")):
        plot_learned(losses, rows, f"{population}_loss", f"validation, {population}", colour, mark)
        plot_learned(areas, rows, f"{population}_auc", f"validation, {population}", colour, mark)
    losses.set(title="Loss", xlabel="epoch", ylabel="loss (log loss; lower is better)")
    areas.set(title="Area under the ROC curve", xlabel="epoch", ylabel="AUC (higher is better)")
    for axes in (losses, areas):
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.legend()


def plot_learned(axes: Axes, rows: Rows, key: str, label: str, colour: str, mark: str) -> None:
    """Draw one quantity over the epochs that have it."""
    known = [(row["epoch"], row[key]) for row in rows if key in row]
    if known:
        axes.plot(*zip(*known, strict=True), color=colour, marker=mark, markersize=3.5, label=label)


def draw_roc(figure: Figure, outcomes: Mapping[str, Outcome], values: Values, threshold: float) -> None:
    """Draw the ROC curve of each population with the operating point."""
    for axes, (name, outcome) in zip(panels(figure, len(outcomes)), outcomes.items(), strict=True):
        _, sensitivities, false_rates = roc_points(outcome.scores, outcome.truth)
        axes.plot([0, 1], [0, 1], color="gray", linestyle=":", linewidth=1.0)
        axes.plot(np.r_[0, false_rates], np.r_[0, sensitivities], color=NEGATIVE)
        tp, fp, fn, tn = confusion(outcome.scores, outcome.truth, threshold)
        axes.plot(ratio(fp, fp + tn), ratio(tp, tp + fn), "o", color=POSITIVE, markersize=8, zorder=3)
        axes.set_title(f"{wrapped(name)}\nAUC {interval(values[name]['auc'])}")
        unit_square(axes, "1 - specificity", "sensitivity")
        note(
            axes,
            f"{outcome.truth.sum()} with, {(~outcome.truth).sum()} without\nat {threshold:g}: {tp} found, {fp} false",
        )


def draw_precision(figure: Figure, outcomes: Mapping[str, Outcome], values: Values, threshold: float) -> None:
    """Draw precision over recall of each population with the operating point."""
    for axes, (name, outcome) in zip(panels(figure, len(outcomes)), outcomes.items(), strict=True):
        _, recalls, precisions = precision_points(outcome.scores, outcome.truth)
        share = float(outcome.truth.mean())
        axes.axhline(share, color="gray", linestyle=":", linewidth=1.0)
        reached = recalls > 0.0  # before the first film with pneumonia there is no precision to speak of
        steps = np.r_[precisions[reached][0], precisions[reached]]
        axes.plot(np.r_[0, recalls[reached]], steps, color=NEGATIVE, drawstyle="steps-pre")
        tp, fp, fn, _ = confusion(outcome.scores, outcome.truth, threshold)
        axes.plot(ratio(tp, tp + fn), ratio(tp, tp + fp), "o", color=POSITIVE, markersize=8, zorder=3)
        axes.set_title(f"{wrapped(name)}\naverage precision {interval(values[name]['average_precision'])}")
        unit_square(axes, "recall (sensitivity)", "precision")
        note(axes, f"{share:.0%} of {len(outcome.truth)} films\nhave pneumonia (dotted)", left=True)


def draw_overlaid(figure: Figure, outcomes: Mapping[str, Mapping[str, Outcome]], labels: Mapping[str, str]) -> None:
    """Draw the ROC curves of several models over each other, one panel for each population.

    Parameters
    ----------
    outcomes
        By population, then by model.
    labels
        What a panel says of a model, by population and model: ``population/model``.
    """
    for axes, (name, models) in zip(panels(figure, len(outcomes)), outcomes.items(), strict=True):
        axes.plot([0, 1], [0, 1], color="gray", linestyle=":", linewidth=1.0)
        for index, (model, outcome) in enumerate(models.items()):
            _, sensitivities, false_rates = roc_points(outcome.scores, outcome.truth)
            style = ("-", "--", "-.", (0, (1, 1)), (0, (5, 1, 1, 1)))[index % 5]
            axes.plot(
                np.r_[0, false_rates], np.r_[0, sensitivities],
                color=SERIES[index % len(SERIES)], linestyle=style, label=labels[f"{name}/{model}"],
            )  # fmt: skip
        axes.set_title(wrapped(name))
        unit_square(axes, "1 - specificity", "sensitivity")
        axes.legend(loc="lower right", fontsize=8)


def note(axes: Axes, text: str, *, left: bool = False) -> None:
    """Write counts into the empty lower corner of a panel."""
    place, side = (0.04, "left") if left else (0.97, "right")
    axes.text(place, 0.05, text, transform=axes.transAxes, ha=side, va="bottom", fontsize=8.5)
