"""A collection is gone through to its end: every file is written, stands there already, or is refused with a reason."""

from __future__ import annotations

import io
import json
import os
import shutil
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from rich.console import Console

from dicom_node.deidentify.pixel_text import TextDetector
from dicom_node.deidentify.rectangles import Rectangle
from dicom_node.deidentify.reports import Reports
from dicom_node.deidentify.sources import files_in
from dicom_node.deidentify_files import Summary, deidentify_files
from dicom_node.errors import StartError
from tests.conftest import package_file
from tests.unit.dicom_node.deidentify.test_deidentified_files import DEIDENTIFIER, PIXELS, slice_of

NO_DIRECTORY = b"PK\3\4" + b"\xff" * 100 + b"PK\5\6" + bytes(4) + b"\5\0\5\0\x40\0\0\0\x10\0\0\0\0\0"


def run(source: Path, target: Path, refused: Path | None = None) -> Summary:
    return deidentify_files(source, target, DEIDENTIFIER, Console(file=io.StringIO()), refused)


def codes(summary: Summary) -> list[tuple[str, str]]:
    return [(found.path.name, code) for found, code, _ in summary.refused]


def written(target: Path) -> int:
    return len(list(target.rglob("*.dcm")))


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Return a folder with one sound file, the last by its name."""
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "z.dcm").write_bytes(slice_of(1))
    return folder


def packed(method: int) -> bytearray:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as archive:
        archive.writestr("x.dcm", slice_of(2))
    return bytearray(stream.getvalue())


def damaged(method: int) -> bytes:
    content = packed(method)
    start = content.index(b"x.dcm") + 9
    content[start : start + 26] = b"\xff" * 26
    return bytes(content)


def encrypted() -> bytes:
    content = packed(zipfile.ZIP_STORED)
    content[6] |= 1
    content[content.index(b"PK\1\2") + 8] |= 1
    return bytes(content)


def cut() -> bytes:
    content = packed(zipfile.ZIP_STORED)
    sizes = content.index(b"PK\1\2") + 20
    content[sizes : sizes + 8] = 2 * (1 << 20).to_bytes(4, "little")
    return bytes(content)


@pytest.mark.parametrize(
    "content",
    [
        NO_DIRECTORY, damaged(zipfile.ZIP_DEFLATED), damaged(zipfile.ZIP_LZMA), damaged(zipfile.ZIP_BZIP2), encrypted(),
        cut(), bytes(packed(zipfile.ZIP_STORED)).replace(b"PK\1\2\x14\3\x14", b"PK\1\2\x14\3\xff"),
    ],
    ids=["directory", "deflate", "lzma", "bzip2", "encrypted", "cut", "version"],
)  # fmt: skip
def test_a_damaged_archive_is_refused_and_the_others_go_on(tmp_path: Path, source: Path, content: bytes) -> None:
    (source / "a.zip").write_bytes(content)

    summary = run(source, tmp_path / "out")

    assert [("a.zip", "unreadable")] == codes(summary)
    assert 1 == summary.written == written(tmp_path / "out")


class EndsItsProcess(TextDetector):
    """Looks at an image of zeros as a decoder does at a damaged stream that ends it."""

    def __post_init__(self) -> None:
        """Need no extra."""

    def places(self, frame: NDArray[np.generic]) -> tuple[Rectangle, ...]:
        if not frame.any():
            os.abort()
        return ()


def test_a_file_that_ends_its_process_is_refused_and_the_others_go_on(tmp_path: Path, source: Path) -> None:
    (source / "a.dcm").write_bytes(slice_of(2, pixels=bytes(len(PIXELS))))
    deidentifier = replace(DEIDENTIFIER, detector=EndsItsProcess())

    summary = deidentify_files(source, tmp_path / "out", deidentifier, Console(file=io.StringIO()))

    assert [("a.dcm", "decoder")] == codes(summary)
    assert 1 == summary.written == written(tmp_path / "out")


def test_a_name_that_is_not_utf_8_stands_in_the_list_as_it_is(tmp_path: Path, source: Path) -> None:
    Path(os.fsdecode(os.fsencode(source) + b"/\xff\xfe\n.dcm")).write_bytes(b"junk")

    summary = run(source, tmp_path / "out", tmp_path / "refused.tsv")

    assert 1 == summary.written
    (line,) = (tmp_path / "refused.tsv").read_bytes().splitlines()
    assert b"\xff\xfe\\n.dcm" in line


def test_a_list_that_cannot_be_written_stops_the_run_before_any_work(tmp_path: Path, source: Path) -> None:
    with pytest.raises(StartError, match=r"absent/refused\.tsv"):
        run(source, tmp_path / "out", tmp_path / "absent" / "refused.tsv")
    assert 0 == written(tmp_path / "out")


def told(target: Path) -> list[str]:
    lines = [line for path in (target / "reports").iterdir() for line in path.read_text().splitlines()]
    return [json.loads(line)["instance"] for line in lines if line.endswith("}")]


def test_where_no_report_can_be_written_no_file_is(tmp_path: Path, source: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "reports").touch()

    with pytest.raises(StartError, match="out/reports: File exists"):
        run(source, tmp_path / "out")
    assert 0 == written(tmp_path / "out")


def test_a_report_that_cannot_be_written_stops_the_run(tmp_path: Path, source: Path) -> None:
    report = tmp_path / "out" / "reports" / f"{DEIDENTIFIER.pseudonyms.uid('1.2.826.0.2')}.jsonl"
    report.mkdir(parents=True)

    with pytest.raises(StartError, match="jsonl: Is a directory"):
        run(source, tmp_path / "out")


def test_an_instance_whose_line_a_crash_cut_or_lost_gets_it_in_the_next_run(tmp_path: Path, source: Path) -> None:
    (source / "a.dcm").write_bytes(slice_of(2))
    (source / "b.dcm").write_bytes(slice_of(3))
    run(source, tmp_path / "out")
    (report,) = (tmp_path / "out" / "reports").iterdir()
    expected = told(tmp_path / "out")
    lines = report.read_bytes().splitlines(keepends=True)
    report.write_bytes(lines[0] + lines[1][:40])

    second, third = run(source, tmp_path / "out"), run(source, tmp_path / "out")

    assert (3, 3) == (second.before, third.before)
    assert sorted(expected) == sorted(told(tmp_path / "out"))


def test_a_report_is_read_once_and_then_only_what_another_process_added(tmp_path: Path) -> None:
    mine, other = Reports(tmp_path), Reports(tmp_path)
    other.add("2.25.1", {"instance": "2.25.7"})
    assert mine.names("2.25.1", "2.25.7")
    report = tmp_path / "2.25.1.jsonl"
    report.write_bytes(b" " * report.stat().st_size)

    other.add("2.25.1", {"instance": "2.25.8"})

    assert mine.names("2.25.1", "2.25.7")
    assert mine.names("2.25.1", "2.25.8")
    assert not mine.names("2.25.1", "2.25.9")


def test_the_report_of_a_study_without_a_uid_stays_in_its_folder(tmp_path: Path) -> None:
    Reports(tmp_path / "reports").add("../../elsewhere", {"refused": "audit"})

    assert [tmp_path / "reports" / "unknown.jsonl"] == list(tmp_path.rglob("*.jsonl"))


def test_what_lies_in_a_folder_that_cannot_be_read_is_missed_by_name(
    tmp_path: Path, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (source / "closed").mkdir()
    (source / "closed" / "1.dcm").write_bytes(slice_of(2))
    real = os.scandir

    def scandir(path: str) -> object:  # as whoever is not root would find it
        if Path(path).name == "closed":
            raise PermissionError(13, "Permission denied", path)
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)

    summary = run(source, tmp_path / "out")

    assert [("closed", "unreadable")] == codes(summary)
    assert 1 == summary.written


def test_a_folder_whose_names_can_be_listed_but_not_followed_is_told_name_by_name(
    tmp_path: Path, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (source / "listed" / "folder").mkdir(parents=True)
    (source / "listed" / "1.dcm").write_bytes(slice_of(2))
    real_stat, real_scandir = os.stat, os.scandir

    def refused(path: object) -> None:  # as whoever is not root would find a folder of mode 644
        if Path(os.fspath(path)).parent.name == "listed":
            raise PermissionError(13, "Permission denied", str(path))

    def stat(path: object, **options: bool) -> os.stat_result:
        refused(path)
        return real_stat(path, **options)

    def scandir(path: str) -> object:
        refused(path)
        return real_scandir(path)

    monkeypatch.setattr(os, "stat", stat)
    monkeypatch.setattr(os, "lstat", lambda path: stat(path, follow_symlinks=False))
    monkeypatch.setattr(os, "scandir", scandir)

    summary = run(source, tmp_path / "out")

    assert [("1.dcm", "unreadable"), ("folder", "unreadable")] == codes(summary)
    assert 1 == summary.written


def test_links_to_folders_are_named_and_links_to_files_followed(tmp_path: Path, source: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "2.dcm").write_bytes(slice_of(2))
    (source / "a-folder").symlink_to(tmp_path / "real")
    (source / "b-nowhere").symlink_to(tmp_path / "absent")
    (source / "c-file").symlink_to(tmp_path / "real" / "2.dcm")
    os.mkfifo(source / "d-pipe")

    summary = run(source, tmp_path / "out")

    assert [("a-folder", "link"), ("b-nowhere", "unreadable"), ("d-pipe", "no-file")] == codes(summary)
    assert 2 == summary.written


def test_files_come_in_the_order_of_their_names(source: Path) -> None:
    for name in ("b/2", "b/1", "a", "b-1"):
        (source / name).parent.mkdir(exist_ok=True)
        (source / name).write_bytes(slice_of())

    found = [str(one.path.relative_to(source)) for one in files_in(source)]

    assert ["a", "b/1", "b/2", "b-1", "z.dcm"] == found


def test_a_target_in_the_folder_that_a_dicomdir_stands_for_is_refused(tmp_path: Path, source: Path) -> None:
    (source / "DICOMDIR").write_bytes(b"")

    with pytest.raises(StartError, match="lies within"):
        run(source / "DICOMDIR", source / "out")
    assert 1 == run(source / "DICOMDIR", tmp_path / "out").written


@pytest.mark.parametrize("place", ["out/refused.tsv", "out/reports/refused.tsv", "elsewhere/../out/refused.tsv"])
def test_a_list_of_refused_files_within_the_target_is_refused_before_any_work(
    tmp_path: Path, source: Path, place: str
) -> None:
    with pytest.raises(StartError, match="lies within the target"):
        run(source, tmp_path / "out", tmp_path / place)

    assert not (tmp_path / "out").exists()


def shown(source: Path, target: Path) -> tuple[bool, str]:
    """Return whether a run went well, and what it said."""
    said = io.StringIO()
    summary = deidentify_files(source, target, DEIDENTIFIER, Console(file=said, width=200))
    return summary.is_well, said.getvalue()


def test_a_dicomdir_whose_files_are_absent_is_no_success_and_they_are_counted(tmp_path: Path) -> None:
    disc = tmp_path / "disc"
    disc.mkdir()
    shutil.copy(package_file("DICOMDIR"), disc / "DICOMDIR")

    is_well, said = shown(disc / "DICOMDIR", tmp_path / "out")

    assert not is_well
    assert f"{disc / 'DICOMDIR'}: 31 of the 31 files that it names are absent" in said


def test_a_dicomdir_that_cannot_be_read_is_no_success(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    with zipfile.ZipFile(tmp_path / "in" / "disc.zip", "w") as archive:
        archive.write(package_file("DICOMDIR"), "DICOMDIR")
    content = package_file("DICOMDIR").read_bytes()
    (tmp_path / "in" / "DICOMDIR").write_bytes(content[: len(content) // 2])

    assert not shown(tmp_path / "in", tmp_path / "out")[0]


def test_a_second_run_that_finds_everything_written_goes_well(tmp_path: Path, source: Path) -> None:
    shutil.copy(package_file("DICOMDIR"), source / "DICOMDIR")

    first, second = (shown(source, tmp_path / "out") for _ in range(2))

    assert (True, True) == (first[0], second[0])
    assert "absent" not in first[1] + second[1]
