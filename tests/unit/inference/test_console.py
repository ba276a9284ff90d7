"""What commands say to people arrives as it was written."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from inference.cli import app
from inference.console import bars


@pytest.mark.parametrize("name", ["m[", "models [v2]", "[weights.names]"])
def test_an_error_names_a_folder_whose_name_looks_like_markup(tmp_path: Path, name: str) -> None:
    # "m[/x]" is a folder within another, and closes a tag that was never opened.
    folder = tmp_path / name / "x]"
    folder.mkdir(parents=True)
    film = tmp_path / "film.dcm"
    film.touch()

    result = CliRunner().invoke(app, ["predict", "--model", str(folder), str(film)])

    assert (2, True) == (result.exit_code, str(folder) in result.stderr)


def test_a_bar_shows_a_name_that_looks_like_markup(capsys: pytest.CaptureFixture[str]) -> None:
    with bars() as progress:
        list(progress.track([1], description="reading m[/x] [v2]"))

    assert "reading m[/x] [v2]" in capsys.readouterr().err
