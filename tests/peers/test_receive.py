"""The Storage SCP against DCMTK, and against what should not be sent."""

from __future__ import annotations

import contextlib
import hashlib
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pydicom
import pytest
import sqlalchemy as sa
from pynetdicom import AE, _config
from pynetdicom.dsutils import split_dataset

from dicom_node.ledger.arrivals import Arrivals
from dicom_node.ledger.schema import association, instance
from dicom_node.receive.index import Index
from dicom_node.receive.scp import StorageSCP
from dicom_node.spool.spool import Spool
from structured_reports.provenance import is_own
from tests.conftest import package_file
from tests.peers.peers import HOST, dcmtk
from tests.running import send

pytestmark = pytest.mark.peer

SCP = StorageSCP("AINODE", HOST, 0, maximum_associations=5)


@dataclass(frozen=True)
class Receiver:
    port: int
    spool: Spool
    database: sa.Engine

    def files(self) -> list[Path]:
        return sorted(self.spool.root.glob("studies/*/*/*.dcm"))

    def rows(self) -> int:
        with self.database.connect() as connection:
            return connection.execute(sa.select(sa.func.count()).select_from(instance)).scalar_one()


@contextlib.contextmanager
def receiver(tmp_path: Path, database: sa.Engine, scp: StorageSCP = SCP, reserve_bytes: int = 0) -> Iterator[Receiver]:
    spool = Spool(tmp_path / "spool", reserve_bytes, is_own)
    index = Index(Arrivals(database, "receiver", lambda _: 0.5))
    with scp.serving(spool, index, spool.incoming("0")) as port:
        yield Receiver(port, spool, database)
    index.close()


