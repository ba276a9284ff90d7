"""Which document of a former result a new one names: what the destinations have of its forms."""

from __future__ import annotations

from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path

import pytest
import sqlalchemy as sa
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ComprehensiveSRStorage, ExplicitVRLittleEndian

from dicom_node.deliver import Acceptance, DestinationUnavailableError, RejectedError
from dicom_node.ledger import generations
from dicom_node.ledger.database import writing
from dicom_node.pipeline import StudyResult
from structured_reports.port import DICOM, Refusal, ResultObject
from tests.unit.dicom_node.test_stages import FakeDestination, Stages, arrive, stages


def document(uid: str, form: str, alternative_to: str = "") -> ResultObject:
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.SOPClassUID, ds.SOPInstanceUID = ComprehensiveSRStorage, uid
    ds.StudyInstanceUID, ds.SeriesInstanceUID = "1.2", "1.3"
    stream = BytesIO()
    ds.save_as(stream, enforce_file_format=True)
    syntax = str(ExplicitVRLittleEndian)
    return ResultObject(
        "report", uid, DICOM, stream.getvalue(), ComprehensiveSRStorage, syntax, None, form, alternative_to
    )


FIRST, OTHER = "2.25.1", "2.25.2"
REPORTS = (document(FIRST, "comprehensive"), document(OTHER, "comprehensive-3d", FIRST))
RESULT = StudyResult((), Refusal("modality", "no film"), REPORTS)


@dataclass
class Taking(FakeDestination):
    """Takes one of the forms that it is offered."""

    uid: str = FIRST

    def deliver(self, results: list[ResultObject]) -> tuple[Acceptance, ...]:
        return super().deliver([one for one in results if one.uid == self.uid])


def read_twice(database: sa.Engine, folder: Path, *destinations: FakeDestination) -> list[str]:
    """Read and deliver a generation, read another; returns the documents that the second is told to replace."""
    arrive(database, 1)
    node = stages(database, folder, destinations[0], result=RESULT)
    node.read(1, "first")
    for number, one in enumerate(destinations, 1):
        _deliver(database, node, one, number)
    arrive(database, 2)
    node.read(2, "first")
    (former,) = node.read.pipeline.former[-1]
    return [one.sop_instance_uid for one in former.documents]


def _deliver(database: sa.Engine, node: Stages, destination: FakeDestination, number: int) -> None:
    if number > 1:
        with writing(database) as connection:
            generations.open_delivery(connection, 1, destination.name)
    replace(node.deliver, destinations={destination.name: destination})(number, "first")


def test_the_form_that_the_destination_took_is_named(database: sa.Engine, tmp_path: Path) -> None:
    assert [OTHER] == read_twice(database, tmp_path, Taking(uid=OTHER))


def test_where_destinations_took_different_forms_each_is_named(database: sa.Engine, tmp_path: Path) -> None:
    assert [FIRST, OTHER] == read_twice(database, tmp_path, Taking(uid=OTHER), Taking("copies", uid=FIRST))


@pytest.mark.parametrize("error", [DestinationUnavailableError("away"), RejectedError("no")])
def test_the_first_form_is_named_where_nobody_took_any(database: sa.Engine, tmp_path: Path, error: Exception) -> None:
    assert [FIRST] == read_twice(database, tmp_path, FakeDestination(errors=[error]))


def test_what_was_taken_before_the_rest_was_refused_is_named(database: sa.Engine, tmp_path: Path) -> None:
    error = RejectedError("the page: no", [Acceptance("report", OTHER, "C-STORE 0x0000", form="comprehensive-3d")])

    assert [OTHER] == read_twice(database, tmp_path, FakeDestination(errors=[error]))


def test_a_document_that_is_lost_on_disk_costs_no_other_its_name(database: sa.Engine, tmp_path: Path) -> None:
    class Forgetful(Taking):
        def deliver(self, results: list[ResultObject]) -> tuple[Acceptance, ...]:
            accepted = super().deliver(results)
            (lost,) = [one for one in (tmp_path / "objects").rglob("*.dcm") if one.read_bytes() == REPORTS[0].content]
            lost.unlink()
            return accepted

    assert [OTHER] == read_twice(database, tmp_path, Taking(uid=OTHER), Forgetful("copies", uid=FIRST))
