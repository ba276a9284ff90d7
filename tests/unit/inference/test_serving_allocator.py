"""A process that decodes keeps the pages that its arrays leave behind."""

from __future__ import annotations

import subprocess
import sys

import pytest

from inference.allocator import keep_freed_memory

FAULTS = """
import resource, sys
import numpy as np
from inference.allocator import keep_freed_memory
if sys.argv[1] == "kept":
    assert keep_freed_memory()

def films():
    for _ in range(10):
        (np.zeros(5_000_000, np.uint16) + 1).astype(np.float32)

films()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
films()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(way: str) -> int:
    done = subprocess.run([sys.executable, "-c", FAULTS, way], capture_output=True, text=True, check=True, timeout=120)
    return int(done.stdout)


@pytest.mark.skipif(sys.platform != "linux", reason="a setting of glibc")
def test_arrays_of_the_next_film_need_no_new_pages() -> None:
    given_back, kept = faults("given back"), faults("kept")

    assert kept < given_back / 5


def test_another_c_library_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ctypes.CDLL", lambda _: object())

    assert not keep_freed_memory()
