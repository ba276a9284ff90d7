"""The pictures of results in the README and the documents, made by the node of today from a film of NIH ChestX-ray14.

The film is the one that the viewer tests show; each picture says in its JPEG comment which model made it, and a test
compares that with the model that is shipped.
"""

from __future__ import annotations

import argparse
import io
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

import pydicom
from PIL import Image
from rich.console import Console

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT)]

from dicom_node.process import process_files  # noqa: E402 - runs from a checkout
from dicom_node.settings import ModelSettings, Settings  # noqa: E402
from inference.models import DEFAULT_MODEL, load_model  # noqa: E402
from structured_reports.port import DEFAULT_KINDS  # noqa: E402
from structured_reports.text import model_line  # noqa: E402
from tests.conftest import package_file  # noqa: E402
from tests.viewer.films import films  # noqa: E402

IMAGES = ROOT / "docs" / "images"
WIDTHS = {"summary": 1000, "heatmap": 700, "not-performed": 1000, "printed-page": 700}
"""Columns of each picture as it is kept."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="result_pictures", description=__doc__)
    parser.add_argument("--data", type=Path, default=os.environ.get("DICOM_NODE_TEST_DATA"), help="the test data")
    parser.add_argument("--out", type=Path, default=IMAGES, help="folder for the pictures (default docs/images)")
    arguments = parser.parse_args()
    if arguments.data is None:
        parser.error("--data: none; name a folder here or in DICOM_NODE_TEST_DATA")
    with tempfile.TemporaryDirectory() as name:
        pictures = made(arguments.data, Path(name))
    comment = model_line(load_model(DEFAULT_MODEL).card).encode()
    for kind, picture in pictures.items():
        size = WIDTHS[kind], round(WIDTHS[kind] * picture.height / picture.width)
        file = arguments.out / f"{kind}.jpg"
        picture.convert("RGB").resize(size, Image.Resampling.LANCZOS).save(
            file, quality=88, optimize=True, comment=comment
        )
        print(file)
    return 0


def made(data: Path, folder: Path) -> Mapping[str, Image.Image]:
    """Return the pictures of a film above the threshold and of a study that is not read, in full size."""
    shown = {film.name: film for film in films(data, package_file("CT_small.dcm"), folder)}
    settings = Settings(models=(ModelSettings(folder=DEFAULT_MODEL, objects=(*DEFAULT_KINDS, "pdf")),))
    results = {}
    for name in ("positive", "refused"):
        results[name] = folder / name
        process_files(settings, [shown[name].file], results[name], Console(quiet=True))
    return {
        "summary": _png(results["positive"], "summary"),
        "heatmap": _png(results["positive"], "heatmap"),
        "not-performed": _png(results["refused"], "summary"),
        "printed-page": _page(results["positive"]),
    }


def _png(results: Path, kind: str) -> Image.Image:
    (file,) = results.rglob(f"{kind}*.png")
    return Image.open(io.BytesIO(file.read_bytes()))


def _page(results: Path) -> Image.Image:
    """Return the page to print as Poppler shows it."""
    (file,) = results.rglob("pdf*.dcm")
    pdf = pydicom.dcmread(file).EncapsulatedDocument
    shown = subprocess.run(["pdftoppm", "-r", "150", "-png", "-"], input=pdf, capture_output=True, check=True)
    return Image.open(io.BytesIO(shown.stdout))


if __name__ == "__main__":
    sys.exit(main())
