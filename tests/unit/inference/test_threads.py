"""Importing either package leaves numpy one thread, unless the operator said otherwise."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

QUESTION = "import {package}, numpy, threadpoolctl as t; print(*(i['num_threads'] for i in t.threadpool_info()))"


@pytest.mark.parametrize("package", ["inference", "dicom_node"])
@pytest.mark.parametrize(
    ("said", "threads"), [({}, "1"), ({"OPENBLAS_NUM_THREADS": "2"}, str(min(2, os.cpu_count() or 1)))]
)
def test_numpy_has_the_threads_that_were_asked_for(package: str, said: dict[str, str], threads: str) -> None:
    environment = {key: value for key, value in os.environ.items() if not key.endswith("_NUM_THREADS")} | said

    answer = subprocess.run(
        [sys.executable, "-c", QUESTION.format(package=package)],
        env=environment, capture_output=True, text=True, check=True,
    )  # fmt: skip

    assert answer.stdout.split() == [threads]
