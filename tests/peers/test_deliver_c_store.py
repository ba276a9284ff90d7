"""StorageSCU against real DCMTK and Orthanc, and against an SCP that answers with a chosen status."""

from __future__ import annotations

import dataclasses
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

import pytest
from peers import HOST, free_port, orthanc, storescp
from pydicom import Dataset, dcmread
from pydicom.data import get_charset_files, get_testdata_file
from pydicom.datadict import dictionary_VR
from pynetdicom import AE, evt
from pynetdicom.dimse import DIMSEServiceProvider
from pynetdicom.presentation import StoragePresentationContexts
from pynetdicom.sop_class import Verification
from sample_results import FAMILY_NAME, image, instance, of_sop_class

from dicom_node.deliver import DestinationUnavailableError, RejectedError
from dicom_node.deliver.c_store import StorageSCU
from dicom_node.deliver.errors import SLOWLY_S
from dicom_node.deliver.message import encoded_data_set
from structured_reports.port import ResultObject

PRIVATE_SOP_CLASS = "1.2.826.0.1.3680043.8.498.1.1"

OFFERED = r"Explicit VR Little Endian or Implicit VR Little Endian \(PS3.8"


def pacs(port: int, called_ae: str = "STORESCP", timeout_s: float = 10.0, host: str = HOST) -> StorageSCU:
    return StorageSCU(name="pacs", host=host, port=port, called_ae=called_ae, calling_ae="AI", timeout_s=timeout_s)


def with_name_of(charset_file: str, result: ResultObject) -> ResultObject:
    """Return the result with the character sets and the name of another file, byte by byte."""
    donor, content = Path(charset_file).read_bytes(), result.content
    first, name = _element(content, "ImageType"), _element(content, "PatientName")
    parts = [
        content[: first.start],
        donor[_element(donor, "SpecificCharacterSet")],
        content[first.start : name.start],
        donor[_element(donor, "PatientName")],
        content[name.stop :],
    ]
    return dataclasses.replace(result, content=b"".join(parts))


def _element(part10: bytes, keyword: str) -> slice:
    """Return where an element of a short explicit VR lies."""
    value = dcmread(BytesIO(part10))[keyword].file_tell
    return slice(value - 8, value + int.from_bytes(part10[value - 2 : value], "little"))


def values(ds: Dataset) -> dict[int, bytes]:
    """Return the undecoded values; a sequence has none."""
    return {tag: element.value for tag, element in ds.items() if element.value and dictionary_VR(tag) != "SQ"}


def data_set_of(path: Path) -> bytes:
    return path.read_bytes()[144 + int.from_bytes(path.read_bytes()[140:144], "little") :]


@contextmanager
def scp_answering(*statuses: int) -> Iterator[int]:
    """Serve C-STORE with one status after the other; yield the port."""
    remaining = list(statuses)
    ae = AE("STORESCP")
    ae.supported_contexts = StoragePresentationContexts
    ae.add_supported_context(Verification)
    handlers = [(evt.EVT_C_STORE, lambda event: remaining.pop(0))]
    port = free_port()
    server = ae.start_server((HOST, port), block=False, evt_handlers=handlers)
    try:
        yield port
    finally:
        server.shutdown()


@pytest.mark.peer
@pytest.mark.parametrize("name", ["CT_small.dcm", "image_dfl.dcm", "JPEG2000.dcm", "MR_small_implicit.dcm"])
def test_a_data_set_arrives_byte_for_byte(tmp_path: Path, name: str) -> None:
    sent = instance(get_testdata_file(name))
    with storescp(tmp_path, options=["+xa"]) as peer:
        pacs(peer.port).deliver([sent])

        assert encoded_data_set(sent) == data_set_of(peer.files()[0])


@pytest.mark.peer
def test_every_object_of_a_delivery_has_the_status_of_its_store_as_proof(tmp_path: Path) -> None:
    results = [image("summary"), image("heatmap")]
    with storescp(tmp_path) as peer:
        acceptances = pacs(peer.port).deliver(results)

    assert [(result.kind, result.uid, "C-STORE 0x0000") for result in results] == [
        (acceptance.kind, acceptance.uid, acceptance.proof) for acceptance in acceptances
    ]


