"""SIGKILL inside the commands of an operator: all or nothing was done, and doing it again finishes it."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from dicom_node.checkpoint import COMMAND_CHECKPOINTS
from tests.conftest import as_study
from tests.running import PROGRAM, NodeProcess, pacs, send_until_acknowledged

STUDY_UID = "2.25.4711.1"
REJECTION_NOTE = "1.2.840.10008.5.1.4.1.1.88.59"

COMMANDS = {"rerun": ("rerun", STUDY_UID), "withdrawal": ("withdraw", STUDY_UID, "--reason", "quality")}


def run(node: NodeProcess, checkpoint: str, marker: Path) -> int:
    environment = {**os.environ, "DICOM_NODE_CRASH_AT": f"{checkpoint}:{marker}"}
    command = [PROGRAM, *COMMANDS[checkpoint.partition("-")[0]], "--config", str(node.config)]
    return subprocess.run(command, capture_output=True, env=environment, check=False, timeout=120).returncode


@pytest.mark.parametrize("checkpoint", COMMAND_CHECKPOINTS)
def test_a_command_that_is_killed_and_given_again_is_done_once(
    checkpoint: str, tmp_path: Path, chest_film: Path
) -> None:
    marker = tmp_path / "crash"
    with pacs() as peer:
        node = NodeProcess(tmp_path / "node", peer.destination())
        node.start()
        try:
            send_until_acknowledged(node.port, as_study(chest_film, tmp_path / "film.dcm", 1))
            node.delivered(STUDY_UID)
            marker.write_text("role")

            assert -9 == run(node, checkpoint, marker)
            if checkpoint == "rerun-recorded":
                node.delivered(STUDY_UID, generation=2)
            else:
                assert 0 == run(node, checkpoint, marker)
            told = node.delivered(STUDY_UID, generation=2)
        finally:
            node.stop()

    _, second = told["generations"]
    recorded = {one["uid"] for g in told["generations"] for one in g["results"]}
    assert ("withdrawn" if checkpoint.startswith("withdrawal") else "reported") == second["state"]
    assert set(peer.received) <= recorded
    notes = [one for one in peer.datasets() if one.SOPClassUID == REJECTION_NOTE]
    assert int(checkpoint.startswith("withdrawal")) == len(notes)


def test_a_withdrawal_of_a_node_that_was_killed_is_sent_though_the_study_is_read_again_before_it(
    tmp_path: Path, chest_film: Path
) -> None:
    with pacs() as peer:
        node = NodeProcess(tmp_path / "node", peer.destination())
        node.start()
        try:
            send_until_acknowledged(node.port, as_study(chest_film, tmp_path / "film.dcm", 1))
            node.delivered(STUDY_UID)
            sent = set(peer.received)
            node.kill()
            assert 0 == node.command("withdraw", STUDY_UID, "--reason", "quality").returncode
            assert 0 == node.command("rerun", STUDY_UID).returncode
            node.start()
            node.delivered(STUDY_UID, generation=2)
            node.delivered(STUDY_UID, generation=3)
        finally:
            node.stop()

    (note,) = [one for one in peer.datasets() if one.SOPClassUID == REJECTION_NOTE]
    (study,) = note.CurrentRequestedProcedureEvidenceSequence
    series = list(study.ReferencedSeriesSequence)
    named = {one.ReferencedSOPInstanceUID for each in series for one in each.ReferencedSOPSequence}
    assert sent == named, "what was sent before, and nothing of the new result"
    assert len(set(peer.received) - sent - {note.SOPInstanceUID}) == len(sent)
