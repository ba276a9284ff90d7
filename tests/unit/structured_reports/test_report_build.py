from __future__ import annotations

from structured_reports.build import BUILDERS
from structured_reports.port import KINDS


def test_the_named_kinds_are_those_that_can_be_built() -> None:
    assert tuple(BUILDERS) == KINDS
