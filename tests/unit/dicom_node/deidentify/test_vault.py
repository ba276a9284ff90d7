"""The vault leads back from a pseudonym to a person, for those who have the key, and remembers who asked."""

from __future__ import annotations

import hashlib
import io
import os
import pwd
import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from dicom_node.deidentify import vault_command
from dicom_node.deidentify.keyring import VARIABLE, Keyring
from dicom_node.deidentify.keys import make_key
from dicom_node.deidentify.refusal import RefusedError
from dicom_node.deidentify.settings import DeidentificationSettings, VaultSettings
from dicom_node.deidentify.vault import Link, Vault, VaultError
from dicom_node.errors import SettingsError, StartError
from dicom_node.ledger.database import open_database
from tests.unit.dicom_node.deidentify.test_deidentified_files import DEIDENTIFIER, PIXELS, slice_of

PERSON = Link("person", "PAAAA", {"PatientID": "ZX4711", "PatientName": "Zeisig^Adele"})
STUDY = Link("study", "2.25.1", {"StudyInstanceUID": "1.2.826.0.2"})


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    make_key(tmp_path / "vault.keys")
    return tmp_path / "vault.keys"


@pytest.fixture
def vault(tmp_path: Path, keys: Path) -> Iterator[Vault]:
    opened = at(tmp_path, keys)
    yield opened
    opened.database.dispose()


def at(folder: Path, keys: Path) -> Vault:
    return Vault(open_database(f"sqlite:///{folder / 'vault.db'}"), Keyring(keys))


def asked(vault: Vault, pseudonym: str) -> tuple[Link, ...]:
    return vault.reveal(pseudonym, who="officer", reason="consent withdrawn")


def test_what_was_kept_is_revealed_by_another_process_with_the_key(tmp_path: Path, vault: Vault, keys: Path) -> None:
    vault.keep([PERSON, STUDY])

    assert (PERSON,) == asked(at(tmp_path, keys), "PAAAA")
    assert (STUDY,) == asked(at(tmp_path, keys), "2.25.1")
    assert () == asked(vault, "PBBBB")


def test_keeping_twice_is_once(tmp_path: Path, vault: Vault, keys: Path) -> None:
    vault.keep([PERSON])
    vault.keep([PERSON])
    at(tmp_path, keys).keep([PERSON])

    assert (PERSON,) == asked(vault, "PAAAA")


def test_the_database_holds_nothing_in_clear(tmp_path: Path, vault: Vault) -> None:
    vault.keep([PERSON, STUDY])
    vault.database.dispose()

    stored = b"".join(path.read_bytes() for path in tmp_path.glob("vault.db*"))
    assert not [text for text in (b"ZX4711", b"Zeisig", b"1.2.826.0.2") if text in stored]


def test_another_key_opens_nothing(tmp_path: Path, vault: Vault) -> None:
    vault.keep([PERSON])
    make_key(tmp_path / "other.keys")

    with pytest.raises(VaultError, match="not among the keys"):
        asked(at(tmp_path, tmp_path / "other.keys"), "PAAAA")


def test_a_row_in_the_place_of_another_is_noticed(tmp_path: Path, vault: Vault) -> None:
    vault.keep([PERSON, Link("person", "PCCCC", {"PatientID": "other"})])
    with sqlite3.connect(tmp_path / "vault.db") as connection:
        connection.execute(
            "UPDATE vault_entry SET sealed = (SELECT sealed FROM vault_entry WHERE pseudonym = 'PCCCC') "
            "WHERE pseudonym = 'PAAAA'"
        )

    with pytest.raises(VaultError, match="was altered"):
        asked(vault, "PAAAA")


def test_every_question_is_on_record_also_one_without_an_answer(vault: Vault) -> None:
    vault.keep([PERSON])
    asked(vault, "PAAAA")
    asked(vault, "PBBBB")

    told = [(one.who, one.what, one.reason, one.found) for one in vault.accesses()]
    expected = [("officer", "PAAAA", "consent withdrawn", 1), ("officer", "PBBBB", "consent withdrawn", 0)]
    assert expected == told


