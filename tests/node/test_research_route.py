"""A whole node with routes for research: copies without identity, in a folder and at a PACS, nothing uncertain."""

from __future__ import annotations

import json
from io import BytesIO
from pathlib import Path

import pydicom
import pytest

from dicom_node.deidentify.keys import make_key
from tests.conftest import as_study
from tests.running import NodeProcess, Pacs, pacs, running_node, send

pytestmark = pytest.mark.timeout(300)

SECRETS = (b"Zeisig", b"ZX4711", b"2.25.4711")


def film(chest_film: Path, folder: Path, number: int, **attributes: object) -> Path:
    named = {"PatientName": "Zeisig^Adele", "PatientID": "ZX4711", "BurnedInAnnotation": "NO", **attributes}
    return as_study(chest_film, folder / f"{number}.dcm", number, **named)


def tables(folder: Path, *, vault: bool = True) -> str:
    for name in ("site.key", "vault.keys"):
        make_key(folder / name)
    text = f'\n[deidentification]\nsite_key = "{folder / "site.key"}"\n'
    if vault:
        text += f'[deidentification.vault]\nkeys = "{folder / "vault.keys"}"\n'
    return text + '[deidentification.profiles]\nresearch = ["retain-patient-characteristics"]\n'


def route(folder: Path, more: str = "") -> str:
    return f'\n[[research]]\nname = "registry"\nprofile = "research"\ndirectory = "{folder / "copies"}"\n{more}\n'


def to_pacs(peer: Pacs) -> str:
    return f'pacs = {{ host = "127.0.0.1", port = {peer.port}, called_ae = "{peer.ae_title}", calling_ae = "AINODE" }}'


def copies(folder: Path) -> list[Path]:
    return sorted((folder / "copies").rglob("*.dcm"))


def test_copies_without_identity_lie_in_the_folder_and_lead_back_by_the_vault(tmp_path: Path, chest_film: Path) -> None:
    with running_node(tmp_path / "node", tables=tables(tmp_path) + route(tmp_path)) as node:
        for number in (1, 2):
            assert 0x0000 == send(node.port, film(chest_film, tmp_path, number))
            node.delivered(f"2.25.4711.{number}")
        told = node.command("explain", "2.25.4711.1").stdout
        found = copies(tmp_path)
        content = [path.read_bytes() for path in found]
        first = pydicom.dcmread(BytesIO(content[0]))
        revealed = node.command("vault", "reveal", str(first.PatientID), "--reason", "a finding to act on")
        log = node.command("vault", "log").stdout

    assert 2 == len(found)
    assert not [secret for secret in SECRETS for one in content if secret in one]
    assert "YES" == first.PatientIdentityRemoved
    assert chest_pixels(chest_film) == first.PixelData
    assert 1 == len({pydicom.dcmread(BytesIO(one)).PatientID for one in content})
    assert "registry" in told
    assert "1 instance in" in told
    assert str(first.PatientID) not in told
    assert "ZX4711" in revealed.stdout
    assert "Zeisig^Adele" in revealed.stdout
    assert "a finding to act on" in log
    reports = [json.loads(line) for path in (tmp_path / "copies" / "reports").iterdir() for line in path.open()]
    assert {"research"} == {one["profile"] for one in reports}


def chest_pixels(chest_film: Path) -> bytes:
    return pydicom.dcmread(chest_film).PixelData


def test_copies_go_to_a_pacs_and_none_stays_in_the_folder(tmp_path: Path, chest_film: Path) -> None:
    with pacs() as peer:
        text = tables(tmp_path, vault=False) + route(tmp_path, to_pacs(peer))
        with running_node(tmp_path / "node", tables=text) as node:
            assert 0x0000 == send(node.port, film(chest_film, tmp_path, 1))
            node.delivered("2.25.4711.1")

    (content,) = peer.contents.values()
    assert not [secret for secret in SECRETS if secret in content]
    assert [] == copies(tmp_path)


def test_what_is_uncertain_stays_and_the_ledger_says_why(tmp_path: Path, chest_film: Path) -> None:
    burned = film(chest_film, tmp_path, 1, BurnedInAnnotation="YES")
    with running_node(tmp_path / "node", tables=tables(tmp_path) + route(tmp_path)) as node:
        assert 0x0000 == send(node.port, burned)
        node.delivered("2.25.4711.1", destination="results")
        node.wait_for(lambda: "rejected" in state_of(node, "2.25.4711.1"), 30)
        told = node.command("explain", "2.25.4711.1").stdout

    assert "1 of 1 stay here" in " ".join(told.split())
    assert "burned-in" in told
    assert [] == copies(tmp_path)


