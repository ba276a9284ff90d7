"""What the atlas of a model says of films that it knows and of those that it does not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from inference.atlas import Atlas, unit
from inference.errors import InvalidCardError


@pytest.fixture
def atlas() -> Atlas:
    random = np.random.default_rng(0)
    embeddings = unit(random.normal(size=(20, 4)).astype(np.float32))
    labels, sources = (tuple(f"{word} {each}" for each in range(20)) for word in ("label", "film"))
    whitening = np.diag([1.0, 1.0, 1.0, 1.0, 0.5, 0.5]).astype(np.float32)
    return Atlas(embeddings, labels, sources, np.zeros(6, np.float32), whitening, limit=2.0)


def test_a_film_at_the_limit_is_known_and_one_beyond_it_is_not(atlas: Atlas) -> None:
    at, beyond = (np.array([0, 0, 0, 0, length, 0], np.float32) for length in (4.0, 4.04))

    assert (1.0, True) == (atlas.familiarity(at).distance, atlas.familiarity(at).is_known)
    assert not atlas.familiarity(beyond).is_known
    assert "1.01 times as far" in atlas.familiarity(beyond).reason


def test_a_case_is_most_similar_to_itself_whatever_its_texture(atlas: Atlas) -> None:
    embedding = np.concatenate([3.0 * atlas.embeddings[7], [9.0, 9.0]]).astype(np.float32)

    nearest = atlas.familiarity(embedding).nearest

    assert ("film 7", "label 7", pytest.approx(1.0, abs=1e-3)) == (
        nearest[0].source, nearest[0].label, nearest[0].similarity,
    )  # fmt: skip
    assert [each.similarity for each in nearest] == sorted((each.similarity for each in nearest), reverse=True)


def test_an_atlas_is_the_same_after_writing(atlas: Atlas, tmp_path: Path) -> None:
    atlas.save(tmp_path / "atlas.npz")

    read = Atlas.load(tmp_path / "atlas.npz")

    assert (atlas.labels, atlas.sources, atlas.limit) == (read.labels, read.sources, read.limit)
    assert (atlas.mean == read.mean).all()
    assert (atlas.whitening == read.whitening).all()
    assert pytest.approx(atlas.embeddings, abs=1e-3) == read.embeddings  # kept in half precision


@pytest.mark.parametrize("content", [b"", b"PK no archive", b"\x93NUMPY"])
def test_a_file_that_is_no_atlas_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "atlas.npz").write_bytes(content)

    with pytest.raises(InvalidCardError, match=r"atlas\.npz: no atlas"):
        Atlas.load(tmp_path / "atlas.npz")
