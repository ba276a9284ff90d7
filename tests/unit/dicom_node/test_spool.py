from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path

import pydicom
import pytest
from pydicom.filebase import DicomFileLike
from pydicom.filewriter import write_file_meta_info
from pydicom.uid import JPEG2000, DeflatedExplicitVRLittleEndian

from dicom_node.errors import NotAnInstanceError
from dicom_node.spool import header
from dicom_node.spool import spool as module
from dicom_node.spool.header import data_set_offset
from dicom_node.spool.spool import Spool
from structured_reports.provenance import is_own
from tests.conftest import cut_in_sequence

CT_CLASS = "1.2.840.10008.5.1.4.1.1.2"


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return Spool(tmp_path / "spool", 0, is_own)


def arrived(spool: Spool, source: Path) -> Path:
    return Path(shutil.copy(source, spool.incoming("0") / "arrived.dcm"))


def test_an_instance_is_kept_byte_for_byte(spool: Spool, ct_slice: Path) -> None:
    kept = spool.keep(arrived(spool, ct_slice), expected_sop_class=CT_CLASS)

    assert ct_slice.read_bytes() == spool.path(kept.instance.path).read_bytes()


def test_the_path_of_an_instance_tells_nothing_of_it(spool: Spool, ct_slice: Path) -> None:
    header = pydicom.dcmread(ct_slice)

    path = spool.keep(arrived(spool, ct_slice), expected_sop_class=CT_CLASS).instance.path

    told = (header.PatientID, str(header.PatientName), header.StudyInstanceUID, header.SOPInstanceUID)
    assert not any(value in path for value in told)


def test_the_same_bytes_again_are_one_file(spool: Spool, ct_slice: Path) -> None:
    spool.keep(arrived(spool, ct_slice), expected_sop_class=CT_CLASS)

    again = spool.keep(arrived(spool, ct_slice), expected_sop_class=CT_CLASS)

    assert again.again
    assert 1 == len(list(spool.root.glob("studies/*/*/*.dcm")))


