"""The runtime of the networks keeps and sends nothing about what it runs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

PREDICTION = """
import time
import numpy as np
from inference.models import DEFAULT_MODEL, load_model
from inference.types import Radiograph

model = load_model(DEFAULT_MODEL)
film = Radiograph(np.linspace(0, 1, 300 * 200, dtype=np.float32).reshape(300, 200))
assert model.predict([model.prepare(film)])
time.sleep(1.0)  # the runtime would write from a thread
"""


@pytest.mark.parametrize("stated", [None, "0"])
def test_a_prediction_leaves_nothing_in_the_home_folder(tmp_path: Path, stated: str | None) -> None:
    # Nothing else of this environment: the runtime is silent by itself where it finds a build server.
    environment = {"HOME": str(tmp_path), "PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1"}
    if stated is not None:
        environment["ORT_DISABLE_TELEMETRY"] = stated

    subprocess.run([sys.executable, "-c", PREDICTION], env=environment, check=True, cwd=Path(__file__).parents[3])

    assert list(tmp_path.rglob("*")) == []
