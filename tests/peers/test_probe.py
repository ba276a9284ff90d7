"""`dicom-node probe` and what `status` and `explain` tell of forms, against a real storescp."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from peers import HOST, free_port
from pydicom import dcmread
from pydicom.uid import BasicTextSRStorage, JPEGLSLossless, SecondaryCaptureImageStorage
from restricted import BOTH, storescp_taking

TAKES = {SecondaryCaptureImageStorage: (*BOTH, JPEGLSLossless), BasicTextSRStorage: BOTH}


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "dicom_node", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={**os.environ, "COLUMNS": "200", "NO_COLOR": "1"},
    )


def config(folder: Path, port: int) -> Path:
    file = folder / "node.toml"
    file.write_text(
        f'[node]\ndata_dir = "{folder / "data"}"\n[[destination]]\nkind = "c-store"\nname = "pacs"\nhost = "{HOST}"\n'
        f'port = {port}\ncalled_ae = "STORESCP"\ncalling_ae = "AI"\ntimeout_s = 5\n'
        f'[[destination]]\nkind = "folder"\nname = "copies"\ndirectory = "{folder / "copies"}"\n'
    )
    return file


@pytest.mark.peer
def test_a_probe_is_shown_kept_and_told_by_status(tmp_path: Path) -> None:
    with storescp_taking(tmp_path / "peer", TAKES) as peer:
        settings = config(tmp_path, peer.port)
        probed = run("probe", "--config", settings)

        assert (0, []) == (probed.returncode, peer.files())
    assert "report is sent as Basic Text SR Storage" in probed.stdout
    assert "summary is sent as Secondary Capture Image Storage, JPEG-LS Lossless Image Compression" in probed.stdout
    assert "report as Basic Text SR Storage" in run("status", "--config", settings).stdout


@pytest.mark.peer
def test_test_objects_name_a_test_patient_and_no_finding(tmp_path: Path) -> None:
    with storescp_taking(tmp_path / "peer", TAKES) as peer:
        probed = run("probe", "pacs", "--send-test", "--config", config(tmp_path, peer.port))
        stored = [dcmread(path) for path in peer.files()]

    assert {("TEST^DICOM-NODE", "DICOM-NODE-TEST")} == {(str(ds.PatientName), ds.PatientID) for ds in stored}
    descriptions = {ds.SeriesDescription for ds in stored}
    assert {"AI summary not performed", "AI report not performed", "AI heatmap phantom"} == descriptions
    assert "test patient TEST^DICOM-NODE: report (basic-text): C-STORE 0x0000" in probed.stdout
    assert "delete the test patient" in probed.stdout


def test_a_pacs_that_does_not_answer_is_one_message(tmp_path: Path) -> None:
    probed = run("probe", "--config", config(tmp_path, free_port()))

    assert (1, True) == (probed.returncode, "pacs: STORESCP at" in probed.stdout)
    assert "Traceback" not in probed.stdout + probed.stderr


@pytest.mark.parametrize("name", ["copies", "nowhere"])
def test_only_a_pacs_is_probed(tmp_path: Path, name: str) -> None:
    probed = run("probe", name, "--config", config(tmp_path, free_port()))

    assert (1, True) == (
        probed.returncode,
        f"destination '{name}': none of that name is of kind c-store" in probed.stderr,
    )