def test_a_question_that_cannot_be_answered_is_on_record_too(tmp_path: Path, vault: Vault) -> None:
    vault.keep([PERSON])
    make_key(tmp_path / "other.keys")
    other = at(tmp_path, tmp_path / "other.keys")
    with pytest.raises(VaultError):
        asked(other, "PAAAA")

    assert [("PAAAA", 0)] == [(one.what, one.found) for one in vault.accesses()]


def test_a_vault_whose_rows_need_another_key_is_not_opened(tmp_path: Path, vault: Vault) -> None:
    vault.keep([PERSON])
    (name,) = vault.keyring.keys()
    make_key(tmp_path / "other.keys")
    other = VaultSettings(database=f"sqlite:///{tmp_path / 'vault.db'}", keys=tmp_path / "other.keys")

    for use in (other.open, other.require):
        with pytest.raises(StartError, match=f"sealed with {name}, which is not among the keys"):
            use()
    assert () == asked(other.open_to_ask(), "PBBBB")


def test_a_vault_is_opened_with_the_keys_that_its_rows_need_and_others(
    tmp_path: Path, vault: Vault, keys: Path
) -> None:
    at_hand = VaultSettings(database=f"sqlite:///{tmp_path / 'vault.db'}", keys=keys)
    at_hand.require()
    vault.keep([PERSON])
    vault.keyring.renew()
    at_hand.require()
    vault.keep([STUDY])

    assert 2 == len(vault.used_keys())
    assert (PERSON,) == asked(at_hand.open(), "PAAAA")


def test_nothing_is_sealed_under_another_key_where_the_file_is_changed_meanwhile(vault: Vault, keys: Path) -> None:
    vault.keep([PERSON])
    keys.unlink()
    make_key(keys)

    with pytest.raises(VaultError, match="not among the keys"):
        vault.keep([STUDY])
    assert 1 == len(vault.used_keys())


def test_a_rotation_is_on_record_and_says_what_to_keep(vault: Vault, keys: Path) -> None:
    vault.keep([PERSON, STUDY])
    said = io.StringIO()
    vault_command.rotate(vault, Console(file=said, width=400))

    (told,) = vault.accesses()
    assert ("rotate", 2) == (told.what, told.found)
    assert f"{keys} is another one now: keep it secret, and keep a copy" in said.getvalue()


def test_a_rotation_keeps_the_former_key_and_drops_those_before_that_no_row_needs(vault: Vault) -> None:
    vault.keep([PERSON])
    (first,) = vault.keyring.keys()
    vault_command.rotate(vault, Console(file=io.StringIO()))
    second, former = vault.keyring.keys()
    vault_command.rotate(vault, Console(file=io.StringIO()))

    assert first == former
    names = list(vault.keyring.keys())
    assert second == names[1]
    assert first not in names


