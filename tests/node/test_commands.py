"""The commands as an administrator meets them, with everything wrong that is usually wrong."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
from pathlib import Path

import pytest

from inference.models import DEFAULT_MODEL
from tests.conftest import as_study, cut_in_sequence, damaged_database, package_file
from tests.peers.peers import free_port
from tests.running import PROGRAM, running_node
from tests.unit.dicom_node.test_roster import copied, table


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([PROGRAM, *map(str, arguments)], capture_output=True, text=True, check=False, timeout=120)


def config(folder: Path, text: str) -> Path:
    file = folder / "node.toml"
    file.write_text(f'[node]\ndata_dir = "{folder / "data"}"\n{text}')
    return file


def copied_model(folder: Path) -> Path:
    return Path(shutil.copytree(DEFAULT_MODEL, folder / "model"))


def test_help_names_every_command() -> None:
    shown = run("--help").stdout

    assert all(
        name in shown
        for name in (
            "serve",
            "receive",
            "work",
            "check",
            "probe",
            "status",
            "explain",
            "retry",
            "rerun",
            "withdraw",
            "rebuild",
            "process",
            "conformance",
        )
    )


def test_a_wrong_configuration_is_one_message_without_traceback(tmp_path: Path) -> None:
    done = run("serve", "--config", config(tmp_path, "colour = 1\n[receive]\nport = 0"))

    assert done.returncode == 1
    assert "node.colour: unknown key" in done.stderr
    assert "receive.port: 0" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_port_in_use_is_named(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = run("serve", "--config", config(tmp_path, f'[receive]\nhost = "127.0.0.1"\nport = {port}'))

    assert done.returncode == 1
    assert f"receive.port: 127.0.0.1:{port}: Address already in use; choose a free port" in " ".join(
        done.stderr.split()
    )


def test_a_missing_weight_file_stops_the_node_and_is_named(tmp_path: Path) -> None:
    model = copied_model(tmp_path)
    (model / "model.onnx").unlink()

    done = run("serve", "--config", config(tmp_path, f'[receive]\nport = 1\n[[models]]\nfolder = "{model}"'))

    assert done.returncode == 1
    assert "model.onnx" in done.stderr
    assert "Traceback" not in done.stderr


def test_weights_of_another_digest_stop_the_node_and_both_digests_are_named(tmp_path: Path) -> None:
    model = copied_model(tmp_path)
    with (model / "model.onnx").open("ab") as file:
        file.write(b"\0")

    done = run("check", "--config", config(tmp_path, f'[[models]]\nfolder = "{model}"'))

    assert done.returncode == 1
    assert done.stdout.count("sha256") >= 1
    assert "fault" in done.stdout


def test_a_destination_that_does_not_exist_is_a_fault_of_the_check(tmp_path: Path) -> None:
    table = (
        '[[destination]]\nkind = "c-store"\nname = "pacs"\nhost = "127.0.0.1"\nport = 1\n'
        'called_ae = "PACS"\ncalling_ae = "AINODE"'
    )

    done = run("check", "--config", config(tmp_path, table))

    assert done.returncode == 1
    assert "destination pacs" in done.stdout
    assert "no connection" in " ".join(done.stdout.split())


def test_a_check_of_the_defaults_passes(tmp_path: Path) -> None:
    done = run("check", "--config", config(tmp_path, "[receive]\nport = 11999"))

    assert done.returncode == 0, done.stdout


def test_status_of_a_folder_where_no_node_ran_says_so(tmp_path: Path) -> None:
    done = run("status", "--data-dir", tmp_path / "nowhere")

    assert done.returncode == 1
    assert "no node has run here yet" in " ".join(done.stderr.split())


@pytest.mark.parametrize("command", [["status"], ["explain", "1.2.3"], ["retry"], ["serve"]])
def test_a_damaged_database_is_one_message_without_traceback(tmp_path: Path, command: list[str]) -> None:
    damaged_database(tmp_path / "node.db")
    (tmp_path / "node-id").write_text("0" * 32)

    done = run(*command, "--data-dir", tmp_path)

    (said,) = done.stderr.splitlines()
    assert 1 == done.returncode
    assert said.startswith("dicom-node: node.database: ")
    assert said.endswith("file is not a database")


def test_process_writes_results_and_a_line_for_each_study(tmp_path: Path, chest_film: Path, ct_slice: Path) -> None:
    done = run("process", chest_film, ct_slice, "--out", tmp_path)

    lines = [json.loads(line) for line in (tmp_path / "results.jsonl").read_text().splitlines()]
    assert done.returncode == 0, done.stderr
    assert [None, "modality"] == [line["refused"] for line in lines]
    assert all((tmp_path / one).exists() for line in lines for one in line["objects"])
    read, _ = lines
    assert {"score", "threshold", "above"} == set(read["scores"]["pneumonia"])
    assert {"model", "familiarity", "literature"} <= set(read)


def test_process_has_a_line_and_a_folder_for_each_model(tmp_path: Path, chest_film: Path) -> None:
    tables = table(copied(tmp_path, "careful")) + table(copied(tmp_path, "bold", threshold="0.01"))
    done = run("process", chest_film, "--out", tmp_path / "out", "--config", config(tmp_path, tables))

    lines = [json.loads(line) for line in (tmp_path / "out" / "results.jsonl").read_text().splitlines()]
    assert done.returncode == 0, done.stderr
    assert ["careful 1.0.0", "bold 1.0.0"] == [line["model"] for line in lines]
    files = [one for line in lines for one in line["objects"]]
    assert len(files) == len(set(files)) >= 6


def test_a_model_makes_the_objects_that_its_settings_list(tmp_path: Path, chest_film: Path) -> None:
    tables = table(copied(tmp_path, "one")) + 'objects = ["summary", "pdf"]\n'

    run("process", chest_film, "--out", tmp_path / "out", "--config", config(tmp_path, tables))

    assert {"summary.dcm", "pdf.dcm"} == {file.name for file in (tmp_path / "out").rglob("*.dcm")}


def test_process_says_which_model_was_missing_and_exits_with_1(tmp_path: Path, chest_film: Path) -> None:
    broken = copied(tmp_path, "broken")
    (broken / "model.onnx").unlink()
    tables = table(copied(tmp_path, "sound")) + table(broken)
    done = run("process", chest_film, "--out", tmp_path / "out", "--config", config(tmp_path, tables))

    assert done.returncode == 1
    assert "the model broken cannot be used" in done.stderr


def test_process_without_any_instance_says_so(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("nothing")

    done = run("process", tmp_path / "notes.txt", "--out", tmp_path / "out")

    assert done.returncode == 1
    assert "no DICOM instance" in done.stderr


def test_a_file_that_process_cannot_read_costs_only_itself_and_the_status_says_so(
    tmp_path: Path, chest_film: Path, ct_slice: Path
) -> None:
    folder = tmp_path / "films"
    folder.mkdir()
    cut_in_sequence(ct_slice, folder / "0.dcm")
    shutil.copy(chest_film, folder / "1.dcm")
    done = run("process", folder, "--out", tmp_path / "out")

    (line,) = [json.loads(line) for line in (tmp_path / "out" / "results.jsonl").read_text().splitlines()]
    assert ([str(folder / "1.dcm")], None) == (line["files"], line["refused"])
    assert f"not read {folder / '0.dcm'}: not a readable data set (OSError)" in done.stderr
    assert "1 file not read" in done.stderr
    assert 1 == done.returncode


def test_process_neither_waits_for_a_pipe_nor_passes_it_over(tmp_path: Path, chest_film: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    done = run("process", tmp_path / "pipe", chest_film, "--out", tmp_path / "out")

    assert f"not read {tmp_path / 'pipe'}: is neither a file nor a folder" in done.stderr
    assert 1 == done.returncode


def test_the_same_file_twice_and_a_dicomdir_are_no_fault_of_a_batch(tmp_path: Path, chest_film: Path) -> None:
    folder = tmp_path / "films"
    folder.mkdir()
    for name in ("1.dcm", "2.dcm"):
        shutil.copy(chest_film, folder / name)
    shutil.copy(package_file("DICOMDIR"), folder / "DICOMDIR")
    done = run("process", folder, "--out", tmp_path / "out")

    assert 0 == done.returncode, done.stderr
    assert 1 == len((tmp_path / "out" / "results.jsonl").read_text().splitlines())


def test_another_file_of_one_sop_instance_uid_is_not_read(tmp_path: Path, chest_film: Path) -> None:
    for number, name in enumerate(("1.dcm", "2.dcm")):
        as_study(chest_film, tmp_path / name, 1, InstanceNumber=number)
    done = run("process", tmp_path / "1.dcm", tmp_path / "2.dcm", "--out", tmp_path / "out")

    assert f"not read {tmp_path / '2.dcm'}: another file has its SOP Instance UID and other bytes" in done.stderr
    assert 1 == done.returncode


def test_the_results_of_a_second_run_take_the_place_of_the_first_whole(
    tmp_path: Path, chest_film: Path, ct_slice: Path
) -> None:
    first = run("process", chest_film, "--out", tmp_path / "out")
    second = run("process", ct_slice, "--out", tmp_path / "out")

    (line,) = [json.loads(line) for line in (tmp_path / "out" / "results.jsonl").read_text().splitlines()]
    assert (0, 0) == (first.returncode, second.returncode)
    assert [str(ct_slice)] == line["files"]
    assert [] == list((tmp_path / "out").glob("*.part"))
    assert "replaces it once it has ended" in " ".join(run("process", "--help").stdout.replace("│", " ").split())


def test_the_conformance_statement_in_the_repository_is_the_one_that_is_printed() -> None:
    committed = (Path(__file__).parents[2] / "CONFORMANCE.md").read_text(encoding="utf-8")

    assert committed == run("conformance").stdout


@pytest.mark.parametrize(
    "command",
    ["serve", "receive", "work", "check", "status", "explain", "retry", "rerun", "withdraw", "rebuild", "process"],
)
def test_every_command_explains_itself(command: str) -> None:
    done = run(command, "--help")

    assert done.returncode == 0
    assert len(done.stdout.splitlines()) > 5


def test_a_second_node_with_the_same_data_is_refused(tmp_path: Path) -> None:
    with running_node(tmp_path) as node:
        other = tmp_path / "other.toml"
        other.write_text(node.config.read_text().replace(str(node.port), str(free_port())))
        done = run("serve", "--config", other)

    assert done.returncode == 1
    assert "a node is already running with it" in " ".join(done.stderr.split())


def test_a_node_runs_in_a_folder_with_spaces(tmp_path: Path) -> None:
    with running_node(tmp_path / "data of the node") as node:
        assert node.command("check").returncode == 0
        assert node.command("explain", "[/x]").stderr.startswith("dicom-node: no study '[/x]' has arrived")
        assert (node.data / "node.db").stat().st_mode & 0o077 == 0


def test_a_device_that_is_not_there_stops_the_node(tmp_path: Path) -> None:
    done = run("serve", "--config", config(tmp_path, '[receive]\nport = 11998\n[work]\ndevices = ["cuda:7"]'))

    assert done.returncode == 1
    assert "cuda" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_percent_sign_in_a_path_is_named(tmp_path: Path) -> None:
    done = run("serve", "--data-dir", tmp_path / "100 %", "--config", config(tmp_path, "[receive]\nport = 11997"))

    assert done.returncode == 1
    assert "a path of a supervised node has no percent sign" in done.stderr
