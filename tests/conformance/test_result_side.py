"""A bright square on a film, through a real network to the line of the report and the colour of every picture.

Nothing between is replaced: what lands beside the square here would land on the other lung there.
"""

from __future__ import annotations

import hashlib
import io
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import highdicom as hd
import numpy as np
import pydicom
import pytest
from films import DX, EQUIPMENT, MADE_AT, missing
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

from inference.film import display_pixels, to_radiograph
from inference.models import Model, load_model
from structured_reports.build import build_results
from structured_reports.port import ReportRequest

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")

CARD = """
name = "square"
version = "1"
manufacturer = "Tests"
intended_use = "Finds a bright square."
explanation = { value = "130402", scheme = "DCM", meaning = "Class activation", method = "class-activation" }
weights = { kind = "onnx", file = "m.onnx", sha256 = "DIGEST" }
input = { modalities = ["DX"], body_parts = ["CHEST"], views = ["PA"], side = 256, channels = 1, mean = 0.0, deviation = 1.0 }
[[findings]]
name = "pneumonia"
code = { value = "233604007", scheme = "SCT", meaning = "Pneumonia" }
site = { value = "39607008", scheme = "SCT", meaning = "Lung" }
threshold = 0.5
"""  # noqa: E501
GROUND, BRIGHT, PADDING = 1000, 4000, 0
SHOWN_GROUND = 62  # of 255, by the window
UPRIGHT, MIRRORED = ("L", "F"), ("R", "F")
# Every way to lay a frontal film on a grid (PS3.3 C.7.6.1.1.1)
ORIENTATIONS = [UPRIGHT, MIRRORED, ("L", "H"), ("R", "H"), ("F", "L"), ("F", "R"), ("H", "L"), ("H", "R")]

Place = tuple[float, float]
"""Column and row."""


@dataclass(frozen=True)
class Planted:
    """A film with a square; places in fractions of its rows and columns.

    Attributes
    ----------
    border
        Padding at each edge.
    """

    rows: int = 400
    columns: int = 500
    down: float = 0.4
    across: float = 0.7
    orientation: tuple[str, str] | None = UPRIGHT
    is_monochrome1: bool = False
    spacing: tuple[float, float] = (0.2, 0.2)
    border: float = 0.0

    @property
    def half(self) -> float:
        return 0.06 * min(self.rows, self.columns)

    @property
    def middle(self) -> tuple[float, float]:
        """Column and row."""
        return self.across * self.columns, self.down * self.rows

    def dataset(self) -> Dataset:
        ds = Dataset()
        ds.file_meta = FileMetaDataset()
        ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = DX
        ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = "2.25.71"
        ds.StudyInstanceUID, ds.SeriesInstanceUID = "2.25.72", "2.25.73"
        ds.PatientID, ds.PatientName = "P1", "Doe^Jane"
        ds.Modality, ds.BodyPartExamined, ds.ViewPosition = "DX", "CHEST", "PA"
        if self.orientation:
            ds.PatientOrientation = list(self.orientation)
        ds.PixelSpacing = list(self.spacing)
        ds.Rows, ds.Columns = self.rows, self.columns
        ds.SamplesPerPixel, ds.PixelRepresentation = 1, 0
        ds.BitsAllocated, ds.BitsStored, ds.HighBit = 16, 12, 11
        ds.PhotometricInterpretation = "MONOCHROME1" if self.is_monochrome1 else "MONOCHROME2"
        ds.WindowCenter, ds.WindowWidth = 2048, 4096
        if self.border:
            ds.PixelPaddingValue = 4095 if self.is_monochrome1 else PADDING
        ds.PixelData = self._pixels().tobytes()
        return _as_received(ds)

    def _pixels(self) -> np.ndarray:
        film = np.full((self.rows, self.columns), GROUND, np.uint16)
        column, row = self.middle
        left, top = round(column - self.half), round(row - self.half)
        film[top : round(row + self.half), left : round(column + self.half)] = BRIGHT
        if self.border:
            rows, columns = round(self.border * self.rows), round(self.border * self.columns)
            film[:rows], film[-rows:], film[:, :columns], film[:, -columns:] = (PADDING,) * 4
        return 4095 - film if self.is_monochrome1 else film


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    """Return a network whose map is what is brighter than half of white."""
    try:
        import onnx
    except ImportError:
        missing("onnx")
    folder = tmp_path_factory.mktemp("square")
    make, floats = onnx.helper.make_node, onnx.TensorProto.FLOAT
    nodes = [
        # A map as fine as the grid of the model: a coarser one is wider than 2 % of a film that is narrow
        make("Sub", ["films", "half"], ["over"]),
        make("Relu", ["over"], ["bright"]),
        make("Mul", ["bright", "gain"], ["cams"]),
        make("ReduceMean", ["cams"], ["mean"], axes=[2, 3], keepdims=0),
        make("Sub", ["mean", "half"], ["logits"]),
    ]
    tensor = onnx.helper.make_tensor_value_info
    graph = onnx.helper.make_graph(
        nodes, "square",
        [tensor("films", floats, ["n", 1, 256, 256])],
        [tensor("logits", floats, ["n", 1]), tensor("cams", floats, ["n", 1, 256, 256])],
        [onnx.helper.make_tensor(name, floats, [1], [value]) for name, value in (("half", 0.5), ("gain", 1e4))],
    )  # fmt: skip
    made = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=9)
    onnx.save(made, folder / "m.onnx")
    digest = hashlib.sha256((folder / "m.onnx").read_bytes()).hexdigest()
    (folder / "card.toml").write_text(CARD.replace("DIGEST", digest))
    return load_model(folder)


