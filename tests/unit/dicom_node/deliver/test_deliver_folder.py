"""Folder on a real file system."""

from __future__ import annotations

import errno
import json
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import pytest
from pydicom import Dataset, FileMetaDataset, dcmwrite
from pydicom.uid import ExplicitVRLittleEndian, SecondaryCaptureImageStorage, generate_uid

from dicom_node.deliver import DestinationUnavailableError, RejectedError
from dicom_node.deliver.folder import Folder
from dicom_node.study import study_key
from structured_reports.port import DICOM, FHIR_JSON, ResultObject

STUDY = generate_uid()


def dicom_object(kind: str = "summary", uid: str = "", study_uid: str = STUDY) -> ResultObject:
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.SOPClassUID = SecondaryCaptureImageStorage
    ds.SOPInstanceUID = uid or generate_uid()
    ds.StudyInstanceUID = study_uid
    stream = BytesIO()
    dcmwrite(stream, ds, enforce_file_format=True)
    return ResultObject(
        kind, ds.SOPInstanceUID, DICOM, stream.getvalue(), ds.SOPClassUID, ExplicitVRLittleEndian, b"\x89PNG"
    )


def bundle_about(study_uid: str) -> ResultObject:
    identifier = [{"system": "urn:dicom:uid", "value": f"urn:oid:{study_uid}"}]
    study = {"resourceType": "ImagingStudy", "identifier": identifier}
    content = {"resourceType": "Bundle", "type": "transaction", "entry": [{"resource": study}]}
    return ResultObject("fhir", "urn:uuid:1", FHIR_JSON, json.dumps(content).encode())


def files(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.rglob("*") if path.is_file())


def test_a_file_holds_the_bytes_of_the_result(tmp_path: Path) -> None:
    result = dicom_object()
    (acceptance,) = Folder("results", tmp_path).deliver([result])

    assert (tmp_path / acceptance.proof).read_bytes() == result.content


def test_a_picture_lies_beside_its_object(tmp_path: Path) -> None:
    (acceptance,) = Folder("results", tmp_path).deliver([dicom_object()])

    assert (tmp_path / acceptance.proof).with_suffix(".png").read_bytes() == b"\x89PNG"


def test_a_bundle_lies_with_the_objects_of_its_study(tmp_path: Path) -> None:
    folder = Folder("results", tmp_path)
    folder.deliver([dicom_object()])
    folder.deliver([bundle_about(STUDY)])

    assert [path.name for path in tmp_path.iterdir()] == [study_key(STUDY)]


def test_no_name_holds_a_uid_of_the_study(tmp_path: Path) -> None:
    Folder("results", tmp_path).deliver([dicom_object()])

    assert not [path for path in tmp_path.rglob("*") if STUDY in str(path)]


def test_a_second_delivery_adds_no_file(tmp_path: Path) -> None:
    results = [dicom_object(), bundle_about(STUDY)]
    Folder("results", tmp_path).deliver(results)
    before = files(tmp_path)
    Folder("results", tmp_path).deliver(results)

    assert files(tmp_path) == before


def test_other_bytes_under_the_same_uid_are_rejected(tmp_path: Path) -> None:
    uid = generate_uid()
    folder = Folder("results", tmp_path)
    folder.deliver([dicom_object(uid=uid)])
    changed = ResultObject(**{**vars(dicom_object(uid=uid)), "picture": b"other"})
    with pytest.raises(RejectedError, match="one UID, one content"):
        folder.deliver([changed])


@pytest.mark.parametrize("kind", ["../up", "a/b", "", ".", "a\0b"])
def test_a_kind_that_is_no_safe_name_is_rejected(tmp_path: Path, kind: str) -> None:
    with pytest.raises(RejectedError, match="file name"):
        Folder("results", tmp_path / "results").deliver([dicom_object(kind)])


@pytest.mark.parametrize("hostile", ["../../up", "/etc/up", ".."])
def test_a_uid_cannot_leave_the_directory(tmp_path: Path, hostile: str) -> None:
    directory = tmp_path / "results"
    Folder("results", directory).deliver([ResultObject("fhir", hostile, FHIR_JSON, b"{}")])

    assert [path.name for path in tmp_path.iterdir()] == ["results"]


def test_a_directory_whose_parent_is_missing_is_named_with_the_rule(tmp_path: Path) -> None:
    directory = tmp_path / "share" / "results"
    with pytest.raises(DestinationUnavailableError, match=r"No such file or directory.*but not its parent") as caught:
        Folder("results", directory).deliver([dicom_object()])

    assert f"results: summary: {directory}: " in str(caught.value)


@pytest.mark.parametrize("push", [lambda folder: folder.deliver([dicom_object()]), Folder.check])
def test_a_file_in_the_place_of_the_directory_is_named_with_the_rule(
    tmp_path: Path, push: Callable[[Folder], object]
) -> None:
    (tmp_path / "results").write_text("a file where the directory should be")
    with pytest.raises(DestinationUnavailableError, match=r"File exists.*must be a folder") as caught:
        push(Folder("results", tmp_path / "results"))

    assert f"{tmp_path / 'results'}: " in str(caught.value)


@pytest.mark.parametrize("push", [lambda folder: folder.deliver([dicom_object()]), Folder.check])
def test_a_directory_that_cannot_be_written_is_named_with_the_rule(
    tmp_path: Path, push: Callable[[Folder], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path, *_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr(Path, "open", refuse)  # root may write anywhere, and tests may run as root
    with pytest.raises(DestinationUnavailableError, match=r"Permission denied .*user must be able to write") as caught:
        push(Folder("results", tmp_path))

    assert f": {tmp_path}" in str(caught.value)


def test_no_partial_file_is_left_when_a_write_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(DestinationUnavailableError, match="No space left"):
        Folder("results", tmp_path).deliver([dicom_object()])

    assert files(tmp_path) == []


def test_a_check_leaves_nothing(tmp_path: Path) -> None:
    Folder("results", tmp_path).check()

    assert files(tmp_path) == []