@pytest.mark.peer
def test_all_objects_of_a_delivery_travel_on_one_association(tmp_path: Path) -> None:
    with storescp(tmp_path) as peer:
        pacs(peer.port).deliver([image("summary"), image("heatmap"), image("summary")])

    assert peer.log.read_text().count("Association Acknowledged") == 1


@pytest.mark.peer
@pytest.mark.parametrize("charset_file", ["chrH31.dcm", "chrKoreanMulti.dcm"])
def test_a_peer_of_the_default_transfer_syntax_gets_the_recorded_values(tmp_path: Path, charset_file: str) -> None:
    sent = with_name_of(get_charset_files(charset_file)[0], image())
    with storescp(tmp_path, options=["+xi"]) as peer:
        pacs(peer.port).deliver([sent])
        received = dcmread(peer.files()[0])

    assert values(dcmread(BytesIO(sent.content))) == values(received)


@pytest.mark.peer
def test_a_peer_of_the_default_transfer_syntax_gets_the_same_bytes_twice(tmp_path: Path) -> None:
    sent, received = with_name_of(get_charset_files("chrH31.dcm")[0], image()), []
    with storescp(tmp_path, options=["+xi"]) as peer:
        for _ in range(2):
            pacs(peer.port).deliver([sent])
            received.append(data_set_of(peer.files()[0]))
            peer.files()[0].unlink()

    assert received[0] == received[1]


@pytest.mark.peer
def test_the_proof_names_the_transfer_syntax_that_was_not_recorded(tmp_path: Path) -> None:
    with storescp(tmp_path, options=["+xi"]) as peer:
        (acceptance,) = pacs(peer.port).deliver([image()])

    assert "C-STORE 0x0000 as Implicit VR Little Endian" == acceptance.proof


@pytest.mark.peer
def test_the_recorded_transfer_syntax_is_preferred(tmp_path: Path) -> None:
    sent = image()
    with storescp(tmp_path) as peer:
        pacs(peer.port).deliver([sent])

        assert encoded_data_set(sent) == data_set_of(peer.files()[0])


@pytest.mark.peer
def test_what_cannot_be_written_in_the_default_transfer_syntax_is_rejected(tmp_path: Path) -> None:
    sent = image()
    torn = dataclasses.replace(sent, content=sent.content[:-2])
    refused = pytest.raises(RejectedError, match="cannot be sent as Implicit VR Little Endian: the data set is cut")
    with storescp(tmp_path, options=["+xi"]) as peer, refused:
        pacs(peer.port).deliver([torn])


@pytest.mark.peer
def test_compressed_data_are_not_offered_in_the_default_transfer_syntax(tmp_path: Path) -> None:
    compressed = instance(get_testdata_file("JPEG2000.dcm"))
    refused = pytest.raises(RejectedError, match=r"accepts none of: .* as JPEG 2000 Image Compression \(PS3.8")
    with storescp(tmp_path, options=["+xi"]) as peer, refused:
        pacs(peer.port).deliver([compressed])


@pytest.mark.peer
def test_orthanc_gives_back_the_instance_that_it_was_sent(tmp_path: Path) -> None:
    sent = image()
    with orthanc(tmp_path) as peer:
        pacs(peer.dicom_port, "ORTHANC").deliver([sent])
        (tmp_path / "back.dcm").write_bytes(peer.stored(sent.uid) or b"")

    assert dcmread(tmp_path / "back.dcm").PatientName.family_name == FAMILY_NAME


@pytest.mark.peer
def test_a_second_delivery_to_orthanc_leaves_one_instance(tmp_path: Path) -> None:
    sent = image()
    with orthanc(tmp_path) as peer:
        pacs(peer.dicom_port, "ORTHANC").deliver([sent])
        pacs(peer.dicom_port, "ORTHANC").deliver([sent])

        assert peer.count() == 1


def test_a_peer_that_is_down_is_unavailable() -> None:
    with pytest.raises(DestinationUnavailableError, match="no connection"):
        pacs(free_port()).deliver([image()])


@pytest.mark.peer
def test_a_peer_that_comes_back_takes_what_it_could_not(tmp_path: Path) -> None:
    port, sent = free_port(), image()
    with pytest.raises(DestinationUnavailableError):
        pacs(port).deliver([sent])
    with storescp(tmp_path, port=port) as peer:
        pacs(peer.port).deliver([sent])

        assert len(peer.files()) == 1