CASES = {
    "as it lies": Planted(),
    "on the left": Planted(across=0.25),
    "mirrored on purpose": Planted(orientation=MIRRORED),
    "without orientation": Planted(orientation=None),
    "rotated": Planted(orientation=("F", "R")),
    "MONOCHROME1": Planted(is_monochrome1=True),
    "MONOCHROME1, mirrored and padded": Planted(orientation=MIRRORED, is_monochrome1=True, border=0.1),
    "pixels that are not square": Planted(spacing=(0.4, 0.1)),
    "cropped and padded": Planted(border=0.15),
    "upright and narrow": Planted(rows=1600, columns=320),
    "flat and wide": Planted(rows=320, columns=1600),
    "larger than the grid by no whole factor": Planted(rows=1999, columns=1237),
}


@pytest.mark.parametrize("name", CASES)
def test_line_and_colour_land_on_the_square(name: str, model: Model) -> None:
    _check(CASES[name], model)


@pytest.mark.peer
@pytest.mark.parametrize("name", CASES)
def test_the_colour_lands_on_the_square_of_the_printed_page(name: str, model: Model, run_tool) -> None:
    _check_print(CASES[name], model, run_tool)


PLANTED = st.builds(
    Planted,
    rows=st.integers(200, 900),
    columns=st.integers(200, 900),
    down=st.floats(0.3, 0.7),
    across=st.floats(0.3, 0.7),
    orientation=st.sampled_from([None, *ORIENTATIONS]),
    is_monochrome1=st.booleans(),
    spacing=st.tuples(st.sampled_from([0.1, 0.2, 0.7]), st.sampled_from([0.1, 0.2, 0.7])),
    border=st.sampled_from([0.0, 0.03, 0.15]),
)


@settings(max_examples=30, deadline=None)
@given(planted=PLANTED)
def test_line_and_colour_land_on_the_square_however_the_film_lies(planted: Planted, model: Model) -> None:
    _check(planted, model)


@pytest.mark.peer
@settings(max_examples=15, deadline=None)
@given(planted=PLANTED)
def test_the_colour_lands_on_the_square_of_the_printed_page_however_the_film_lies(
    planted: Planted, model: Model, run_tool
) -> None:
    _check_print(planted, model, run_tool)


def _check(planted: Planted, model: Model) -> None:
    """Compare the box around the line, and the middles of the colour, with the square; 2 % of the width."""
    built = _results(planted.dataset(), model, ("summary", "heatmap", "report"))
    column, row = planted.middle
    within = 0.02 * planted.columns
    line = _line(built["report"])
    square = [column - planted.half, row - planted.half, column + planted.half, row + planted.half]
    assert np.allclose(square, [*line.min(axis=0), *line.max(axis=0)], atol=within)
    assert np.allclose((column, row), _middle_of_colour(_picture(built["heatmap"])), atol=within)
    _check_page(_picture(built["summary"]), planted)


