"""A golden film tells a device that can be believed from one that cannot."""

from __future__ import annotations

import errno
import os
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread
from typer.testing import CliRunner

from inference.cli import app
from inference.errors import DigestMismatchError, InvalidCardError, ModelError, OutputError, UnsuitableFilmError
from inference.film import read_film
from inference.models import DEFAULT_MODEL, Answer, Model, load_model
from inference.models.folder import sha256_of
from inference.models.port import Outputs
from inference.network_process import NetworkProcess
from inference.serving.golden import Golden
from inference.serving.recording import record_golden, write_section


@pytest.fixture(scope="module")
def golden(model: Model, clinical_film: Path) -> Golden:
    return Golden.record(model, model.prepare(read_film(clinical_film)))


@pytest.fixture
def folder(tmp_path: Path, golden: Golden) -> Path:
    """A model folder whose card names a golden film, whatever that of the shipped one names."""
    folder = Path(shutil.copytree(DEFAULT_MODEL, tmp_path / "model"))
    return with_golden(folder, golden)


def with_golden(folder: Path, golden: Golden) -> Path:
    golden.save(folder / "known.npz")
    card = (folder / "card.toml").read_text(encoding="utf-8").partition("[golden]")[0]
    section = f'\n[golden]\nfile = "known.npz"\nsha256 = "{sha256_of(folder / "known.npz")}"\n'
    (folder / "card.toml").write_text(card + section, encoding="utf-8")
    return folder


def answer_of(model: Model, golden: Golden) -> Answer:
    (answer,) = model.predict([golden.film])
    assert isinstance(answer, Answer)
    return answer


def test_a_sound_device_answers_as_recorded(folder: Path) -> None:
    loaded = load_model(folder)

    assert loaded.golden is not None
    assert loaded.golden.mismatch(answer_of(loaded, loaded.golden)) is None


def test_a_golden_film_survives_its_file(golden: Golden, folder: Path) -> None:
    read = Golden.load(folder / "known.npz")

    assert (golden.tensor == read.tensor).all()
    assert (golden.scores == read.scores).all()
    assert (golden.peaks == read.peaks).all()


def test_a_score_beyond_the_tolerance_is_a_mismatch(model: Model, golden: Golden) -> None:
    answer = answer_of(model, golden)
    drifted = replace(answer, scores=answer.scores - np.float32(0.02))

    assert "a score differs by 0.0200; at most 0.01" in str(golden.mismatch(drifted))


def test_a_score_that_is_no_number_is_a_mismatch(model: Model, golden: Golden) -> None:
    answer = answer_of(model, golden)

    assert golden.mismatch(replace(answer, scores=np.full_like(answer.scores, np.nan))) is not None


def test_a_map_that_points_elsewhere_is_a_mismatch(model: Model, golden: Golden) -> None:
    answer = answer_of(model, golden)
    assert answer.cams is not None

    assert "peak of a map" in str(golden.mismatch(replace(answer, cams=answer.cams[:, ::-1, ::-1])))


class BrokenDevice:
    """A network on a device whose memory forgets: it gives what is no number."""

    grid = outputs = None

    def run(self, films: np.ndarray) -> Outputs:
        return Outputs(np.full((len(films), 1), np.nan, np.float32))


def test_a_device_that_gives_no_numbers_does_not_answer_the_golden_film(model: Model, golden: Golden) -> None:
    (refusal,) = replace(model, network=BrokenDevice()).predict([golden.film])

    assert "refused (not-finite)" in str(golden.mismatch(refusal))


def test_an_altered_golden_film_is_not_used(folder: Path) -> None:
    with (folder / "known.npz").open("ab") as file:
        file.write(b"\0")

    with pytest.raises(DigestMismatchError, match=r"known\.npz: sha256"):
        load_model(folder)


def test_a_file_that_is_no_golden_film_is_named(tmp_path: Path) -> None:
    np.savez(tmp_path / "known.npz", other=np.zeros(3))

    with pytest.raises(InvalidCardError, match="no golden film"):
        Golden.load(tmp_path / "known.npz")


def test_a_model_folder_is_given_a_golden_film_and_another_one_later(folder: Path, clinical_film: Path) -> None:
    for _ in range(2):
        result = CliRunner().invoke(app, ["golden", str(folder), str(clinical_film)])
        assert 0 == result.exit_code, result.output

    card = (folder / "card.toml").read_text(encoding="utf-8")
    loaded = load_model(folder)
    assert 1 == card.count("[golden]")
    assert loaded.golden is not None
    assert loaded.golden.mismatch(answer_of(loaded, loaded.golden)) is None


