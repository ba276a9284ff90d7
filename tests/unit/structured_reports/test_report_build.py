"""One call, every object."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from structured_reports.build import BUILDERS, build_results
from structured_reports.errors import InvalidObjectError


def test_objects_are_built_in_the_order_of_the_table(square, score_of, request_of) -> None:
    results = build_results(request_of(score_of(0.9, saliency=square)), kinds=("fhir", "report", "heatmap", "summary"))

    assert list(BUILDERS) == [result.kind for result in results]


def test_an_unknown_kind_is_named(request_of) -> None:
    with pytest.raises(InvalidObjectError, match="hologram"):
        build_results(request_of(), kinds=("hologram",))


def test_a_map_of_another_shape_is_refused_by_name(score_of, request_of, square) -> None:
    with pytest.raises(ValueError, match="saliency of pneumonia"):
        request_of(score_of(0.9, saliency=square), display=np.zeros((5, 5), np.uint8))


@pytest.mark.parametrize("name", ["port", "provenance", "uids", "errors"])
def test_what_a_receiver_imports_loads_no_highdicom(name) -> None:
    code = f"import sys, structured_reports.{name}; sys.exit('highdicom' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
