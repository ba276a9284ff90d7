"""What a command starts ends with it, however it ends, and prints nothing between its results."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import cv2
import numpy as np
import pytest
from model_folders import FILM, finding, write_card

from inference.isolation import new_pool

torch = pytest.importorskip("torch")

TAKEN = {**FILM, "channels": 1, "mean": 0.0, "deviation": 1.0}
PREDICT = [sys.executable, "-m", "inference", "predict", "--jsonl"]
CHECK = [sys.executable, "-m", "inference", "check"]
# A call that keeps the interpreter lock, as some decoders do: no thread of Python runs beside it.
LOCKED = """
from inference.isolation import new_pool
pool = new_pool()
pool.submit(int).result()
print("started", flush=True)
pool.submit(eval, "__import__('ctypes').PyDLL(None).sleep(600)").result()
"""


class Hangs(torch.nn.Module):
    """Comes to no end on what is bright."""

    def forward(self, films):
        while bool(films.mean() > 0.9):
            films = films + 0.0
        return films.mean((1, 2, 3)).unsqueeze(1)


class Prints(torch.nn.Module):
    def forward(self, films):
        print("a network says", films.size(0))
        return films.mean((1, 2, 3)).unsqueeze(1)


def model_of(network: torch.nn.Module, folder: Path) -> Path:
    folder.mkdir()
    torch.jit.script(network).save(folder / "m.pt")
    return write_card(folder, "m.pt", "torchscript", [finding()], TAKEN)


def gray_film(path: Path, level: int, width: int = 64) -> Path:
    pixels = np.full((64, width), level, np.uint8)
    pixels[:4] = 255 - level
    cv2.imwrite(str(path), pixels)
    return path


def status_of(process: int) -> list[str]:
    """Return the state and the parent of a process, and what follows in proc(5); nothing of one that is gone."""
    with suppress(OSError):
        return Path(f"/proc/{process}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return []


def children_of(parent: int) -> list[int]:
    processes = [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]
    return [each for each in processes if status_of(each)[1:2] == [str(parent)]]


def living(processes: list[int]) -> list[int]:
    return [each for each in processes if status_of(each)[:1] not in ([], ["Z"])]


@contextmanager
def started(command: list[str]) -> Iterator[tuple[subprocess.Popen, list[int]]]:
    """Give a command that has said a line, and its children, which are ended with the block."""
    children: list[int] = []
    # Whoever runs the tests by nohup ignores SIGHUP, and so would what they start.
    heeding = ["env", "--default-signal=HUP", *command]
    with subprocess.Popen(heeding, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline()
            time.sleep(1.0)  # what keeps it for ever begins after the line
            children += children_of(process.pid)
            yield process, children
        finally:
            process.kill()
            for child in living(children):
                os.kill(child, signal.SIGKILL)


def left_behind(command: list[str], by: signal.Signals) -> tuple[bool, list[int]]:
    """Return whether a command had children, and those that live ten seconds after a signal ended it."""
    with started(command) as (process, children):
        process.send_signal(by)
        process.wait(30)
        until = time.monotonic() + 10.0
        while living(children) and time.monotonic() < until:
            time.sleep(0.1)
        return len(children) > 1, living(children)


@pytest.mark.parametrize("by", [signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_a_network_without_end_ends_with_the_command(tmp_path: Path, by: signal.Signals) -> None:
    folder = model_of(Hangs(), tmp_path / "model")
    films = [gray_film(tmp_path / f"{level}.png", level) for level in (90, 255)]

    assert (True, []) == left_behind([*PREDICT, "--model", str(folder), *map(str, films)], by)


def test_a_call_that_keeps_the_interpreter_lock_ends_with_the_command() -> None:
    assert (True, []) == left_behind([sys.executable, "-c", LOCKED], signal.SIGKILL)


def test_a_process_outlives_the_thread_that_started_it() -> None:
    pool = new_pool()
    try:
        starts = threading.Thread(target=lambda: pool.submit(int).result(60))
        starts.start()
        starts.join()
        assert pool.submit(abs, -1).result(60) == 1
    finally:
        pool.shutdown()


@pytest.fixture(scope="module")
def printing(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return model_of(Prints(), tmp_path_factory.mktemp("prints") / "model")


def test_what_a_network_prints_stands_between_no_results(printing: Path, tmp_path: Path) -> None:
    films = [str(gray_film(tmp_path / f"{level}.png", level)) for level in (90, 120)]

    done = subprocess.run([*PREDICT, "--model", printing, *films], capture_output=True, text=True, check=True)

    assert films == [json.loads(line)["file"] for line in done.stdout.splitlines()]
    assert "a network says 1" in done.stderr


def test_what_a_network_prints_is_no_fault_of_its_folder(printing: Path) -> None:
    done = subprocess.run([*CHECK, printing], capture_output=True, text=True, check=True)

    assert f"{printing}: nothing is wrong\n" == done.stdout


@pytest.mark.parametrize("closed", ["<&-", "2>&-", "<&- 2>&-"])
def test_what_a_network_prints_breaks_nothing_where_it_is_not_heard(
    printing: Path, tmp_path: Path, closed: str
) -> None:
    film = str(gray_film(tmp_path / "film.png", 90))
    command = shlex.join([*PREDICT, "--model", str(printing), film])

    done = subprocess.run(
        ["sh", "-c", f"{command} {closed}"], stdout=subprocess.PIPE, text=True, check=True, timeout=60
    )

    assert film == json.loads(done.stdout)["file"]


def test_a_process_without_standard_error_leaves_standard_output_too() -> None:
    program = "import os; from inference.child_process import leave_standard_output as leave; os.close(2); leave(); "

    done = subprocess.run([sys.executable, "-c", program + "print('said')"], stdout=subprocess.PIPE, check=True)

    assert b"" == done.stdout
