"""De-identification beside dicom-anonymizer, dicognito and deid, and beside pydicom's bare read and write.

Each tool gets a value planted in every row of PS3.15 Table E.1-1 that belongs to data sets, in four places, and a CT
file with a name in its preamble. The time is the median over CT files without pixels, as a ratio of reading and writing
the same file with pydicom in the same round.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import logging
import os
import statistics
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian
from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT)]

from dicom_node.deidentify.audit import leaks  # noqa: E402 - runs from a checkout
from dicom_node.deidentify.engine import deidentify  # noqa: E402
from dicom_node.deidentify.profile import Profile  # noqa: E402
from dicom_node.deidentify.pseudonyms import Pseudonyms  # noqa: E402
from dicom_node.deidentify.table import Row, load_table  # noqa: E402
from tests.canaries import CONTEXTS, outcome, tag_of  # noqa: E402

Tool = Callable[[Dataset], Dataset]
PSEUDONYMS = Pseudonyms(bytes(range(32)))
NAME = b"Zeisig^Adele"
LIMIT = 3.0
NOWHERE = Path(os.devnull).open("w")  # noqa: SIM115 - deid keeps the stream that it finds when it is imported


def this(dataset: Dataset) -> Dataset:
    """De-identify by the Basic Profile of this project."""
    return deidentify(dataset, Profile("basic"), PSEUDONYMS).dataset


def dicom_anonymizer(dataset: Dataset) -> Dataset:
    """De-identify by dicom-anonymizer's own rules."""
    from dicomanonymizer import anonymize_dataset  # noqa: PLC0415 - only where it is installed

    anonymize_dataset(dataset)
    return dataset


def dicognito(dataset: Dataset) -> Dataset:
    """De-identify by dicognito's own rules."""
    from dicognito.anonymizer import Anonymizer  # noqa: PLC0415 - only where it is installed

    Anonymizer(seed="bench").anonymize(dataset)
    return dataset


def deid(dataset: Dataset) -> Dataset:
    """De-identify by deid's default recipe, which wants a file, without private attributes."""
    from deid.dicom import replace_identifiers  # noqa: PLC0415 - only where it is installed

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "one.dcm"
        dataset.save_as(path, enforce_file_format=True)
        return replace_identifiers([str(path)], save=False, remove_private=True)[0]


TOOLS: dict[str, Tool] = {
    "this project": this,
    "dicom-anonymizer": dicom_anonymizer,
    "dicognito": dicognito,
    "deid": deid,
}


def complete(dataset: Dataset) -> Dataset:
    """Add what every file has, and some tools ask for."""
    dataset.SOPInstanceUID = dataset.get("SOPInstanceUID") or "1.2.826.0.1.1"
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return dataset


def rows_of(tool: Tool, context: str, rows: list[Row]) -> Counter[str]:
    """Return how often each outcome came about; `failed` where the tool raised."""
    counted: Counter[str] = Counter()
    for row in rows:
        with quiet():
            try:
                counted[outcome(row, context, lambda dataset: tool(complete(dataset)))] += 1
            except Exception:
                counted["failed"] += 1
    return counted


def preamble_of(tool: Tool, path: Path) -> str:
    """Return what became of a name in the 128 bytes before a file."""
    source = io.BytesIO(NAME.ljust(128, b"\0") + path.read_bytes()[128:])
    dataset = pydicom.dcmread(source)
    target = io.BytesIO()
    with quiet():
        try:
            tool(dataset).save_as(target, enforce_file_format=tool is this)
        except Exception as error:
            return type(error).__name__
    return "left" if NAME in target.getvalue()[:128] else "removed"


def cost(tool: Tool, files: list[bytes], rounds: int) -> tuple[float, float]:
    """Return the median over files of a tool's time, in ms, and of its ratio to pydicom's bare read and write."""
    times, ratios = [], []
    for content in files:
        own, bare = [], []
        for _ in range(rounds):
            bare.append(seconds(partial(through, None, content)))
            own.append(seconds(partial(through, tool, content)))
        times.append(statistics.median(own))
        ratios.append(statistics.median(own) / statistics.median(bare))
    return 1e3 * statistics.median(times), statistics.median(ratios)


def through(tool: Tool | None, content: bytes) -> None:
    """Read, de-identify and write, with the leak audit where it is this project; None: read and write only."""
    dataset, target = pydicom.dcmread(io.BytesIO(content)), io.BytesIO()
    if tool is None:
        dataset.save_as(target)
        return
    with quiet():
        tool(dataset).save_as(target, enforce_file_format=tool is this)
    if tool is this:
        leaks(dataset, target.getvalue())


def seconds(work: Callable[[], object]) -> float:
    """Return how long something took."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep progress bars and remarks of the tools out of the table."""
    with contextlib.redirect_stdout(NOWHERE), contextlib.redirect_stderr(NOWHERE):
        yield


def headers(folder: Path) -> list[Path]:
    """Return the CT files of a folder that every tool here can be given."""
    found = []
    for path in sorted(folder.rglob("*.dcm")):
        try:
            dataset = pydicom.dcmread(path)
            if dataset.get("Modality") == "CT" and len(dataset) > 60 and "PixelData" in dataset:
                found.append(path)
        except Exception:  # noqa: S112 - a broken file on purpose
            continue
    return found


def without_pixels(path: Path) -> bytes:
    """Return a file up to its pixels."""
    stream = io.BytesIO()
    pydicom.dcmread(path, stop_before_pixels=True).save_as(stream)
    return stream.getvalue()


def main() -> int:
    """Print the table; 1 where this project is slower than its bound."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared/data/dicom", help="folder with CT files")
    parser.add_argument("--rounds", type=int, default=7, help="rounds a file (7)")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    paths = headers(options.data)
    if not paths:
        parser.error(f"{options.data}: no CT file with pixels and 60 attributes")
    files = [without_pixels(path) for path in paths]
    rows = [row for row in load_table().rows if tag_of(row).group > 0x0007]
    places = ", ".join(CONTEXTS)
    table = Table(
        "tool", "leaks by place", "code obeyed", "failed", "preamble", "ms a file", "times bare", expand=False,
        title=f"{len(rows)} rows in: {places}; {len(files)} CT files without pixels",
    )  # fmt: skip
    console, slow = Console(width=140), False
    for name, tool in TOOLS.items():
        try:
            counted = [rows_of(tool, context, rows) for context in CONTEXTS]
            milliseconds, ratio = cost(tool, files, options.rounds)
        except ImportError as error:
            table.add_row(name, f"not installed ({error.name}): pip install '.\\[compare]'")
            continue
        slow |= tool is this and ratio > LIMIT
        obeyed = sum(one["ok"] for one in counted) / (len(rows) * len(CONTEXTS))
        table.add_row(
            name, " / ".join(str(one["leak"]) for one in counted), f"{obeyed:.2%}",
            str(sum(one["failed"] for one in counted)), preamble_of(tool, paths[0]), f"{milliseconds:.2f}",
            f"{ratio:.2f}",
        )  # fmt: skip
    console.print(table)
    return int(slow)


if __name__ == "__main__":
    sys.exit(main())
