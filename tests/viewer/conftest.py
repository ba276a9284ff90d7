"""An Orthanc with studies and their results, and OHIF that shows them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import httpx
import pytest

from tests.peers.peers import orthanc
from tests.viewer.films import Film, films
from tests.viewer.results import Results, results_of, results_of_several, split_tracking
from tests.viewer.server import served

if TYPE_CHECKING:
    from tests.viewer.ohif import Ohif, View

ROOT = Path(__file__).parents[2]
VIEWER = ROOT / ".cache" / "ohif"
SCREENSHOTS = Path(os.environ.get("DICOM_NODE_SCREENSHOTS", ROOT / "build" / "viewer"))


@pytest.fixture(scope="package")
def shown_films(test_data: Path, ct_slice: Path, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Film]:
    """The films by name."""
    _check_tools()
    return {film.name: film for film in films(test_data, ct_slice, tmp_path_factory.mktemp("films"))}


@pytest.fixture(scope="package")
def made(shown_films: Mapping[str, Film], tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Results]:
    """The results of each film; one has a wrong tracking UID on purpose."""
    folder = tmp_path_factory.mktemp("results")
    results = results_of([film for film in shown_films.values() if not film.scores], folder)
    results |= {film.name: results_of_several(film, folder / film.name) for film in shown_films.values() if film.scores}
    split_tracking(results["misnamed"]["report"])
    return results


@pytest.fixture(scope="package")
def viewer(
    shown_films: Mapping[str, Film], made: Mapping[str, Results], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Ohif]:
    """OHIF on an Orthanc that holds the films and their results."""
    from tests.viewer.ohif import ohif

    with orthanc(tmp_path_factory.mktemp("orthanc")) as pacs:
        for name, film in shown_films.items():
            for file in (film.file, *made[name].values()):
                httpx.post(f"{pacs.url}/instances", content=file.read_bytes(), timeout=30).raise_for_status()
        with served(VIEWER, pacs.url) as url, ohif(url, SCREENSHOTS) as page:
            yield page


@pytest.fixture(scope="package")
def views_of(viewer: Ohif, shown_films: Mapping[str, Film]) -> Callable[[str], Mapping[str, View]]:
    """Return a function that opens a study and gives what its results look like, by kind; each study once."""

    @cache
    def views(name: str) -> Mapping[str, View]:
        viewer.open_study(shown_films[name].study_uid)
        seen = {"report": viewer.show_report(name)}
        if name != "misnamed":
            kinds = ("heatmap", "summary") if shown_films[name].side else ("summary",)
            seen |= {kind: viewer.show_picture(name, kind) for kind in kinds}
        return seen

    return views


def _check_tools() -> None:
    needed = {
        "chromium (Debian: chromium)": Path("/usr/bin/chromium").exists(),
        "playwright (Python: the extra test)": find_spec("playwright") is not None,
        "OHIF (scripts/test fetches it with npm)": (VIEWER / "index.html").exists(),
    }
    missing = [name for name, there in needed.items() if not there]
    if missing:
        _skip(f"no viewer to look with: {', '.join(missing)}")


def _skip(message: str) -> NoReturn:
    pytest.fail(message) if os.environ.get("CI") == "true" else pytest.skip(message)
    raise AssertionError(message)