def _check_print(planted: Planted, model: Model, run_tool: Callable[..., Any]) -> None:
    """Compare what a printer makes of the page with the square."""
    dataset = pydicom.dcmread(io.BytesIO(_results(planted.dataset(), model, ("pdf",))["pdf"]))
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder) / "page.pdf"
        page.write_bytes(dataset.EncapsulatedDocument[: dataset.EncapsulatedDocumentLength])
        assert 0 == run_tool("pdftoppm", "-r", "150", "-png", "-singlefile", page, Path(folder) / "shown").returncode
        shown = cv2.imread(f"{folder}/shown.png")
    _check_page(np.ascontiguousarray(shown[..., ::-1]), planted)


def _check_page(page: np.ndarray, planted: Planted) -> None:
    """Compare the bright square of the film on the left, and the colour on the right, with the square."""
    within = 0.02 * planted.columns
    half = page.shape[1] // 2
    film, film_scale = _on_page(page[:, :half], planted)
    shown, map_scale = _on_page(page[:, half:], planted)
    assert np.allclose(planted.middle, film_scale(_middle(film.min(axis=2) > 160)), atol=within), "the film"
    assert np.allclose(planted.middle, map_scale(_middle(_is_coloured(shown))), atol=within), "the map"


def _on_page(half: np.ndarray, planted: Planted) -> tuple[np.ndarray, Callable[[Place], Place]]:
    """Return the picture of the film without its padding, and what turns a place on it into one on the film.

    It is found by the grey of its ground, of which no other place of a page has so much: nothing here follows the
    layout.
    """
    grey = np.ptp(half.astype(int), axis=2) <= 2
    ground = grey & (np.abs(half[..., 0].astype(int) - SHOWN_GROUND) <= 3)
    _, _, boxes, _ = cv2.connectedComponentsWithStats(ground.astype(np.uint8))
    left, top, width, height, _ = max(boxes[1:], key=lambda box: box[cv2.CC_STAT_AREA])
    across, down = round(planted.border * planted.columns), round(planted.border * planted.rows)
    columns, rows = planted.columns - 2 * across, planted.rows - 2 * down

    def on_film(place: Place) -> Place:
        return across + place[0] / width * columns, down + place[1] / height * rows

    return half[top : top + height, left : left + width], on_film


def _results(dataset: Dataset, model: Model, kinds: tuple[str, ...]) -> dict[str, bytes]:
    film = to_radiograph(dataset)
    prepared = model.prepare(film)
    (answer,) = model.predict([prepared])
    prediction = model.prediction(prepared, answer)
    request = ReportRequest(dataset, display_pixels(film), prediction, EQUIPMENT, MADE_AT)
    return {one.kind: one.content for one in build_results(request, kinds)}


def _line(report: bytes) -> np.ndarray:
    """Return the points of the only region."""
    (group,) = hd.sr.srread(io.BytesIO(report)).content.get_planar_roi_measurement_groups()
    return np.asarray(group.roi.value)


def _picture(content: bytes) -> np.ndarray:
    return pydicom.dcmread(io.BytesIO(content)).pixel_array


def _middle_of_colour(picture: np.ndarray) -> Place:
    """Return the middle of what is coloured above the band of text."""
    return _middle(_is_coloured(picture[: int(0.8 * len(picture))]))


def _is_coloured(picture: np.ndarray) -> np.ndarray:
    return np.ptp(picture.astype(int), axis=2) > 20


def _middle(marked: np.ndarray) -> Place:
    """Return the middle column and row."""
    rows, columns = np.flatnonzero(marked.any(axis=1)), np.flatnonzero(marked.any(axis=0))
    return (columns[0] + columns[-1] + 1) / 2, (rows[0] + rows[-1] + 1) / 2


def _as_received(dataset: Dataset) -> Dataset:
    buffer = io.BytesIO()
    pydicom.dcmwrite(buffer, dataset, enforce_file_format=True)
    buffer.seek(0)
    return pydicom.dcmread(buffer)