def test_a_host_without_an_address_is_unavailable() -> None:
    with pytest.raises(DestinationUnavailableError, match=r"nowhere\.invalid"):
        pacs(104, host="nowhere.invalid").deliver([image()])


def test_a_check_of_a_host_without_an_address_says_so_in_one_line() -> None:
    with pytest.raises(DestinationUnavailableError) as caught:
        pacs(104, host="nowhere.invalid").check()

    said = "pacs: STORESCP at nowhere.invalid:104: the host name has no address: "
    assert (said, [str(caught.value)]) == (str(caught.value)[: len(said)], str(caught.value).splitlines())


@pytest.mark.peer
def test_an_unknown_called_ae_title_is_tried_again_slowly(tmp_path: Path) -> None:
    refused = pytest.raises(DestinationUnavailableError, match="Called AE title not recognised")
    with orthanc(tmp_path, options={"DicomCheckCalledAet": True}) as peer, refused as caught:
        pacs(peer.dicom_port, "WRONG").deliver([image()])

    assert caught.value.retry_after_s == SLOWLY_S


@pytest.mark.peer
def test_an_unknown_calling_ae_title_is_tried_again_slowly(tmp_path: Path) -> None:
    strict = {"DicomAlwaysAllowStore": False, "DicomAlwaysAllowEcho": False}
    refused = pytest.raises(DestinationUnavailableError, match="Calling AE title not recognised")
    with orthanc(tmp_path, options=strict) as peer, refused as caught:
        pacs(peer.dicom_port, "ORTHANC").deliver([image()])

    assert caught.value.retry_after_s == SLOWLY_S


@pytest.mark.peer
def test_an_orthanc_that_is_full_is_unavailable(tmp_path: Path) -> None:
    full = {"MaximumStorageSize": 1, "MaximumStorageMode": "Reject"}
    refused = pytest.raises(DestinationUnavailableError, match="0xA700, out of resources")
    with orthanc(tmp_path, options=full) as peer, refused:
        pacs(peer.dicom_port, "ORTHANC").deliver([image(rows=10_000)])  # 1.9 MB into 1 MB


@pytest.mark.peer
def test_a_peer_that_refuses_every_association_is_unavailable(tmp_path: Path) -> None:
    with storescp(tmp_path, options=["--refuse"]) as peer, pytest.raises(DestinationUnavailableError):
        pacs(peer.port).deliver([image()])


@pytest.mark.peer
def test_an_sop_class_that_the_peer_does_not_accept_is_rejected(tmp_path: Path) -> None:
    private = of_sop_class(image(), PRIVATE_SOP_CLASS, "report")
    with storescp(tmp_path) as peer, pytest.raises(RejectedError, match=f"accepts none of: .* as {OFFERED}"):
        pacs(peer.port).deliver([private])


@pytest.mark.peer
def test_an_sop_class_that_the_peer_does_not_accept_holds_back_no_other_object(tmp_path: Path) -> None:
    private = of_sop_class(image(), PRIVATE_SOP_CLASS, "heatmap")
    with storescp(tmp_path) as peer, pytest.raises(RejectedError, match=f"heatmap: .* as {OFFERED}") as caught:
        pacs(peer.port).deliver([private, image("summary")])

    assert [acceptance.kind for acceptance in caught.value.accepted] == ["summary"]


@pytest.mark.peer
@pytest.mark.parametrize("moment", ["--abort-after", "--abort-during"])
def test_an_association_that_the_peer_aborts_makes_it_unavailable(tmp_path: Path, moment: str) -> None:
    ended = pytest.raises(DestinationUnavailableError, match="ended the association")
    with storescp(tmp_path, options=[moment]) as peer, ended:
        pacs(peer.port).deliver([image()])


# pynetdicom ends its own thread with an error when it aborts what it has asked to release.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.peer
def test_a_peer_that_does_not_answer_the_release_has_accepted_all_the_same(tmp_path: Path) -> None:
    with storescp(tmp_path, options=["--sleep-after", "30"]) as peer:
        (acceptance,) = pacs(peer.port, timeout_s=1.0).deliver([image()])

    assert acceptance.proof == "C-STORE 0x0000"


@pytest.mark.peer
def test_a_peer_that_falls_silent_is_left_after_the_time_limit(tmp_path: Path) -> None:
    with storescp(tmp_path, options=["--sleep-during", "30"]) as peer:
        started = time.monotonic()
        with pytest.raises(DestinationUnavailableError):
            pacs(peer.port, timeout_s=1.0).deliver([image(rows=4096)])

    assert time.monotonic() - started < 10


