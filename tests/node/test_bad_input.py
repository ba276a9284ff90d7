"""What arrives and cannot be read: it is kept, refused with a reason, and the reader is told."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pydicom
import pytest
from pydicom.uid import UID

from tests.conftest import as_study, package_file
from tests.running import NodeProcess, Pacs, pacs, running_node, send

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[NodeProcess, Pacs]]:
    with pacs() as peer, running_node(tmp_path_factory.mktemp("node"), tables=peer.destination()) as running:
        yield running, peer


def reason_for(node: tuple[NodeProcess, Pacs], file: Path, number: int) -> tuple[str, str]:
    running, peer = node
    assert send(running.port, file) == 0x0000
    (generation,) = running.delivered(f"2.25.4711.{number}")["generations"]
    assert peer.took_one_form_of_each(generation["results"], alone=False)
    return generation["reason_code"], generation["reason"]


def test_an_object_without_pixels(node, tmp_path: Path) -> None:
    file = as_study(package_file("test-SR.dcm"), tmp_path / "sr.dcm", 1)

    assert reason_for(node, file, 1) == ("modality", "Modality: SR; the model reads CR and DX")


def test_a_truncated_film(node, chest_film: Path, tmp_path: Path) -> None:
    file = as_study(chest_film, tmp_path / "film.dcm", 2)
    dataset = pydicom.dcmread(file)
    dataset.PixelData = dataset.PixelData[:100_000]
    dataset.save_as(file)

    code, reason = reason_for(node, file, 2)

    assert code == "pixels"
    assert "PixelData" in reason


def test_a_transfer_syntax_that_no_decoder_reads(node, chest_film: Path, tmp_path: Path) -> None:
    file = as_study(package_file("RG1_J2KR.dcm"), tmp_path / "film.dcm", 3)
    dataset = pydicom.dcmread(file)
    dataset.file_meta.TransferSyntaxUID = UID("1.2.840.10008.1.2.4.110")  # JPEG XL lossless
    dataset.save_as(file)

    code, reason = reason_for(node, file, 3)

    assert code == "syntax"
    assert "1.2.840.10008.1.2.4.110" in reason


def test_a_damaged_codestream(node, tmp_path: Path) -> None:
    file = as_study(package_file("RG1_J2KR.dcm"), tmp_path / "film.dcm", 4)
    dataset = pydicom.dcmread(file)
    dataset.PixelData = dataset.PixelData[:2000] + b"\xff" * (len(dataset.PixelData) - 2000)
    dataset.save_as(file)

    code, _ = reason_for(node, file, 4)

    assert code in {"pixels", "decoder"}


def test_a_film_of_another_body_part(node, tmp_path: Path) -> None:
    file = as_study(package_file("RG3_UNCR.dcm"), tmp_path / "film.dcm", 5)

    code, reason = reason_for(node, file, 5)

    assert code == "body-part"
    assert "EXTREMITY" in reason


def test_a_study_of_several_unsuitable_instances_names_their_reasons(node, ct_slice: Path, tmp_path: Path) -> None:
    running, _ = node
    first = as_study(ct_slice, tmp_path / "a.dcm", 6)
    other = pydicom.dcmread(as_study(package_file("MR_small.dcm"), tmp_path / "b.dcm", 6))
    other.SOPInstanceUID = other.file_meta.MediaStorageSOPInstanceUID = "2.25.4711.6.1.2"
    for keyword in ("PatientID", "PatientName"):
        setattr(other, keyword, pydicom.dcmread(first)[keyword].value)
    other.save_as(tmp_path / "b.dcm")
    assert send(running.port, tmp_path / "b.dcm") == 0x0000

    code, reason = reason_for(node, first, 6)

    assert code == "modality"
    assert "none of 2 instances is suitable" in reason


def test_the_reader_is_told_that_nothing_was_read(node, ct_slice: Path, tmp_path: Path) -> None:
    _, peer = node
    reason_for(node, as_study(ct_slice, tmp_path / "ct.dcm", 7), 7)

    told = [one for one in peer.datasets() if one.StudyInstanceUID == "2.25.4711.7"]

    assert {"SR", "OT"} == {one.Modality for one in told}


def test_a_film_without_patient_id_gives_results_without_one(node, chest_film: Path, tmp_path: Path) -> None:
    running, peer = node
    file = as_study(chest_film, tmp_path / "film.dcm", 8, PatientID="")
    assert send(running.port, file) == 0x0000

    (generation,) = running.delivered("2.25.4711.8")["generations"]

    assert generation["state"] == "reported"
    assert [""] == list({one.PatientID for one in peer.datasets() if one.StudyInstanceUID == "2.25.4711.8"})


def test_a_header_that_no_result_can_carry_is_refused_and_nothing_is_sent(
    node, chest_film: Path, tmp_path: Path
) -> None:
    running, peer = node
    file = as_study(chest_film, tmp_path / "film.dcm", 9, PatientID="A\x07B")
    assert send(running.port, file) == 0x0000

    def refused() -> bool:
        told = running.explain("2.25.4711.9") or {"generations": []}
        return [("refused", "header")] == [(one["state"], one["reason_code"]) for one in told["generations"]]

    running.wait_for(refused, 30)
    assert not [one for one in peer.datasets() if one.StudyInstanceUID == "2.25.4711.9"]
