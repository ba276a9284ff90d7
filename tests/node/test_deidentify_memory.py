"""De-identification needs the memory of a header: over ten thousand files, and for a file of two gigabytes."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import pydicom
import pytest

from tests.unit.dicom_node.deidentify.test_deidentified_files import slice_of

pytestmark = pytest.mark.timeout(600)

# In a process of its own, which tells its memory. What is synced to disk is the same either way, and slow.
BEGIN = """
import os, sys
from pathlib import Path
from dicom_node.deidentify.files import Deidentifier
from dicom_node.deidentify.profile import Profile
from dicom_node.deidentify.pseudonyms import Pseudonyms
from dicom_node.deidentify.reports import REPORTS
from dicom_node.deidentify.rules import PixelRules, load_rules
from dicom_node.deidentify.sources import Found
from dicom_node.exporting import export
os.fsync = lambda descriptor: None
rules = Path(sys.argv[1]).with_name("rules.toml")
rules = load_rules(rules) if rules.exists() and rules.read_text() else PixelRules()
deidentifier = Deidentifier(Profile("basic"), Pseudonyms(bytes(range(32))), rules)
source, target = Path(sys.argv[1]), Path(sys.argv[2])
def told(name):
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith(name)) / 1024
"""

RULE = """
[[rule]]
name = "a console"
sop_class = "CTImageStorage"
manufacturer = "Maker"
model = "Console"
rows = 512
columns = 512
rectangles = [{ left = 0, top = 0, width = 512, height = 40 }]
"""

MANY = """
content, mark = source.read_bytes(), b"1.2.826.0.1.10000"
assert content.count(mark) == 2  # in the file meta information, and in the data set
for number in range(10_000):
    source.write_bytes(content.replace(mark, b"1.2.826.0.1.%d" % (10_000 + number)))
    made = export(Found(source), target, target / REPORTS, deidentifier, None)
    assert made.is_new, made
    if number in (999, 9_999):
        print(told("VmRSS"))
"""

ONE = """
made = export(Found(source), target, target / REPORTS, deidentifier, None)
assert made.is_new, made
print(told("VmHWM"))
"""


def megabytes(script: str, source: Path, target: Path) -> list[float]:
    done = subprocess.run(
        [sys.executable, "-c", BEGIN + script, str(source), str(target)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return [float(line) for line in done.stdout.split()]


def test_memory_is_flat_over_ten_thousand_files(tmp_path: Path) -> None:
    source = tmp_path / "one.dcm"
    source.write_bytes(slice_of(10_000))

    early, late = megabytes(MANY, source, tmp_path / "out")

    assert late - early < 8


@pytest.mark.parametrize("rule", ["", RULE], ids=["pixels kept", "a rectangle black"])
def test_a_file_of_two_gigabytes_needs_no_more_than_its_header(tmp_path: Path, rule: str) -> None:
    small, large = tmp_path / "small.dcm", tmp_path / "large.dcm"
    frame = 512 * 512 * 2
    header = with_frames(4, frame * 4)
    small.write_bytes(header + bytes(frame * 4))
    with large.open("wb") as file:  # zeros that take no room on the disk
        file.write(with_frames(4096, frame * 4096))
        file.truncate(file.tell() + frame * 4096)

    (tmp_path / "rules.toml").write_text(rule)
    (few,) = megabytes(ONE, small, tmp_path / "few")
    (many,) = megabytes(ONE, large, tmp_path / "many")

    assert large.stat().st_size > 1 << 31
    assert many - few < 8
    (written,) = (tmp_path / "many").rglob("*.dcm")
    assert written.stat().st_size > 1 << 31
    written.unlink()


def with_frames(frames: int, length: int) -> bytes:
    """Return a multi-frame file up to its pixels."""
    dataset = pydicom.dcmread(io.BytesIO(slice_of()))
    dataset.Rows = dataset.Columns = 512
    dataset.NumberOfFrames, dataset.PixelData = frames, b""
    dataset.Manufacturer, dataset.ManufacturerModelName = "Maker", "Console"
    del dataset[0xFFFCFFFC]
    stream = io.BytesIO()
    dataset.save_as(stream, enforce_file_format=True)
    content = stream.getvalue()
    assert content.endswith(bytes(4))
    return content[:-4] + length.to_bytes(4, "little")
