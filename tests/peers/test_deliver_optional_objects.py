"""The objects that are made on request, in a real Orthanc."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pydicom
import pytest
from peers import HOST, orthanc

from dicom_node.deliver.c_store import StorageSCU
from inference.types import Code, Finding, ModelCard, Prediction, Score
from structured_reports.build import build_results
from structured_reports.port import Equipment, ReportRequest, ResultObject

KINDS = ("summary", "heatmap", "gsps", "seg", "seg-fractional", "report", "pdf", "kos")


def _results(chest_film: Path) -> tuple[ResultObject, ...]:
    header = pydicom.dcmread(chest_film, stop_before_pixels=True)
    shape = (header.Rows, header.Columns)
    finding = Finding("pneumonia", Code("233604007", "SCT", "Pneumonia"), Code("39607008", "SCT", "Lung"), 0.5)
    saliency = np.zeros(shape, np.float32)
    saliency[400:700, 900:1200] = 1.0
    card = ModelCard("test-model", "1.0", "ab" * 32, (finding,), "Chest films only.")
    equipment = Equipment("Maker", "Node", "0.1", "SN", "STATION", "2.25.99")
    prediction = Prediction(card, (Score(finding, 0.9, saliency),))
    made_at = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    return build_results(ReportRequest(header, np.full(shape, 128, np.uint8), prediction, equipment, made_at), KINDS)


@pytest.mark.peer
def test_orthanc_takes_every_object_and_a_second_delivery_leaves_no_second_copy(
    chest_film: Path, tmp_path: Path
) -> None:
    results = _results(chest_film)
    with orthanc(tmp_path) as peer:
        destination = StorageSCU(
            name="pacs", host=HOST, port=peer.dicom_port, called_ae=peer.ae_title, calling_ae="AI", timeout_s=30
        )
        proofs = {one.proof for _ in range(2) for one in destination.deliver(results)}

        assert ({"C-STORE 0x0000"}, len(KINDS), len(KINDS), 1) == (
            proofs,
            peer.count(),
            peer.count("series"),
            peer.count("studies"),
        )
        stored = [pydicom.dcmread(pydicom.filebase.DicomBytesIO(peer.stored(one.uid) or b"")) for one in results]
        assert [one.uid for one in results] == [str(one.SOPInstanceUID) for one in stored]