def state_of(node: NodeProcess, study_uid: str) -> list[str]:
    told = node.explain(study_uid) or {"generations": []}
    return [one["state"] for each in told["generations"] for one in each["deliveries"]]


def test_only_what_the_rule_means_is_copied(tmp_path: Path, chest_film: Path) -> None:
    text = tables(tmp_path) + route(tmp_path, 'when = { StudyDescription = ["*trial*"] }')
    with running_node(tmp_path / "node", tables=text) as node:
        assert 0x0000 == send(node.port, film(chest_film, tmp_path, 1, StudyDescription="KNEE"))
        assert 0x0000 == send(node.port, film(chest_film, tmp_path, 2, StudyDescription="TRIAL 7"))
        for number in (1, 2):
            node.delivered(f"2.25.4711.{number}")

    assert 1 == len(copies(tmp_path))


def test_copies_wait_while_the_pacs_is_away_and_come_once_after_a_kill(tmp_path: Path, chest_film: Path) -> None:
    with pacs() as peer:
        pass
    text = tables(tmp_path) + route(tmp_path, to_pacs(peer))
    node = NodeProcess(tmp_path / "node", tables=text)
    node.start()
    assert 0x0000 == send(node.port, film(chest_film, tmp_path, 1))
    node.wait_for(lambda: copies(tmp_path), 60)
    node.kill()
    with pacs(peer):
        node.start()
        try:
            node.command("retry")
            node.delivered("2.25.4711.1")
        finally:
            node.stop()

    assert [1] == [len(digests) for digests in peer.received.values()]
    assert [] == copies(tmp_path)


def test_copies_that_wait_for_a_pacs_do_not_stand_in_the_way_of_another_profile(
    tmp_path: Path, chest_film: Path
) -> None:
    with pacs() as peer:
        pass
    text = tables(tmp_path) + route(tmp_path, to_pacs(peer))
    with running_node(tmp_path / "node", tables=text) as node:
        assert 0x0000 == send(node.port, film(chest_film, tmp_path, 1, PatientSex="F"))
        node.wait_for(lambda: copies(tmp_path), 60)
    changed = text.replace('["retain-patient-characteristics"]', "[]")
    with pacs(peer), running_node(tmp_path / "node", tables=changed) as node:
        node.command("retry")
        node.delivered("2.25.4711.1")

    (content,) = peer.contents.values()
    assert "" == pydicom.dcmread(BytesIO(content)).PatientSex
    assert 1 == len(list((tmp_path / "copies" / "reports").iterdir()))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda folder: (folder / "site.key").unlink(), "site.key: No such file"),
        (lambda folder: (folder / "site.key").write_text("ab" * 32), "the key repeats itself"),
        (lambda folder: (folder / "site.key").chmod(0o644), "lets others read the key"),
        (lambda folder: (folder / "vault.keys").write_text("ab" * 8), "8 bytes; a key has 32"),
        (lambda folder: (folder / "vault.keys").unlink(), "vault.keys: No such file"),
    ],
)
def test_the_node_does_not_start_where_a_route_lacks_a_sound_key(tmp_path: Path, change: object, said: str) -> None:
    node = NodeProcess(tmp_path / "node", tables=tables(tmp_path) + route(tmp_path))
    change(tmp_path)  # type: ignore[operator]

    done = node.command("serve")

    assert 1 == done.returncode
    assert said in done.stderr
    assert said in node.command("check").stdout.replace("\n", "")


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ('profile = "nobody"', "research.0.profile: 'nobody' is not one of basic, research"),
        ('name = "results"', "research.0.name: 'results' is taken"),
        ('pacs = { host = "h", port = 99999, called_ae = "A", calling_ae = "B" }', "research.0.pacs.port: 99999"),
        ('when = { PatientName = ["*"] }', "research.0.when"),
    ],
)
def test_a_route_that_makes_no_sense_is_named(tmp_path: Path, more: str, said: str) -> None:
    key = more.split(" ", maxsplit=1)[0]
    lines = [line for line in route(tmp_path).splitlines() if not line.startswith(key)]
    node = NodeProcess(tmp_path / "node", tables=tables(tmp_path) + "\n".join([*lines, more]))

    done = node.command("check")

    assert 1 == done.returncode
    assert said in done.stderr
