"""A site key is made random and private, and refused where it could be guessed or read."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from dicom_node.deidentify.keys import VARIABLE, checked_key, make_key, site_key
from dicom_node.errors import SettingsError, StartError

KEY = hashlib.sha256(b"a key of the tests").digest()


def test_a_key_is_made_for_its_owner_alone_and_never_overwritten(tmp_path: Path) -> None:
    file = tmp_path / "key"
    make_key(file)

    assert file.stat().st_mode & 0o777 == 0o600
    assert len(site_key(file)) == 32
    with pytest.raises(StartError, match="never overwritten"):
        make_key(file)


def test_the_environment_gives_a_key_where_no_file_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, KEY.hex())
    assert KEY == site_key(None)
    monkeypatch.delenv(VARIABLE)
    with pytest.raises(SettingsError, match="no site key"):
        site_key(None)


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("secret", "hexadecimal"), ("ab" * 31, "31 bytes"), ("ab" * 32, "repeats"), ("", "0 bytes"), ("ü" * 64, "hex"),
        (bytes(range(32)).hex(), "can be guessed"), (bytes(range(255, 100, -3)).hex(), "can be guessed"),
        (bytes(number * 7 % 256 for number in range(40)).hex(), "can be guessed"),
        (b"correct horse battery staple, 2026!\n".hex(), "can be guessed"),
        (b"0f1e2d3c4b5a69788796a5b4c3d2e1f0gh".hex(), "can be guessed"),
    ],
)  # fmt: skip
def test_a_weak_key_is_refused_by_its_rule(tmp_path: Path, text: str, rule: str) -> None:
    file = tmp_path / "key"
    file.write_text(text)
    file.chmod(0o600)

    with pytest.raises(SettingsError, match=rule) as refusal:
        site_key(file)
    assert str(file) in str(refusal.value)
    assert not text or text not in str(refusal.value)


def test_random_keys_are_taken() -> None:
    keys = [hashlib.sha256(str(number).encode()).digest() for number in range(2000)]

    assert keys == [checked_key(key.hex(), "here") for key in keys]


def test_a_key_that_others_can_read_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "key"
    make_key(file)
    file.chmod(0o640)

    with pytest.raises(SettingsError, match="0640"):
        site_key(file)