def test_who_asked_is_the_account_whatever_the_environment_says(vault: Vault, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.setenv(variable, "somebody else")
    monkeypatch.delenv("SUDO_USER", raising=False)
    vault_command.reveal(vault, "PAAAA", "consent withdrawn", Console(file=io.StringIO()))
    monkeypatch.setattr(os, "getuid", lambda: 4_000_000)
    vault_command.reveal(vault, "PAAAA", "consent withdrawn", Console(file=io.StringIO()))

    assert [pwd.getpwuid(os.geteuid()).pw_name, "4000000"] == [one.who for one in vault.accesses()]


def test_rotation_seals_all_anew_and_the_old_key_opens_nothing_more(tmp_path: Path, vault: Vault, keys: Path) -> None:
    vault.keep([Link("instance", f"2.25.{number}", {"SOPInstanceUID": str(number)}) for number in range(1200)])
    before = keys.read_text()
    vault.keyring.renew()

    assert 1200 == vault.rotate()
    assert 0 == vault.rotate()
    assert {next(iter(vault.keyring.keys()))} == vault.used_keys()
    (tmp_path / "old.keys").write_text(before)
    (tmp_path / "old.keys").chmod(0o600)
    with pytest.raises(VaultError):
        asked(at(tmp_path, tmp_path / "old.keys"), "2.25.7")
    assert {"SOPInstanceUID": "7"} == asked(vault, "2.25.7")[0].original


def test_whoever_uses_the_vault_during_a_rotation_notices_nothing(tmp_path: Path, vault: Vault, keys: Path) -> None:
    vault.keep([Link("instance", f"2.25.{number}", {"SOPInstanceUID": str(number)}) for number in range(1500)])
    other = at(tmp_path, keys)

    def use(number: int) -> bool:
        other.keep([Link("instance", f"2.25.9{number}", {"SOPInstanceUID": f"9{number}"})])
        return asked(other, f"2.25.{number}")[0].original == {"SOPInstanceUID": str(number)}

    vault.keyring.renew()
    with ThreadPoolExecutor(2) as pool:
        rotation = pool.submit(vault.rotate)
        used = [pool.submit(use, number) for number in range(60)]
    assert rotation.result() >= 1500
    assert all(one.result() for one in used)
    vault.rotate()
    assert {next(iter(vault.keyring.keys()))} == vault.used_keys()
    assert {"SOPInstanceUID": "959"} == asked(vault, "2.25.959")[0].original


def test_a_row_that_waits_during_two_rotations_is_sealed_with_a_key_that_is_there(
    tmp_path: Path, vault: Vault, keys: Path
) -> None:
    (first,) = vault.keyring.keys()
    with sqlite3.connect(tmp_path / "vault.db", isolation_level=None) as busy, ThreadPoolExecutor(1) as pool:
        busy.execute("BEGIN IMMEDIATE")
        waiting = pool.submit(at(tmp_path, keys).keep, [PERSON])
        with pytest.raises(TimeoutError):
            waiting.result(0.5)
        vault.keyring.renew()
        vault.keyring.renew(frozenset({first}))
        busy.execute("COMMIT")
        waiting.result()

    assert (PERSON,) == asked(vault, "PAAAA")


def test_nobody_seals_while_keys_are_dropped(tmp_path: Path, vault: Vault) -> None:
    vault.keep([PERSON])
    with sqlite3.connect(tmp_path / "vault.db", isolation_level=None) as busy, ThreadPoolExecutor(1) as pool:
        busy.execute("BEGIN IMMEDIATE")
        waiting = pool.submit(vault_command.rotate, vault, Console(file=io.StringIO()))
        with pytest.raises(TimeoutError):
            waiting.result(0.5)
        assert 1 == len(vault.keyring.keys())
        busy.execute("COMMIT")
        waiting.result()

    assert 2 == len(vault.keyring.keys())
    assert (PERSON,) == asked(vault, "PAAAA")


@pytest.mark.parametrize("size", [0, 7, 12, 27])
def test_a_row_that_was_cut_short_is_noticed(tmp_path: Path, vault: Vault, size: int) -> None:
    vault.keep([PERSON])
    with sqlite3.connect(tmp_path / "vault.db") as connection:
        connection.execute("UPDATE vault_entry SET sealed = substr(sealed, 1, ?)", (size,))

    with pytest.raises(VaultError, match="was altered"):
        asked(vault, "PAAAA")


def test_the_file_of_keys_stays_private_and_drops_what_is_named(keys: Path) -> None:
    keyring = Keyring(keys)
    (first,) = keyring.keys()
    keyring.renew()
    second = next(iter(keyring.keys()))
    keyring.renew(frozenset({first}))

    assert 0o600 == keys.stat().st_mode & 0o777
    names = list(keyring.keys())
    assert second == names[1]
    assert first not in names
    assert 2 == len(names)


def test_keys_come_from_the_environment_where_no_file_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    new, old = (hashlib.sha256(name).hexdigest() for name in (b"new", b"old"))
    monkeypatch.setenv(VARIABLE, f"{new},{old}")
    assert [bytes.fromhex(new), bytes.fromhex(old)] == list(Keyring(None).keys().values())
    with pytest.raises(SettingsError, match=VARIABLE):
        Keyring(None).renew()
    monkeypatch.setenv(VARIABLE, "ab" * 32)
    with pytest.raises(SettingsError, match="repeats itself"):
        Keyring(None).keys()
    monkeypatch.delenv(VARIABLE)
    with pytest.raises(SettingsError, match="no key of the vault"):
        Keyring(None).keys()


def test_a_key_of_the_vault_makes_no_pseudonyms(tmp_path: Path, keys: Path) -> None:
    vault = VaultSettings(database=f"sqlite:///{tmp_path / 'vault.db'}", keys=keys)
    make_key(tmp_path / "site.key")
    settings = DeidentificationSettings(vault=vault, site_key=tmp_path / "site.key")

    assert settings.deidentifier("basic")
    with pytest.raises(SettingsError, match=r"vault\.keys: is a key of the vault"):
        settings.deidentifier("basic", keys)


def test_without_a_key_no_database_is_made(tmp_path: Path) -> None:
    with pytest.raises(SettingsError):
        VaultSettings(database=f"sqlite:///{tmp_path / 'vault.db'}", keys=tmp_path / "absent").open()
    assert not (tmp_path / "vault.db").exists()


def test_a_database_that_cannot_be_opened_is_named(tmp_path: Path, keys: Path) -> None:
    with pytest.raises(StartError, match="absent"):
        VaultSettings(database=f"sqlite:///{tmp_path / 'absent' / 'vault.db'}", keys=keys).open()
    with pytest.raises(StartError, match=r"deidentification\.vault\.database"):
        VaultSettings(database="mysql://host/x", keys=keys).open()


def test_a_file_leads_back_to_its_person_study_series_and_instance(tmp_path: Path, vault: Vault) -> None:
    written = replace(DEIDENTIFIER, vault=vault).write(io.BytesIO(slice_of()), tmp_path / "out")

    made = pydicom.dcmread(tmp_path / "out" / written.path)
    (person,) = asked(vault, made.PatientID)
    assert {"PatientID": "ZX4711", "PatientName": "Zeisig^Adele"} == person.original
    assert "1.2.826.0.2" == asked(vault, made.StudyInstanceUID)[0].original["StudyInstanceUID"]
    assert "1.2.826.0.3" == asked(vault, made.SeriesInstanceUID)[0].original["SeriesInstanceUID"]
    assert "1.2.826.0.1.1" == asked(vault, made.SOPInstanceUID)[0].original["SOPInstanceUID"]


def test_what_the_vault_cannot_keep_is_not_written(tmp_path: Path, vault: Vault) -> None:
    with sqlite3.connect(tmp_path / "vault.db") as connection:
        connection.execute("DROP TABLE vault_entry")
    with pytest.raises(VaultError):
        replace(DEIDENTIFIER, vault=vault).write(io.BytesIO(slice_of()), tmp_path / "out")
    assert not list((tmp_path / "out").rglob("*.dcm"))


def test_a_database_that_is_damaged_is_the_fault_of_the_vault(tmp_path: Path, vault: Vault) -> None:
    vault.database.dispose()
    for path in tmp_path.glob("vault.db*"):
        path.write_bytes(b"no database" * 1000)

    with pytest.raises(VaultError, match="file is not a database"):
        vault.keep([PERSON])


def test_a_damaged_database_opens_no_vault(tmp_path: Path, vault: Vault) -> None:
    vault.database.dispose()
    for path in tmp_path.glob("vault.db*"):
        path.write_bytes(b"no database" * 1000)

    with pytest.raises(StartError, match="file is not a database"):
        replace(vault)


def test_of_a_refused_file_the_vault_is_told_nothing(tmp_path: Path, vault: Vault) -> None:
    with pytest.raises(RefusedError):
        replace(DEIDENTIFIER, vault=vault).write(
            io.BytesIO(slice_of(pixels=PIXELS + b"more than the image")), tmp_path / "out"
        )
    assert frozenset() == vault.used_keys()


@settings(max_examples=30, deadline=None)
@given(original=st.dictionaries(st.text(min_size=1), st.text(), max_size=4))
def test_any_text_comes_back_as_it_was(tmp_path_factory: pytest.TempPathFactory, original: dict[str, str]) -> None:
    folder = tmp_path_factory.mktemp("vault")
    make_key(folder / "keys")
    vault = at(folder, folder / "keys")
    vault.keep([Link("person", "P", original)])

    assert original == asked(vault, "P")[0].original
    vault.database.dispose()
