"""From a raw film on disk to the tensor of a model, beside what tutorials do, in the same run.

The tutorial reads with `dcmread`, applies pydicom's Modality LUT and VOI LUT, scales to 8 bits, and resizes an RGB
picture with Pillow. Both go from bytes to a normalised float32 tensor; the figure is the ratio of the medians.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import cv2
import numpy as np
import pydicom
from numpy.typing import NDArray
from PIL import Image
from pydicom.pixels import apply_modality_lut, apply_voi_lut
from pydicom.uid import ExplicitVRLittleEndian
from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT)]

from inference.allocator import keep_freed_memory  # noqa: E402 - runs from a checkout
from inference.film import to_radiograph  # noqa: E402
from inference.models import DEFAULT_MODEL, Model, load_model  # noqa: E402
from tests.conftest import package_file  # noqa: E402

ROWS, COLUMNS, BITS = 2500, 2048, 12
LIMIT = 0.15
Read = Callable[[Path], NDArray[np.float32]]


def films(folder: Path) -> Mapping[str, Path]:
    """Write real and made-up films of 2500 × 2048, 12 bits in 16, and return them by name."""
    clinical = pydicom.dcmread(package_file("RG1_UNCR.dcm"))
    values = clinical.pixel_array.astype(np.float32)
    real = cv2.resize(values, (COLUMNS, ROWS), interpolation=cv2.INTER_CUBIC) / 8.0  # 15 bits to 12
    random = np.random.default_rng(1)
    rows, columns = np.mgrid[-1.0 : 1.0 : ROWS * 1j, -1.0 : 1.0 : COLUMNS * 1j]
    lungs = 1500.0 + 1200.0 * np.exp(-8.0 * ((np.abs(columns) - 0.4) ** 2 + rows**2 / 2.0))
    noisy = lungs + random.normal(0.0, 40.0, lungs.shape)
    return {
        "clinical, MONOCHROME1": written(clinical, real, folder / "clinical.dcm", "MONOCHROME1"),
        "clinical, MONOCHROME2": written(clinical, 4095.0 - real, folder / "inverted.dcm", "MONOCHROME2"),
        "made up, noisy": written(clinical, noisy, folder / "noisy.dcm", "MONOCHROME2"),
        "made up, smooth": written(clinical, lungs, folder / "smooth.dcm", "MONOCHROME2"),
    }


def written(like: pydicom.Dataset, values: NDArray[np.float32], path: Path, photometric: str) -> Path:
    """Write values as a film with a window, Explicit VR Little Endian."""
    pixels = np.clip(values, 0, (1 << BITS) - 1).astype("<u2")
    film = pydicom.Dataset()
    film.update({element.tag: element for element in like if element.tag.group < 0x0028})
    film.SamplesPerPixel, film.PhotometricInterpretation = 1, photometric
    film.Rows, film.Columns = pixels.shape
    film.BitsAllocated, film.BitsStored, film.HighBit, film.PixelRepresentation = 16, BITS, BITS - 1, 0
    film.WindowCenter, film.WindowWidth = 2048, 3600
    film.RescaleSlope, film.RescaleIntercept = 1, 0
    film.PixelData = pixels.tobytes()
    film.file_meta = pydicom.dataset.FileMetaDataset()
    film.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    film.save_as(path, enforce_file_format=True)
    return path


def tutorial(model: Model) -> Read:
    """Return the reading that tutorials show."""
    side, mean, deviation = model.preprocessing.side, model.preprocessing.mean, model.preprocessing.deviation

    def read(path: Path) -> NDArray[np.float32]:
        dataset = pydicom.dcmread(path)
        values = apply_voi_lut(apply_modality_lut(dataset.pixel_array, dataset), dataset)
        if dataset.PhotometricInterpretation == "MONOCHROME1":
            values = values.max() - values
        values = values - values.min()
        picture = Image.fromarray((values / values.max() * 255.0).astype(np.uint8)).convert("RGB")
        small = np.asarray(picture.resize((side, side), Image.Resampling.BILINEAR), np.float32) / 255.0
        return ((small - mean) / deviation).transpose(2, 0, 1).astype(np.float32)

    return read


def seconds(read: Read, path: Path) -> float:
    """Return how long a film takes."""
    begun = time.perf_counter()
    read(path)
    return time.perf_counter() - begun


def main() -> None:
    """Measure, print a table, and fail above the limit."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, default=DEFAULT_MODEL, help="model folder")
    parser.add_argument("--runs", type=int, default=9)
    parser.add_argument("--limit", type=float, default=LIMIT, help="highest ratio that passes")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)  # two at once on one core wait for each other
    keep_freed_memory()  # as a decoding process of the node; the tutorial gains by it too
    model = load_model(arguments.model)
    ways: Mapping[str, Read] = {
        "tutorial": tutorial(model),
        "here": lambda path: model.prepare(to_radiograph(pydicom.dcmread(path))).tensor,
    }
    with tempfile.TemporaryDirectory() as folder:
        table, ratios = measured(ways, films(Path(folder)), arguments.runs)
    Console().print(table)
    worst = max(ratios)
    print(f"median of the ratios {statistics.median(ratios):.3f}, highest {worst:.3f}, limit {arguments.limit}")
    sys.exit(worst > arguments.limit)


def measured(ways: Mapping[str, Read], paths: Mapping[str, Path], runs: int) -> tuple[Table, list[float]]:
    """Return a table of milliseconds and the ratio of each film; the ways take turns, the first turn is no run."""
    table = Table("film", "tutorial ms", "here ms", "ratio", title=f"Raw film to tensor, median of {runs} runs")
    ratios = []
    for name, path in paths.items():
        turns = [[seconds(read, path) for read in ways.values()] for _ in range(runs + 1)][1:]
        theirs, ours = (1000.0 * statistics.median(column) for column in zip(*turns, strict=True))
        ratios.append(ours / theirs)
        table.add_row(name, f"{theirs:.1f}", f"{ours:.1f}", f"{ratios[-1]:.3f}")
    return table, ratios


if __name__ == "__main__":
    main()
