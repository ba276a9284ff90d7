"""What is called and what a score means: confusion matrix, reliability, subgroups."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from inference.evaluation.pictures.style import CLASS_NAMES, NEGATIVE, POSITIVE, panels, unit_square
from inference.evaluation.subgroups import Subgroup
from inference.evaluation.text import confusion_of, interval, wrapped
from inference.figures import CALIBRATION_BINS, Floats, Outcome, bins_of

Values = Mapping[str, Mapping[str, object]]

SMALL_BIN = 10  # films; the share of fewer says next to nothing


def draw_confusion(figure: Figure, values: Values) -> None:
    """Draw the confusion matrix of each population, shaded by the share of the films of a row."""
    for axes, (name, each) in zip(panels(figure, len(values)), values.items(), strict=True):
        counts = confusion_of(each)
        matrix = np.array([[counts["tn"], counts["fp"]], [counts["fn"], counts["tp"]]])
        shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
        axes.imshow(shares, cmap="Blues", vmin=0.0, vmax=1.0)
        for row, column in np.ndindex(2, 2):
            text = f"{matrix[row, column]}\n{shares[row, column]:.1%}"
            colour = "white" if shares[row, column] > 0.55 else "#1b1f24"
            axes.text(column, row, text, ha="center", va="center", color=colour, fontsize=12)
        axes.set_title(wrapped(name))
        axes.set_xticks([0, 1], ["not called", "called"])
        axes.set_yticks([0, 1], [label.replace(" ", "\n") for label in CLASS_NAMES])
        axes.set(xlabel="the model", ylabel="the label")
        axes.grid(visible=False)


def draw_reliability(figure: Figure, outcomes: Mapping[str, Outcome], values: Values) -> None:
    """Draw the share of films with pneumonia over the score, in bins of equal width, with their sizes."""
    for axes, (name, outcome) in zip(panels(figure, len(outcomes)), outcomes.items(), strict=True):
        axes.plot([0, 1], [0, 1], color="gray", linestyle=":", linewidth=1.0)
        plot_bins(axes, outcome.scores, outcome.truth)
        error, chance = values[name]["calibration_error"], values[name]["calibration_error_if_calibrated"]
        axes.set_title(f"{wrapped(name)}\nECE {interval(error)}\nif calibrated {interval(chance)}")
        unit_square(axes, "score", "share with pneumonia")


def plot_bins(axes: Axes, scores: Floats, truth: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> None:
    """Draw one dot for each bin with its 95 % interval, and the number of films in each as bars below."""
    bins = bins_of(scores)
    counts = np.bincount(bins, minlength=CALIBRATION_BINS)
    width = 1.0 / CALIBRATION_BINS
    bars = 0.25 * counts / max(1, counts.max())
    axes.bar((np.arange(CALIBRATION_BINS) + 0.5) * width, bars, 0.9 * width, color="gray", alpha=0.45, zorder=1)
    for each in np.flatnonzero(counts):
        members = bins == each
        share = float(truth[members].mean())
        low, high = wilson(share, int(counts[each]))
        colour, filled = NEGATIVE, NEGATIVE if counts[each] >= SMALL_BIN else "none"
        axes.plot([scores[members].mean()] * 2, [low, high], color=colour, linewidth=1.1, zorder=2)
        axes.plot(scores[members].mean(), share, "o", color=colour, markerfacecolor=filled, markersize=5.5, zorder=3)


def wilson(share: float, count: int, z: float = 1.96) -> tuple[float, float]:
    """Return the 95 % interval of a share (Wilson, JASA 22, 1927)."""
    centre = (share + z * z / (2 * count)) / (1 + z * z / count)
    half = z * np.sqrt(share * (1 - share) / count + z * z / (4 * count * count)) / (1 + z * z / count)
    return float(centre - half), float(centre + half)


def draw_subgroups(figure: Figure, groups: Sequence[Subgroup]) -> None:
    """Draw AUC, sensitivity and specificity of each part with its interval, one line a part."""
    titles = {"auc": "AUC", "sensitivity": "sensitivity", "specificity": "specificity"}
    places = np.arange(len(groups))[::-1]
    for index, (axes, (key, title)) in enumerate(
        zip(figure.subplots(1, len(titles), sharey=True), titles.items(), strict=True)
    ):
        for place, group in zip(places, groups, strict=True):
            plot_interval(axes, int(place), group, key)
        axes.set(xlim=(-0.02, 1.02), title=title, ylim=(-0.7, len(groups) - 0.3))
        axes.set_yticks(places, [label_of(group) for group in groups])
        axes.tick_params(axis="y", length=0, labelleft=index == 0)


def plot_interval(axes: Axes, place: int, group: Subgroup, key: str) -> None:
    """Draw a figure of a part as a dot on the line of its interval; a whole population is a square."""
    value, low, high = (group.figures[key][end] for end in ("value", "low", "high"))
    if value is None or low is None or high is None:
        axes.text(0.5, place, "not defined", ha="center", va="center", fontsize=8, color="gray")
        return
    is_whole = group.quality == "population"
    colour, mark = (POSITIVE, "s") if is_whole else (NEGATIVE, "o")
    axes.plot([low, high], [place, place], color=colour, linewidth=1.6)
    axes.plot(value, place, mark, color=colour, markersize=6)


def label_of(group: Subgroup) -> str:
    """Return the label of a part with its counts."""
    counts = f"{group.positive} of {group.films}"
    if group.quality == "population":
        return f"{group.population}  ({counts})"
    return f"{group.quality}: {group.name}  ({counts})"
