"""The pictures of results that the documents show."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from inference.models import DEFAULT_MODEL, load_model
from structured_reports.summary_layout import CLEAR_ABOVE, HEIGHT, WIDTH
from structured_reports.text import model_line

ROOT = Path(__file__).parents[2]
SHOWN = sorted(set(re.findall(r"docs/images/([\w-]+\.jpg)", (ROOT / "README.md").read_text(encoding="utf-8"))))


def test_the_readme_shows_every_kind_of_picture() -> None:
    assert ["heatmap.jpg", "not-performed.jpg", "printed-page.jpg", "summary.jpg"] == SHOWN


@pytest.mark.parametrize("name", SHOWN)
def test_a_picture_was_made_with_the_model_that_is_shipped(name: str) -> None:
    with Image.open(ROOT / "docs" / "images" / name) as picture:
        made_with = picture.info["comment"].decode()

    assert model_line(load_model(DEFAULT_MODEL).card) == made_with, "scripts/result_pictures makes new ones"


@pytest.mark.parametrize("name", ["summary.jpg", "not-performed.jpg"])
def test_a_page_has_the_layout_of_today(name: str) -> None:
    with Image.open(ROOT / "docs" / "images" / name) as picture:
        page = np.asarray(picture.convert("L"))

    assert len(page) / page.shape[1] >= HEIGHT / WIDTH - 0.001
    assert page[: int(CLEAR_ABOVE * len(page)) - 2].max() < 20  # JPEG smears a little
    assert page[: int((CLEAR_ABOVE + 0.05) * len(page))].max() > 150  # the notice begins there
