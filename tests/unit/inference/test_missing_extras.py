"""A command that needs an extra says which, before it begins."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import sys
for name in sys.argv[1].split(","):
    sys.modules[name] = None  # as where it is not installed
from inference.cli import app
app(sys.argv[2:])
"""


@pytest.mark.parametrize(
    ("command", "absent", "said"),
    [
        ("evaluate", "matplotlib,sklearn", "evaluate needs matplotlib, scikit-learn, not installed here"),
        ("compare", "sklearn", "compare needs scikit-learn, not installed here"),
        ("train", "torch,onnx", "train needs torch, onnx, not installed here"),
    ],
)
def test_a_command_without_its_extra_says_which_to_install(
    tmp_path: Path, command: str, absent: str, said: str
) -> None:
    (tmp_path / "recipe.toml").write_text("seed = 1\n", encoding="utf-8")
    given = {"compare": [str(tmp_path)], "train": [str(tmp_path / "recipe.toml")]}.get(command, [])
    arguments = [command, *given, "--data", str(tmp_path), "--out", str(tmp_path / "out")]

    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, absent, *arguments], capture_output=True, text=True, check=False
    )

    assert (2, "") == (done.returncode, done.stdout)
    assert f"{said}; the extra 'train' of dicom-node brings it\n" == done.stderr


def test_what_serves_is_there_without_the_extra(tmp_path: Path) -> None:
    program = [sys.executable, "-c", PROGRAM, "matplotlib,sklearn,torch,onnx", "predict", "--help"]

    assert 0 == subprocess.run(program, capture_output=True, check=False).returncode