def test_a_port_that_accepts_and_says_nothing_is_left_after_the_time_limit() -> None:
    with socket.create_server((HOST, 0)) as silent:
        started = time.monotonic()
        with pytest.raises(DestinationUnavailableError):
            pacs(silent.getsockname()[1], timeout_s=1.0).deliver([image()])

    assert time.monotonic() - started < 10


@pytest.mark.parametrize("status", [0xA700, 0xA7FF, 0x0110])
def test_a_status_of_exhausted_resources_is_tried_later(status: int) -> None:
    with scp_answering(status) as port, pytest.raises(DestinationUnavailableError, match=f"0x{status:04X}"):
        pacs(port).deliver([image()])


@pytest.mark.parametrize("status", [0xA900, 0xC000, 0xC123, 0x0122])
def test_a_status_of_refusal_needs_a_person(status: int) -> None:
    with scp_answering(status) as port, pytest.raises(RejectedError, match=f"0x{status:04X}"):
        pacs(port).deliver([image()])


@pytest.mark.parametrize("status", [0xB000, 0xB006, 0xB007, 0x0111])
def test_a_status_of_warning_is_an_acceptance_with_its_meaning(status: int) -> None:
    with scp_answering(status) as port:
        (acceptance,) = pacs(port).deliver([image()])

    assert (f"C-STORE 0x{status:04X}", True) == (acceptance.proof, bool(acceptance.warning))


def test_what_was_accepted_before_a_failure_goes_with_the_error() -> None:
    first, second = image("summary"), image("heatmap")
    with scp_answering(0x0000, 0xA700) as port, pytest.raises(DestinationUnavailableError) as caught:
        pacs(port).deliver([first, second])

    assert [first.uid] == [acceptance.uid for acceptance in caught.value.accepted]


def test_no_other_thread_looks_for_the_answers_of_a_delivery(monkeypatch: pytest.MonkeyPatch) -> None:
    looks = []
    get_msg = DIMSEServiceProvider.get_msg

    def noting(provider: DIMSEServiceProvider, block: bool = False) -> object:
        if provider.assoc.is_requestor and provider.assoc.is_established and not block:
            looks.append(threading.current_thread().name)
        return get_msg(provider, block)

    monkeypatch.setattr(DIMSEServiceProvider, "get_msg", noting)
    with scp_answering(0x0000, 0x0000, 0x0000) as port:
        pacs(port).deliver([image(), image(), image()])

    assert looks == []


def test_content_that_is_no_part_10_file_is_rejected() -> None:
    whole = image()
    torn = type(whole)(**{**vars(whole), "content": whole.content[132:]})
    with scp_answering() as port, pytest.raises(RejectedError, match="Part 10"):
        pacs(port).deliver([torn])


def test_no_message_holds_patient_data() -> None:
    with scp_answering(0xC000) as port, pytest.raises(RejectedError) as caught:
        pacs(port).deliver([image()])

    assert FAMILY_NAME not in str(caught.value)


@pytest.mark.peer
def test_a_check_tells_the_round_trip_of_c_echo(tmp_path: Path) -> None:
    with orthanc(tmp_path) as peer:
        line = pacs(peer.dicom_port, "ORTHANC").check()

    assert f"pacs: C-ECHO 0x0000 from ORTHANC at {HOST}:{peer.dicom_port}" in line


def test_a_check_of_a_peer_that_is_down_is_unavailable() -> None:
    with pytest.raises(DestinationUnavailableError):
        pacs(free_port()).check()


def test_nothing_to_send_opens_no_association() -> None:
    assert pacs(free_port()).deliver([]) == ()


@pytest.mark.peer
def test_a_stock_peer_costs_no_delayed_acknowledgement(tmp_path: Path) -> None:
    taken_ms = []
    with storescp(tmp_path) as peer:
        for _ in range(3):
            results = [image() for _ in range(10)]
            started = time.monotonic()
            pacs(peer.port).deliver(results)
            taken_ms.append((time.monotonic() - started) * 1000 / len(results))

    # Linux holds a delayed acknowledgement back for 40 ms at least (TCP_DELACK_MIN).
    assert min(taken_ms) < 40
