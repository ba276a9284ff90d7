"""A site key is made random and private, and refused where it could be guessed or read."""

from __future__ import annotations

from pathlib import Path

import pytest

from dicom_node.deidentify.keys import VARIABLE, make_key, site_key
from dicom_node.errors import SettingsError, StartError


def test_a_key_is_made_for_its_owner_alone_and_never_overwritten(tmp_path: Path) -> None:
    file = tmp_path / "key"
    make_key(file)

    assert file.stat().st_mode & 0o777 == 0o600
    assert len(site_key(file)) == 32
    with pytest.raises(StartError, match="never overwritten"):
        make_key(file)


def test_the_environment_gives_a_key_where_no_file_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, bytes(range(32)).hex())
    assert site_key(None) == bytes(range(32))
    monkeypatch.delenv(VARIABLE)
    with pytest.raises(SettingsError, match="no site key"):
        site_key(None)


@pytest.mark.parametrize(
    ("text", "rule"),
    [("secret", "hexadecimal"), ("ab" * 31, "31 bytes"), ("ab" * 32, "repeats"), ("", "0 bytes"), ("ü" * 64, "hex")],
)
def test_a_weak_key_is_refused_by_its_rule(tmp_path: Path, text: str, rule: str) -> None:
    file = tmp_path / "key"
    file.write_text(text)
    file.chmod(0o600)

    with pytest.raises(SettingsError, match=rule) as refusal:
        site_key(file)
    assert str(file) in str(refusal.value)
    assert not text or text not in str(refusal.value)


def test_a_key_that_others_can_read_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "key"
    make_key(file)
    file.chmod(0o640)

    with pytest.raises(SettingsError, match="0640"):
        site_key(file)