@pytest.mark.parametrize("state", ["missing", "altered", "no digest", "no film"])
def test_a_golden_film_that_is_lost_is_recorded_anew(folder: Path, clinical_film: Path, state: str) -> None:
    card, known = folder / "card.toml", folder / "known.npz"
    if state == "missing":
        known.unlink()
    elif state == "no digest":
        card.write_text(card.read_text(encoding="utf-8").replace(sha256_of(known), "?"), encoding="utf-8")
    else:
        before = sha256_of(known)
        known.write_bytes(b"no film")
        if state == "no film":
            card.write_text(card.read_text(encoding="utf-8").replace(before, sha256_of(known)), encoding="utf-8")

    result = CliRunner().invoke(app, ["golden", str(folder), str(clinical_film)])

    assert 0 == result.exit_code, result.output
    assert load_model(folder).golden_fault() is None


@pytest.mark.parametrize("name", [".golden.npz.part", ".card.toml.part"])
def test_a_folder_that_cannot_be_written_is_one_line_and_the_model_stays(
    folder: Path, clinical_film: Path, name: str
) -> None:
    before = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    (folder / name).mkdir()  # in the way, also of root

    result = CliRunner().invoke(app, ["golden", str(folder), str(clinical_film)])

    named = folder / name.removeprefix(".").removesuffix(".part")
    assert (2, f"{named}: cannot be written (Is a directory)\n") == (result.exit_code, result.stderr)
    assert before == {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def test_a_section_behind_the_golden_one_stays(folder: Path, clinical_film: Path) -> None:
    card = folder / "card.toml"
    text = card.read_text(encoding="utf-8")
    golden_section = text[text.index("[golden]") :]
    card.write_text(text.replace(golden_section, "").replace("[input]", golden_section + "\n[input]"), encoding="utf-8")

    result = CliRunner().invoke(app, ["golden", str(folder), str(clinical_film)])

    assert 0 == result.exit_code, result.output
    assert load_model(folder).preprocessing == load_model(DEFAULT_MODEL).preprocessing


def test_comments_around_a_section_that_is_written_anew_stay(folder: Path) -> None:
    card = folder / "card.toml"
    card.write_text(
        '# of all\n[golden]\n# own\nfile = "a"\n\nsha256 = "b"\n\n# of the next\n\n  [input]\nsize = 1\n# last\n'
    )

    write_section(folder, "golden", ['file = "c"'])

    assert '# of all\n\n# of the next\n\n  [input]\nsize = 1\n# last\n\n[golden]\nfile = "c"\n' == card.read_text()


def test_a_full_disk_leaves_the_card_as_it_was(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}

    def full(path: Path, *_arguments: object, **_more: object) -> None:
        path.write_bytes(b"# ha")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "write_text", full)

    with pytest.raises(OutputError, match="No space left"):
        write_section(folder, "device", ['kinds = ["cpu"]'])
    assert before == {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def test_a_film_that_cannot_be_read_becomes_no_golden_film(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no film")
    before = (folder / "card.toml").read_text(encoding="utf-8")

    result = CliRunner().invoke(app, ["golden", str(folder), str(tmp_path / "text")])

    assert 2 == result.exit_code
    assert before == (folder / "card.toml").read_text(encoding="utf-8")


def test_a_film_that_the_header_guard_refuses_becomes_no_golden_film(
    folder: Path, tmp_path: Path, clinical_film: Path
) -> None:
    hand = dcmread(clinical_film)
    hand.BodyPartExamined = "HAND"
    hand.save_as(tmp_path / "hand.dcm")
    before = (folder / "card.toml").read_text(encoding="utf-8")

    with pytest.raises(UnsuitableFilmError, match="BodyPartExamined: "):
        record_golden(folder, tmp_path / "hand.dcm")

    assert before == (folder / "card.toml").read_text(encoding="utf-8")


def test_predict_reads_nothing_with_a_model_that_answers_its_golden_film_otherwise(
    folder: Path, golden: Golden, clinical_film: Path
) -> None:
    with_golden(folder, replace(golden, scores=1 - golden.scores))

    result = CliRunner().invoke(app, ["predict", "--model", str(folder), str(clinical_film)])

    assert (2, "") == (result.exit_code, result.stdout)
    assert f"{folder}: golden film: a score differs by 0." in result.stderr


def test_a_network_that_was_started_again_answers_no_film_before_its_golden_one(folder: Path, golden: Golden) -> None:
    process = NetworkProcess((folder, "cpu", 1), 60.0)
    try:
        process.load()
        process.close()  # as after a film that ended it
        with_golden(folder, replace(golden, scores=1 - golden.scores))
        for _ in range(2):
            with pytest.raises(ModelError, match="golden film: a score differs"):
                process.run(golden.tensor[np.newaxis])
    finally:
        process.close()