def storescu(port: int, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [dcmtk("storescu"), "-v", "-aec", "AINODE", HOST, str(port), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


@pytest.mark.parametrize(
    ("option", "name"),
    [
        ("-xe", "RG1_UNCR.dcm"),
        ("-xv", "RG1_J2KR.dcm"),
        ("-xw", "RG1_J2KI.dcm"),
        ("-xr", "SC_rgb_rle.dcm"),
        ("-xs", "SC_rgb_jpeg_gdcm.dcm"),
        ("-xe", "rtplan.dcm"),
        ("-xe", "test-SR.dcm"),
    ],
)
def test_an_instance_of_dcmtk_is_stored_as_it_arrived(
    tmp_path: Path, database: sa.Engine, option: str, name: str
) -> None:
    source = package_file(name)
    syntax = pydicom.dcmread(source).file_meta.TransferSyntaxUID
    with receiver(tmp_path, database) as node:
        done = storescu(node.port, "-R", option, source)

        assert 0 == done.returncode, done.stderr
        (stored,) = node.files()
        # storescu writes lengths and trailing padding anew, so values and transfer syntax are what can be compared.
        assert values(source) == values(stored)
        assert syntax.is_compressed is pydicom.dcmread(stored).file_meta.TransferSyntaxUID.is_compressed


def values(file: Path) -> pydicom.Dataset:
    dataset = pydicom.dcmread(file)
    if "DataSetTrailingPadding" in dataset:
        del dataset.DataSetTrailingPadding
    return dataset


@pytest.mark.timeout(600)
def test_every_kind_of_instance_is_stored_byte_for_byte(
    tmp_path: Path, database: sa.Engine, test_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A file is then sent as it lies there, undecoded.
    monkeypatch.setattr(_config, "STORE_SEND_CHUNKED_DATASET", True)
    differing, sent = [], 0
    with receiver(tmp_path, database) as node:
        for file in sorted(test_data.glob("dicom/*/*.dcm")):
            if (status := send_as_it_lies(node.port, file)) is None:
                continue
            sent += 1
            kept = [one for one in node.files() if one.name.split(".")[1] == data_set_digest(file)]
            if status == 0x0000 and not kept:
                differing.append(file.name)

    assert [] == differing
    assert sent > 150


def data_set_digest(file: Path) -> str:
    _, offset = split_dataset(file)
    return hashlib.sha256(file.read_bytes()[offset:]).hexdigest()


def send_as_it_lies(port: int, file: Path) -> int | None:
    """Send a file; returns the status, or None where it lacks what a C-STORE request needs."""
    try:
        meta = pydicom.filereader.read_file_meta_info(file)
        sop_class, syntax = meta.MediaStorageSOPClassUID, meta.TransferSyntaxUID
    except (pydicom.errors.InvalidDicomError, AttributeError):
        return None
    ae = AE("MODALITY")
    ae.add_requested_context(sop_class, syntax)
    assoc = ae.associate(HOST, port, ae_title="AINODE")
    if not assoc.is_established:
        return None
    try:
        return assoc.send_c_store(file).get("Status")
    except (ValueError, AttributeError):
        return None
    finally:
        assoc.release()


def test_c_echo_is_answered(tmp_path: Path, database: sa.Engine) -> None:
    with receiver(tmp_path, database) as node:
        command = [dcmtk("echoscu"), "-aec", "AINODE", HOST, str(node.port)]

        assert 0 == subprocess.run(command, check=False, timeout=30).returncode


def test_another_called_ae_title_is_rejected(tmp_path: Path, database: sa.Engine) -> None:
    with receiver(tmp_path, database) as node:
        command = [dcmtk("echoscu"), "-aec", "OTHER", HOST, str(node.port)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)

    assert "Called AE Title Not Recognized" in done.stderr


def test_a_calling_ae_title_that_is_not_listed_is_rejected(tmp_path: Path, database: sa.Engine) -> None:
    with receiver(tmp_path, database, replace(SCP, calling_ae_titles=("CT1",))) as node:
        command = [dcmtk("echoscu"), "-aet", "CT2", "-aec", "AINODE", HOST, str(node.port)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)

    assert "Calling AE Title Not Recognized" in done.stderr


def test_a_full_spool_refuses_the_instance_with_a700(tmp_path: Path, database: sa.Engine, ct_slice: Path) -> None:
    with receiver(tmp_path, database, reserve_bytes=1 << 60) as node:
        assert 0xA700 == send(node.port, ct_slice)
        assert [] == node.files()


def test_an_instance_without_study_uid_is_refused_with_c000(
    tmp_path: Path, database: sa.Engine, ct_slice: Path
) -> None:
    dataset = pydicom.dcmread(ct_slice)
    del dataset.StudyInstanceUID
    dataset.save_as(tmp_path / "incomplete.dcm")
    with receiver(tmp_path, database) as node:
        assert 0xC000 == send(node.port, tmp_path / "incomplete.dcm")
        assert [] == node.files()


def test_a_data_set_of_another_sop_class_is_refused_with_a900(
    tmp_path: Path, database: sa.Engine, ct_slice: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = pydicom.dcmread(ct_slice)
    dataset.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.4"
    pydicom.filewriter.dcmwrite(tmp_path / "mislabelled.dcm", dataset)
    monkeypatch.setattr(_config, "STORE_SEND_CHUNKED_DATASET", True)
    with receiver(tmp_path, database) as node:
        assert 0xA900 == send_as_it_lies(node.port, tmp_path / "mislabelled.dcm")


def test_a_private_sop_class_is_stored(tmp_path: Path, database: sa.Engine, ct_slice: Path) -> None:
    dataset = pydicom.dcmread(ct_slice)
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = "1.3.12.2.1107.5.9.1"
    dataset.save_as(tmp_path / "private.dcm")
    with receiver(tmp_path, database) as node:
        assert 0x0000 == send(node.port, tmp_path / "private.dcm")
        assert 1 == len(node.files())


def test_associations_beyond_the_maximum_are_rejected(tmp_path: Path, database: sa.Engine) -> None:
    with receiver(tmp_path, database, replace(SCP, maximum_associations=2)) as node:
        ae = AE("MODALITY")
        ae.add_requested_context("1.2.840.10008.1.1")
        held = [ae.associate(HOST, node.port, ae_title="AINODE") for _ in range(2)]
        one_more = ae.associate(HOST, node.port, ae_title="AINODE")
        for assoc in held:
            assoc.release()

        assert one_more.is_rejected


def test_a_sender_that_vanishes_leaves_nothing_half_stored(
    tmp_path: Path, database: sa.Engine, chest_film: Path
) -> None:
    with receiver(tmp_path, database) as node:
        command = [dcmtk("storescu"), "--abort", "-aec", "AINODE", HOST, str(node.port), str(chest_film)]
        process = subprocess.Popen(command)
        process.kill()
        process.wait()

        assert all(pydicom.dcmread(file).pixel_array.any() for file in node.files())


def test_what_was_acknowledged_is_in_the_index_with_its_association_released(
    tmp_path: Path, database: sa.Engine, ct_slice: Path
) -> None:
    with receiver(tmp_path, database) as node:
        assert 0x0000 == send(node.port, ct_slice)
    with database.connect() as connection:
        released = connection.execute(sa.select(association.c.released_at)).scalar_one()

    assert 1 == node.rows()
    assert released is not None


def test_the_same_instance_twice_is_acknowledged_twice_and_kept_once(
    tmp_path: Path, database: sa.Engine, ct_slice: Path
) -> None:
    with receiver(tmp_path, database) as node:
        assert [0x0000, 0x0000] == [send(node.port, ct_slice) for _ in range(2)]
        assert 1 == len(node.files())
    assert 1 == node.rows()


def test_no_log_line_names_the_patient(
    tmp_path: Path, database: sa.Engine, ct_slice: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    header = pydicom.dcmread(ct_slice)
    with receiver(tmp_path, database) as node:
        send(node.port, ct_slice)
    printed = "".join(capfd.readouterr())

    told = (str(header.PatientName), header.PatientID, header.StudyInstanceUID, header.SOPInstanceUID)
    assert not any(value in printed for value in told)
