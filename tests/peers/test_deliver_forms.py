"""Which form of a result each kind of PACS is sent: real DCMTK and Orthanc that take more or less of them."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

import pytest
from peers import HOST, free_port, orthanc
from pydicom import dcmread
from pydicom.uid import (
    BasicTextSRStorage,
    Comprehensive3DSRStorage,
    ComprehensiveSRStorage,
    EncapsulatedPDFStorage,
    EnhancedSRStorage,
    JPEG2000Lossless,
    JPEGLSLossless,
    SecondaryCaptureImageStorage,
)
from pynetdicom import AE, evt
from pynetdicom.presentation import StoragePresentationContexts
from restricted import BOTH, storescp_taking

from dicom_node.deliver import DestinationUnavailableError, RejectedError
from dicom_node.deliver.c_store import StorageSCU
from structured_reports.build import build_results
from structured_reports.port import DEFAULT_KINDS, DICOM, ResultObject

sys.path.append(str(Path(__file__).parents[1] / "conformance"))
from films import request_for

PICTURES = {SecondaryCaptureImageStorage: BOTH}
SR_CLASSES = (ComprehensiveSRStorage, EnhancedSRStorage, Comprehensive3DSRStorage, BasicTextSRStorage)


def pacs(port: int, called_ae: str = "STORESCP", **options: object) -> StorageSCU:
    return StorageSCU(
        name="pacs", host=HOST, port=port, called_ae=called_ae, calling_ae="AI", timeout_s=10.0, **options
    )  # type: ignore[arg-type]


def objects(scu: StorageSCU, outcome: str = "positive") -> tuple[ResultObject, ...]:
    return tuple(one for one in build_results(request_for("dx", outcome), forms=scu.forms) if scu.takes(one))


def received(files: Sequence[Path], modality: str) -> list[str]:
    found = [dcmread(path, stop_before_pixels=True) for path in files]
    return [str(ds.SOPClassUID) for ds in found if ds.Modality == modality]


@contextmanager
def scp_answering(answer: Callable[[evt.Event], int]) -> Iterator[int]:
    """Serve C-STORE of every SOP class with what a function answers; yield the port."""
    ae = AE("STORESCP")
    ae.supported_contexts = StoragePresentationContexts
    port = free_port()
    server = ae.start_server((HOST, port), block=False, evt_handlers=[(evt.EVT_C_STORE, answer)])
    try:
        yield port
    finally:
        server.shutdown()


@contextmanager
def scp_refusing(status: int, sop_classes: Sequence[str]) -> Iterator[tuple[int, list[str]]]:
    """Serve C-STORE, with a status of failure for some SOP classes; yield the port and what was taken."""
    taken: list[str] = []

    def answer(event: evt.Event) -> int:
        if event.request.AffectedSOPClassUID in sop_classes:
            return status
        taken.append(str(event.request.AffectedSOPClassUID))
        return 0x0000

    with scp_answering(answer) as port:
        yield port, taken


@pytest.mark.peer
@pytest.mark.parametrize(
    ("profile", "taken", "sent"),
    [
        ("viewer", SR_CLASSES, ComprehensiveSRStorage),
        ("viewer", SR_CLASSES[1:], EnhancedSRStorage),
        ("viewer", SR_CLASSES[2:], Comprehensive3DSRStorage),
        ("viewer", SR_CLASSES[3:], BasicTextSRStorage),
        ("air", SR_CLASSES, Comprehensive3DSRStorage),
        ("air", (ComprehensiveSRStorage, EnhancedSRStorage, BasicTextSRStorage), ComprehensiveSRStorage),
        ("air", (EnhancedSRStorage, BasicTextSRStorage), EnhancedSRStorage),
        ("air", (BasicTextSRStorage,), BasicTextSRStorage),
    ],
)
def test_a_pacs_is_sent_the_first_form_of_its_profile_that_it_accepts(
    tmp_path: Path, profile: str, taken: Sequence[str], sent: str
) -> None:
    with storescp_taking(tmp_path, PICTURES | dict.fromkeys(taken, BOTH)) as peer:
        scu = pacs(peer.port, profile=profile)
        scu.deliver(objects(scu))

        assert [sent] == received(peer.files(), "SR")


@pytest.mark.peer
def test_the_proof_tells_the_form_and_why_none_before_it_was_sent(tmp_path: Path) -> None:
    with storescp_taking(tmp_path, PICTURES | {BasicTextSRStorage: BOTH}) as peer:
        scu = pacs(peer.port)
        report = scu.deliver(objects(scu))[-1]

    assert ("report", "basic-text", "C-STORE 0x0000") == (report.kind, report.form, report.proof)
    refused = zip(("Comprehensive SR", "Enhanced SR", "Comprehensive 3D SR"), report.refused, strict=True)
    assert all(f"does not accept {name}" in said for name, said in refused)


@pytest.mark.parametrize("status", [0xA900, 0xC000, 0xC123, 0x0122])
def test_a_form_that_is_refused_by_its_status_is_followed_by_the_next(status: int) -> None:
    with scp_refusing(status, [ComprehensiveSRStorage, EnhancedSRStorage]) as (port, taken):
        scu = pacs(port)
        report = scu.deliver(objects(scu))[-1]

    assert taken.count(Comprehensive3DSRStorage) == 1
    assert ["comprehensive-3d", True] == [report.form, all(f"0x{status:04X}" in said for said in report.refused)]


def test_a_status_that_passes_is_not_taken_for_a_refusal_of_the_form() -> None:
    with scp_refusing(0xA700, [ComprehensiveSRStorage]) as (port, taken):
        scu = pacs(port)
        with pytest.raises(DestinationUnavailableError):
            scu.deliver(objects(scu))

    assert {SecondaryCaptureImageStorage} == set(taken)


@pytest.mark.peer
def test_where_no_report_is_accepted_the_page_says_it_and_the_ledger_is_told(tmp_path: Path) -> None:
    with storescp_taking(tmp_path, PICTURES) as peer:
        scu = pacs(peer.port)
        *_, report = scu.deliver(objects(scu))

        assert [] == received(peer.files(), "SR")
    assert ("report", "", "not sent, the summary says the same") == (report.kind, report.uid, report.proof)
    assert "does not accept Basic Text SR" in report.warning


@pytest.mark.peer
def test_where_no_picture_is_accepted_either_the_delivery_needs_a_person(tmp_path: Path) -> None:
    with storescp_taking(tmp_path, {EncapsulatedPDFStorage: BOTH}) as peer, pytest.raises(RejectedError):
        scu = pacs(peer.port)
        scu.deliver(objects(scu))


@pytest.mark.peer
@pytest.mark.parametrize("outcome", ["positive", "negative"])
def test_where_nothing_but_a_page_to_print_is_accepted_it_stands_for_report_and_pictures(
    tmp_path: Path, outcome: str
) -> None:
    made = build_results(request_for("dx", outcome), (*DEFAULT_KINDS, "pdf"), forms=pacs(1).forms)
    with storescp_taking(tmp_path, {EncapsulatedPDFStorage: BOTH}) as peer:
        taken = pacs(peer.port).deliver([one for one in made if one.media_type == DICOM])

        assert [EncapsulatedPDFStorage] == received(peer.files(), "DOC")
    refused = {"report", "summary"} | ({"heatmap"} if outcome == "positive" else set())
    assert ({"pdf"}, refused) == ({one.kind for one in taken if one.uid}, {one.kind for one in taken if not one.uid})
    assert all("does not accept Secondary Capture" in one.warning for one in taken if not one.uid)


@pytest.mark.peer
def test_a_report_that_is_wanted_alone_is_not_dropped_in_silence(tmp_path: Path) -> None:
    with (
        storescp_taking(tmp_path, PICTURES) as peer,
        pytest.raises(RejectedError, match=r"accepts none of: .*Basic Text"),
    ):
        scu = pacs(peer.port, kinds=frozenset({"report"}))
        scu.deliver(objects(scu))


@pytest.mark.peer
@pytest.mark.parametrize(
    ("compression", "taken", "syntax"),
    [
        (("jpeg-ls",), (*BOTH, JPEGLSLossless), JPEGLSLossless),
        (("jpeg-ls",), BOTH, BOTH[0]),
        (("jpeg-ls",), BOTH[1:], BOTH[1]),
        (("jpeg-ls",), (JPEG2000Lossless, *BOTH), BOTH[0]),
        (("jpeg-ls", "jpeg-2000"), (JPEG2000Lossless, *BOTH), JPEG2000Lossless),
        (("jpeg-2000", "jpeg-ls"), (JPEGLSLossless, JPEG2000Lossless, *BOTH), JPEG2000Lossless),
        ((), (JPEGLSLossless, *BOTH), BOTH[0]),
    ],
)
def test_a_picture_is_sent_in_the_first_encoding_that_is_accepted(
    tmp_path: Path, compression: tuple[str, ...], taken: Sequence[str], syntax: str
) -> None:
    with storescp_taking(tmp_path, {SecondaryCaptureImageStorage: taken, ComprehensiveSRStorage: BOTH}) as peer:
        scu = pacs(peer.port, compression=compression)
        scu.deliver(objects(scu))
        pictures = [dcmread(path) for path in peer.files()]

    syntaxes = {str(ds.file_meta.TransferSyntaxUID) for ds in pictures if ds.Modality == "OT"}
    assert {syntax} == syntaxes


@pytest.mark.peer
def test_a_picture_arrives_with_the_pixels_of_the_recorded_one_in_every_encoding(tmp_path: Path) -> None:
    arrived = []
    for number, syntax in enumerate((JPEGLSLossless, JPEG2000Lossless, *BOTH)):
        takes = {SecondaryCaptureImageStorage: (syntax,)}
        with storescp_taking(tmp_path / str(number), takes) as peer:
            scu = pacs(peer.port, compression=("jpeg-ls", "jpeg-2000"), kinds=frozenset({"heatmap"}))
            scu.deliver(objects(scu))
            (file,) = peer.files()
            picture = dcmread(file)
            arrived.append((str(picture.SOPInstanceUID), picture.pixel_array.tobytes()))

    assert 1 == len(set(arrived))


@pytest.mark.peer
def test_orthanc_holds_one_report_and_gives_the_compressed_pixels_back(tmp_path: Path) -> None:
    with orthanc(tmp_path) as peer:
        scu = pacs(peer.dicom_port, "ORTHANC")
        sent = objects(scu)
        for _ in range(2):
            scu.deliver(sent)
        uids = {one.kind: one.uid for one in sent if not one.alternative_to}
        heatmap = dcmread(BytesIO(peer.stored(uids["heatmap"]) or b""))
        count = peer.count()

    recorded = next(dcmread(BytesIO(one.content)) for one in sent if (one.kind, one.form) == ("heatmap", ""))
    assert (3, JPEGLSLossless) == (count, heatmap.file_meta.TransferSyntaxUID)
    assert (recorded.pixel_array == heatmap.pixel_array).all()


@pytest.mark.peer
def test_a_result_that_was_recorded_under_another_profile_is_sent_all_the_same(tmp_path: Path) -> None:
    recorded = [one for one in objects(pacs(1), "negative") if one.form in ("", "comprehensive")]
    with storescp_taking(tmp_path, PICTURES | {ComprehensiveSRStorage: BOTH}) as peer:
        pacs(peer.port, profile="air").deliver(recorded)

        assert [ComprehensiveSRStorage] == received(peer.files(), "SR")


@pytest.mark.peer
def test_a_probe_finds_what_the_peer_takes(tmp_path: Path) -> None:
    takes = {SecondaryCaptureImageStorage: (*BOTH, JPEGLSLossless), EnhancedSRStorage: BOTH[1:]}
    with storescp_taking(tmp_path, takes) as peer:
        found = pacs(peer.port).probe()

        assert [] == peer.files()
    assert takes == {uid: syntaxes for uid, syntaxes in found.takes.items() if syntaxes}
    assert {
        "summary": "Secondary Capture Image Storage, JPEG-LS Lossless Image Compression",
        "report": "Enhanced SR Storage",
    } == {kind: found.sends[kind] for kind in ("summary", "report")}


@pytest.mark.peer
def test_a_probe_tells_which_kinds_the_peer_takes_in_no_form(tmp_path: Path) -> None:
    with storescp_taking(tmp_path, PICTURES) as peer:
        assert "" == pacs(peer.port).probe().sends["report"]


def test_a_probe_with_test_objects_tells_what_the_peer_said_of_each() -> None:
    with scp_refusing(0xC000, [EnhancedSRStorage]) as (port, _):
        scu = pacs(port)
        said = {one.form: one.said for one in scu.probe(objects(scu)).tried if one.kind == "report"}

    assert ("C-STORE 0x0000", True) == (said["comprehensive"], "0xC000" in said["enhanced"])
    assert {one.form for one in objects(scu) if one.kind == "report" and one.media_type == DICOM} == set(said)
