"""What is made of a result: which score comes first, which may be shown as a map, in which series."""

from __future__ import annotations

from inference.types import Prediction, Score
from structured_reports.envelope import EVERY_SERIES
from structured_reports.port import ReportRequest
from structured_reports.rejection import NOTE, SERIES_DESCRIPTION

# Kind, SOP class, SeriesNumber and SeriesDescription of every instance that is made (PS3.2)
CREATED = (
    *((series.kind, series.sop_class_uid, series.number, series.description("<finding>")) for series in EVERY_SERIES),
    (NOTE.kind, NOTE.sop_class_uid, NOTE.number, SERIES_DESCRIPTION),
)


def leading_score(prediction: Prediction) -> Score:
    """Return the score that a reader should see first: farthest above its threshold."""
    return max(prediction.scores, key=lambda score: score.score - score.finding.threshold)


def mapped_scores(request: ReportRequest) -> tuple[Score, ...]:
    """Return the scores whose saliency may be shown, leading first.

    None below the threshold: a map is scaled to its own peak, so a negative film would show a hot spot too.
    """
    if not request.heatmap or not isinstance(request.outcome, Prediction):
        return ()
    shown = [score for score in request.outcome.scores if score.above and _has_peak(score)]
    return tuple(sorted(shown, key=lambda score: score.finding.threshold - score.score))


def _has_peak(score: Score) -> bool:
    return score.saliency is not None and bool(score.saliency.max() > 0)
