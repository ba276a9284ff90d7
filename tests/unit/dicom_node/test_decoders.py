from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from dicom_node.preprocess.decoders import DecoderDiedError, Decoders


@pytest.fixture(scope="module")
def decoders() -> Iterator[Decoders]:
    pool = Decoders(2)
    yield pool
    pool.close()


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def die_once(marker: Path) -> str:
    if not marker.exists():
        marker.touch()
        die()
    return "survived"


def slow() -> str:
    time.sleep(0.3)
    return "done"


def test_work_is_done_in_another_process(decoders: Decoders) -> None:
    assert os.getpid() != decoders.run(os.getpid)


def test_work_that_kills_its_process_is_named(decoders: Decoders) -> None:
    with pytest.raises(DecoderDiedError):
        decoders.run(die)


def test_the_pool_goes_on_after_a_death(decoders: Decoders) -> None:
    with pytest.raises(DecoderDiedError):
        decoders.run(die)

    assert "done" == decoders.run(slow)


def test_a_neighbour_of_a_death_is_done_all_the_same(decoders: Decoders) -> None:
    with ThreadPoolExecutor(2) as threads:
        neighbour = threads.submit(decoders.run, slow)
        death = threads.submit(decoders.run, die)

        assert "done" == neighbour.result()
        assert isinstance(death.exception(), DecoderDiedError)


def test_work_that_died_by_chance_is_done_again(decoders: Decoders, tmp_path: Path) -> None:
    assert "survived" == decoders.run(die_once, tmp_path / "marker")


def hang() -> None:
    time.sleep(60)


def test_work_that_does_not_end_is_ended() -> None:
    pool = Decoders(1, limit_s=3.0)
    try:
        with pytest.raises(DecoderDiedError):
            pool.run(hang)
        assert "done" == pool.run(slow)
    finally:
        pool.close()


def test_neighbours_of_what_does_not_end_are_done_all_the_same() -> None:
    pool = Decoders(2, limit_s=4.0)
    pool.warm()
    try:
        with ThreadPoolExecutor(8) as threads:
            hung = [threads.submit(pool.run, hang) for _ in range(2)]
            neighbours = [threads.submit(pool.run, slow) for _ in range(6)]

            assert ["done"] * 6 == [one.result() for one in neighbours]
            assert all(isinstance(one.exception(), DecoderDiedError) for one in hung)
    finally:
        pool.close()


def time_out() -> None:
    raise OSError(errno.ETIMEDOUT, os.strerror(errno.ETIMEDOUT))  # as a network disk does


def test_a_disk_that_does_not_answer_is_no_fault_of_the_file(decoders: Decoders) -> None:
    with pytest.raises(OSError, match="timed out"):
        decoders.run(time_out)


def test_decoders_do_not_outlive_a_killed_worker() -> None:
    code = (
        "import os, signal, time\n"
        "from dicom_node.preprocess.decoders import Decoders\n"
        "if __name__ == '__main__':\n"
        "    pool = Decoders(2)\n"
        "    pool.warm()\n"
        "    print(pool.run(os.getpid), pool.run(os.getppid), flush=True)\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    children = [int(pid) for pid in done.stdout.split()]
    until = time.monotonic() + 10.0
    while any(map(is_alive, children)) and time.monotonic() < until:
        time.sleep(0.01)

    assert len(children) == 2
    assert not [pid for pid in children if is_alive(pid)]


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"
    except FileNotFoundError:
        return False
