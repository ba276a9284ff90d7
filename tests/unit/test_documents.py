"""What the documents claim."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from typer.main import get_command

from dicom_node.checkpoint import CHECKPOINTS, COMMAND_CHECKPOINTS
from dicom_node.cli import app
from dicom_node.settings import load_settings
from inference.cli import app as inference_app

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "BENCHMARKS.md", "docs/life-cycle.md", "docs/training.md")
DOCUMENTS = [ROOT / name for name in PAGES]


def test_the_models_and_destinations_in_the_readme_are_valid(tmp_path: Path) -> None:
    file = tmp_path / "node.toml"
    file.write_text("\n".join(re.findall(r"```toml\n(.*?)```", README, re.DOTALL)))
    settings = load_settings(file)

    assert ["pacs", "ehr", "copies"] == [one.name for one in settings.destinations]
    assert ["registry"] == [one.name for one in settings.research]
    assert ["pneumonia", "fracture"] == [one.folder.name for one in settings.models]


def test_the_commands_in_the_readme_exist() -> None:
    named = set(re.findall(r"`dicom-node ([\w-]+)", README))

    assert named == set(get_command(app).commands)  # type: ignore[attr-defined]


def test_the_commands_of_inference_in_the_readme_exist_and_none_is_left_out() -> None:
    named = set(re.findall(r"`python -m inference ([\w-]+)", README))

    assert named == set(get_command(inference_app).commands)  # type: ignore[attr-defined]


def trainings() -> dict[str, list[str]]:
    """Return the recipes that the page trains, in its order, with the teachers that it gives to each."""
    page = (ROOT / "docs" / "training.md").read_text(encoding="utf-8").replace("\\\n", "")
    return {
        recipe: re.findall(r"--teacher \$OUT/(\S+)/checkpoint\.safetensors", rest)
        for recipe, rest in re.findall(r"inference train inference/recipes/(\S+)\.toml (.*)", page)
    }


def teachers_in(recipe: str) -> list[str]:
    """Return the teachers of a recipe, in the order in which `train` wants them."""
    text = (ROOT / "inference" / "recipes" / f"{recipe}.toml").read_text(encoding="utf-8")
    teaching = tomllib.loads(text).get("teaching", {})
    named = [*teaching.get("recipes", ()), *teaching.get("start", ())]
    return [name.removesuffix(".toml") for name in dict.fromkeys(named)]


@pytest.mark.parametrize("recipe", trainings())
def test_a_training_of_the_page_has_the_teachers_of_its_recipe(recipe: str) -> None:
    given = trainings()[recipe]
    absent = [name for name in (recipe, *given) if not (ROOT / "inference" / "recipes" / f"{name}.toml").exists()]
    if absent:
        pytest.skip(f"{', '.join(absent)}: not written yet")

    assert teachers_in(recipe) == given


def test_the_page_trains_every_teacher_before_its_pupil() -> None:
    order = list(trainings())

    assert "pneumonia-lite0" == order[-1]
    for pupil, teachers in trainings().items():
        assert set(teachers) <= set(order[: order.index(pupil)]), pupil


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_the_files_that_a_document_links_to_exist(document: Path) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)\)", document.read_text(encoding="utf-8"))

    assert [] == [link for link in links if not (ROOT / link).exists()]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_the_scripts_and_folders_that_a_document_names_exist(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    named = re.findall(r"`((?:scripts|tests|dicom_node|inference|structured_reports|config)/[\w./-]*)", text)

    assert [] == [name for name in named if not (ROOT / name).exists()]


def test_every_checkpoint_stands_in_the_code() -> None:
    code = "".join(file.read_text(encoding="utf-8") for file in (ROOT / "dicom_node").rglob("*.py"))

    assert [] == [name for name in (*CHECKPOINTS, *COMMAND_CHECKPOINTS) if f'reached("{name}")' not in code]


def test_nothing_in_the_repository_says_where_it_was_made() -> None:
    suffixes = {".py", ".md", ".toml", ".sh", ""}
    files = [
        file
        for folder in ("dicom_node", "inference", "structured_reports", "config", "scripts")
        for file in (ROOT / folder).rglob("*")
        if file.is_file() and file.suffix in suffixes and "__pycache__" not in file.parts
    ]

    home = re.compile(r"(?<![\w.])/(work|root|home)/")
    assert [] == [str(file) for file in files if home.search(file.read_text(encoding="utf-8", errors="replace"))]