def test_bytes_that_could_not_be_synced_are_not_acknowledged_when_they_come_again(
    spool: Spool, ct_slice: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lost: set[int] = set()
    synced = module.sync_file

    def fail_once(path: Path) -> None:  # as Linux does: a page that was not written is told of once
        if not lost:
            lost.add(path.stat().st_ino)
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        synced(path)

    monkeypatch.setattr(module, "sync_file", fail_once)
    with pytest.raises(OSError, match="Input/output error"):
        spool.keep(arrived(spool, ct_slice), expected_sop_class=CT_CLASS)

    kept = spool.keep(arrived(spool, ct_slice), expected_sop_class=CT_CLASS)

    assert spool.path(kept.instance.path).stat().st_ino not in lost


def test_bytes_that_come_again_under_another_label_keep_the_first_one(
    spool: Spool, ct_slice: Path, tmp_path: Path
) -> None:
    first = spool.keep(arrived(spool, ct_slice), expected_sop_class=CT_CLASS)
    before = spool.path(first.instance.path).read_bytes()
    other = pydicom.dcmread(ct_slice)
    other.file_meta.TransferSyntaxUID = JPEG2000
    other.file_meta.ImplementationVersionName = "ANOTHER"
    file = spool.incoming("0") / "arrived.dcm"
    with file.open("wb") as target:
        target.write(bytes(128) + b"DICM")
        write_file_meta_info(DicomFileLike(target), other.file_meta)
        target.write(before[data_set_offset(ct_slice) :])
    assert b"ANOTHER" in file.read_bytes()

    assert spool.keep(file, expected_sop_class=CT_CLASS).again

    assert before == spool.path(first.instance.path).read_bytes()


def test_a_file_that_comes_again_while_a_scan_looks_at_it_stays(
    spool: Spool, ct_slice: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = spool.path(spool.keep(arrived(spool, ct_slice), expected_sop_class=CT_CLASS).instance.path)
    sound = path.read_bytes()
    path.write_bytes(sound[:-100])
    real, again = module.content_digest, [path]

    def digest(file: Path) -> str:
        found = real(file)
        if again and file == again[0]:  # between the look and what follows from it
            again.pop().write_bytes(sound)
        return found

    monkeypatch.setattr(module, "content_digest", digest)

    assert [] == list(spool.unknown(lambda _: ()))

    assert sound == path.read_bytes()
    assert not list(path.parent.glob("*.damaged"))


def test_the_same_uid_with_other_bytes_is_kept_beside_the_first(spool: Spool, ct_slice: Path, tmp_path: Path) -> None:
    other = pydicom.dcmread(ct_slice)
    other.ImageComments = "other bytes"
    other.save_as(tmp_path / "other.dcm")
    spool.keep(arrived(spool, ct_slice), expected_sop_class=CT_CLASS)

    spool.keep(arrived(spool, tmp_path / "other.dcm"), expected_sop_class=CT_CLASS)

    assert 2 == len(list(spool.root.glob("studies/*/*/*.dcm")))


def test_another_sop_class_than_announced_is_refused_with_a900(spool: Spool, ct_slice: Path) -> None:
    with pytest.raises(NotAnInstanceError) as caught:
        spool.keep(arrived(spool, ct_slice), expected_sop_class="1.2.840.10008.5.1.4.1.1.4")

    assert 0xA900 == caught.value.status


@pytest.mark.parametrize("content", [b"", b"\0" * 128 + b"DICM", b"GIF89a", b"\0" * 132 + b"\xff" * 400])
def test_what_is_no_data_set_is_refused_with_c000(spool: Spool, tmp_path: Path, content: bytes) -> None:
    file = spool.incoming("0") / "arrived.dcm"
    file.write_bytes(content)

    with pytest.raises(NotAnInstanceError) as caught:
        spool.keep(file, expected_sop_class=CT_CLASS)

    assert 0xC000 == caught.value.status


def test_a_header_that_inflates_without_end_is_refused_with_c000(spool: Spool, ct_slice: Path) -> None:
    dataset = pydicom.dcmread(ct_slice)
    dataset.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    dataset.add_new(0x00091001, "OB", bytes(70_000_000))
    file = spool.incoming("0") / "arrived.dcm"
    dataset.save_as(file)

    with pytest.raises(NotAnInstanceError, match="data set: more than 64000000 bytes when inflated") as caught:
        spool.keep(file, expected_sop_class=CT_CLASS)

    assert 0xC000 == caught.value.status


@pytest.mark.parametrize("keyword", ["StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "SOPClassUID"])
def test_an_instance_without_identifier_is_refused_with_c000(
    spool: Spool, ct_slice: Path, tmp_path: Path, keyword: str
) -> None:
    dataset = pydicom.dcmread(ct_slice)
    delattr(dataset, keyword)
    dataset.save_as(tmp_path / "incomplete.dcm", enforce_file_format=False)

    with pytest.raises(NotAnInstanceError, match=f"{keyword} is missing") as caught:
        spool.keep(arrived(spool, tmp_path / "incomplete.dcm"), expected_sop_class=CT_CLASS)

    assert 0xC000 == caught.value.status


def test_a_scan_finds_what_the_index_does_not_know(spool: Spool, ct_slice: Path) -> None:
    kept = spool.keep(arrived(spool, ct_slice), expected_sop_class=CT_CLASS).instance

    (found,) = spool.unknown(lambda _: ())

    assert (kept.sop_uid, kept.sha256, kept.path) == (found.sop_uid, found.sha256, found.path)


def test_a_scan_passes_over_what_the_index_knows(spool: Spool, ct_slice: Path) -> None:
    kept = spool.keep(arrived(spool, ct_slice), expected_sop_class=CT_CLASS).instance

    assert [] == list(spool.unknown(lambda _: {kept.path}))


def test_a_scan_sets_a_file_aside_that_was_never_durable(spool: Spool, ct_slice: Path) -> None:
    kept = spool.keep(arrived(spool, ct_slice), expected_sop_class=CT_CLASS).instance
    file = spool.path(kept.path)
    file.write_bytes(file.read_bytes()[:-100])

    assert [] == list(spool.unknown(lambda _: ()))
    assert not file.exists()


def test_a_spool_without_room_is_full(tmp_path: Path) -> None:
    assert Spool(tmp_path / "spool", 1 << 60, is_own).is_full


@pytest.mark.parametrize("vr", ["UT", "LO", "OB"])
def test_a_header_in_which_a_sequence_is_none_neither_fails_nor_stops_a_scan(
    spool: Spool, ct_slice: Path, tmp_path: Path, vr: str
) -> None:
    dataset = pydicom.dcmread(ct_slice)
    dataset.add_new(0x0018A001, vr, b"hello " if vr == "OB" else "hello ")
    dataset.save_as(tmp_path / "odd.dcm")

    spool.keep(arrived(spool, tmp_path / "odd.dcm"), expected_sop_class=CT_CLASS)

    assert 1 == len(list(spool.unknown(lambda _: ())))


def test_a_disk_that_fails_during_a_scan_costs_no_file(
    spool: Spool, ct_slice: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = spool.keep(arrived(spool, ct_slice), expected_sop_class=CT_CLASS).instance

    def fail(*_: object, **__: object) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with monkeypatch.context() as patched:
        patched.setattr(header, "read_instance", fail)
        assert [] == list(spool.unknown(lambda _: ()))

    assert spool.path(kept.path).exists()


@pytest.mark.parametrize("uid", ["../../../etc/x", "hello", "1." * 40 + "1", "1..2", "1.2\\1.3"])
def test_what_is_no_uid_is_refused_with_c000(spool: Spool, ct_slice: Path, tmp_path: Path, uid: str) -> None:
    dataset = pydicom.dcmread(ct_slice)
    dataset.SOPInstanceUID = uid.split("\\")
    dataset.save_as(tmp_path / "odd.dcm", enforce_file_format=False)

    with pytest.raises(NotAnInstanceError, match="SOPInstanceUID is not one UID") as caught:
        spool.keep(arrived(spool, tmp_path / "odd.dcm"), expected_sop_class=CT_CLASS)

    assert 0xC000 == caught.value.status


def test_a_data_set_that_ends_within_a_sequence_is_refused_with_c000(
    spool: Spool, ct_slice: Path, tmp_path: Path
) -> None:
    broken = cut_in_sequence(ct_slice, tmp_path / "broken.dcm")

    with pytest.raises(NotAnInstanceError) as caught:
        spool.keep(arrived(spool, broken), expected_sop_class=CT_CLASS)

    assert 0xC000 == caught.value.status
    assert [] == list(spool.root.glob("studies/*/*/*"))


def test_a_sequence_that_the_index_asks_for_and_that_ends_early_is_refused_with_c000(
    spool: Spool, ct_slice: Path, tmp_path: Path
) -> None:
    dataset = pydicom.dcmread(ct_slice)
    # explicit VR: four bytes that begin an item and do not end it
    dataset.add_new(0x0018A001, "OB", b"\xfe\xff\x00\xe0")
    dataset.save_as(tmp_path / "odd.dcm")
    content = (tmp_path / "odd.dcm").read_bytes()
    (tmp_path / "odd.dcm").write_bytes(content.replace(b"\x18\x00\x01\xa0OB", b"\x18\x00\x01\xa0SQ"))

    with pytest.raises(NotAnInstanceError) as caught:
        spool.keep(arrived(spool, tmp_path / "odd.dcm"), expected_sop_class=CT_CLASS)

    assert 0xC000 == caught.value.status


def test_a_disk_that_cannot_be_read_is_no_fault_of_the_instance(
    spool: Spool, ct_slice: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(header, "read_instance", fail)

    with pytest.raises(OSError, match="Input/output error"):
        spool.keep(arrived(spool, ct_slice), expected_sop_class=CT_CLASS)
