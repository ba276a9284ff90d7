from __future__ import annotations

import tomllib
from dataclasses import fields
from pathlib import Path

import pytest

from dicom_node.deliver import DESTINATIONS
from dicom_node.errors import SettingsError
from dicom_node.research_settings import ResearchSettings
from dicom_node.settings import ModelSettings, Settings, load_settings

SHIPPED = Path(__file__).parents[3] / "config" / "dicom-node.toml"


def written(folder: Path, text: str) -> Path:
    file = folder / "node.toml"
    file.write_text(text, encoding="utf-8")
    return file


def fault(folder: Path, text: str) -> str:
    with pytest.raises(SettingsError) as caught:
        load_settings(written(folder, text))
    return str(caught.value)


def test_the_shipped_file_says_what_the_defaults_are(tmp_path: Path) -> None:
    shipped = load_settings(SHIPPED, data_dir=tmp_path)

    assert load_settings(data_dir=tmp_path) == shipped


def test_the_shipped_file_explains_every_key() -> None:
    text = SHIPPED.read_text(encoding="utf-8")
    lists = {"destination": None, "models": ModelSettings, "research": ResearchSettings}
    sections = {name: lists.get(name, field.annotation) for name, field in Settings.model_fields.items()}

    missing = [
        f"{section}.{key}"
        for section, kind in sections.items()
        if kind
        for key in kind.model_fields  # type: ignore[union-attr]
        if f"{key} =" not in text and f".{key}]" not in text
    ]

    assert [] == missing


def test_the_destinations_in_the_shipped_file_are_valid_once_uncommented(tmp_path: Path) -> None:
    text = SHIPPED.read_text(encoding="utf-8")
    examples = text[text.index("# [[destination]]") :]
    table = "\n".join(line.removeprefix("# ") for line in examples.splitlines())

    settings = load_settings(written(tmp_path, table))

    assert ["pacs", "ehr", "copies"] == [one.name for one in settings.destinations]
    for shown in tomllib.loads(table)["destination"]:
        keys = {field.name for field in fields(DESTINATIONS[shown.pop("kind")]) if field.init}  # type: ignore[arg-type]
        assert keys == shown.keys()


def test_the_routes_and_the_vault_in_the_shipped_file_are_valid_once_uncommented(tmp_path: Path) -> None:
    text = SHIPPED.read_text(encoding="utf-8")
    examples = text[text.index("# [deidentification.vault]") : text.index("# Copies without")]
    examples += text[text.index("# [[research]]") : text.index("# Where results go")]
    lines = (line.removeprefix("# ") for line in examples.splitlines())

    settings = load_settings(written(tmp_path, "\n".join(lines)))

    (route,) = settings.research
    assert route.pacs is not None
    assert ("registry", "REGISTRY") == (route.pacs.name, route.pacs.called_ae)
    assert settings.deidentification.vault is not None


def test_without_destinations_results_go_to_a_folder_beside_the_data(tmp_path: Path) -> None:
    (destination,) = load_settings(data_dir=tmp_path).destinations

    assert tmp_path / "results" == destination.directory  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[node]\nae_titel = "X"', "node.ae_titel: unknown key"),
        (
            '[node]\nae_title = "seventeen letters"',
            "node.ae_title: 'seventeen letters': an AE title is 1 to 16",
        ),
        ("[receive]\nport = 70000", "receive.port: 70000: Input should be less than or equal to 65535"),
        ("[receive.quiet_by_sender]\nCT = -1", "receive.quiet_by_sender.CT: -1"),
        ('[work]\ndevices = ["tpu"]', "work.devices.0: 'tpu'"),
        (
            '[[destination]]\nkind = "carrier-pigeon"',
            "destination.0.kind: 'carrier-pigeon' is not one of c-store",
        ),
        ('[[destination]]\nkind = "folder"\nname = "a"', "destination.0.directory: this key is required"),
        (
            '[[destination]]\nkind = "folder"\nname = "a"\ndirectory = "x"\ncolour = "red"',
            "destination.0.colour: unknown key",
        ),
        ("[node", "not TOML"),
        ("destination = 3", "destinations are tables: [[destination]]"),
        ("destination = [3]", "destinations are tables: [[destination]]"),
        ('[[destination]]\nkind = ["a"]', "destination.0.kind: ['a'] is not one of"),
        ('[[models]]\n[models.when]\nPatientName = ["*"]', "models.0.when.PatientName: a rule asks for"),
        ('[[models]]\n[models.when]\nModality = "CR"', "models.0.when.Modality: 'CR': Input should be a valid tuple"),
        ("[[models]]\n[models.when]\nModality = []", "models.0.when.Modality: []: Tuple should have at least 1 item"),
        ('[[models]]\n[models.when]\ncalled = ["X*"]', "models.0.when.called: X*: with receive.require_called_ae"),
        ("[[models]]\n[[models]]", "models: two have the folder"),
        ('[[models]]\nobjects = ["report", "hologram"]', "models.0: objects: hologram: not among summary"),
        ("[[models]]\nobjects = []", "models.0.objects: []: Tuple should have at least 1 item"),
        ('[[models]]\nheatmap = false\nobjects = ["seg"]', "models.0: objects: seg: with heatmap = false"),
        ("models = []", "models: a node has at least one"),
        ("[model]", "model: unknown key"),
        ("node = 3", "node: 3: Input should be a valid dictionary"),
    ],
)
def test_a_fault_is_named_with_its_key_and_its_rule(tmp_path: Path, text: str, message: str) -> None:
    assert message in fault(tmp_path, text)


def test_every_fault_is_named_at_once(tmp_path: Path) -> None:
    text = '[node]\nae_title = ""\n[receive]\nport = 0\n[[destination]]\nkind = "x"\n[[destination]]\nkind = "y"'

    message = fault(tmp_path, text)

    assert 4 == sum(part in message for part in ("node.ae_title", "receive.port", "destination.0", "destination.1"))


def test_two_destinations_of_one_name_are_a_fault(tmp_path: Path) -> None:
    table = '[[destination]]\nkind = "folder"\nname = "a"\ndirectory = "x"\n'

    assert "two are named 'a'" in fault(tmp_path, table * 2)


def test_a_rule_may_ask_for_an_ae_title_that_is_let_in(tmp_path: Path) -> None:
    own = '[[models]]\n[models.when]\ncalled = ["AI*"]'
    any_other = '[receive]\nrequire_called_ae = false\n[[models]]\n[models.when]\ncalled = ["CHEST"]'

    for text in (own, any_other):
        assert load_settings(written(tmp_path, text)).models[0].when


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"none\.toml: No such file"):
        load_settings(tmp_path / "none.toml")


@pytest.mark.parametrize(
    ("first", "second", "other"),
    [
        ("copies", "copies", "research.0.directory"),
        ("copies", "copies/../copies/b", "research.0.directory"),
        ("copies/a", "copies", "research.0.directory"),
        ("copies", "data", "node.data_dir"),
        ("copies", "data/spool", "node.data_dir"),
        ("copies", ".", "node.data_dir"),
    ],
)
def test_routes_for_research_keep_apart_from_each_other_and_from_the_data(
    tmp_path: Path, first: str, second: str, other: str
) -> None:
    text = f'[node]\ndata_dir = "{tmp_path / "data"}"\n'
    for name, folder in (("a", first), ("b", second)):
        text += f'[[research]]\nname = "{name}"\ndirectory = "{tmp_path / folder}"\n'

    said = fault(tmp_path, text)

    assert "research.1.directory" in said
    assert f"({other})" in said
