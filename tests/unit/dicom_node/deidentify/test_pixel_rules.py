"""The file of pixel rules: what it may say, and how a fault in it is named."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from dicom_node.deidentify.rules import load_rules
from dicom_node.errors import SettingsError

SHIPPED = Path(__file__).parents[4] / "config" / "pixel-rules.toml"

DEVICE = """
[[rule]]
name = "{name}"
sop_class = "UltrasoundImageStorage"
manufacturer = "Acme"
model = "Scan 1"
rows = 600
columns = 800
{more}
"""


def written(folder: Path, *rules: str) -> Path:
    path = folder / "rules.toml"
    path.write_text("\n".join(rules))
    return path


def device(name: str, more: str) -> str:
    return DEVICE.format(name=name, more=more)


def test_the_shipped_rules_load_and_each_names_its_source() -> None:
    rules = load_rules(SHIPPED).rule

    assert len(rules) == 5
    assert all(rule.source and rule.rectangles for rule in rules)


def test_an_empty_file_is_no_rules(tmp_path: Path) -> None:
    assert () == load_rules(written(tmp_path, "")).rule


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (device("A", "rectangles = [{ left = 0, top = 590, width = 800, height = 20 }]"),
         "A: the rectangle from column 0, row 590 with width 800, height 20 leaves the image of 600 rows and 800"),
        (device("A", "rectangles = [{ left = -1, top = 0, width = 1, height = 1 }]"),
         "rule.'A'.rectangles.0.left: -1: Input should be greater than or equal to 0"),
        (device("A", "rectangles = [{ left = 0, top = 0, width = 0, height = 1 }]"),
         "rule.'A'.rectangles.0.width: 0: Input should be greater than or equal to 1"),
        (device("A", "rectangles = [{ left = 0, top = 0, width = 1.5, height = 1 }]"),
         "rule.'A'.rectangles.0.width: 1.5: Input should be a valid integer"),
        (device("A", "rectangles = [{ left = 0, top = 0, width = 1 }]"), "rule.'A'.rectangles.0.height"),
        (device("A", "place = 1"), "rule.'A'.place: 1: Extra inputs are not permitted"),
        ('[[rule]]\nname = "A"\nsop_class = "Ultrasound"',
         "rule.'A'.sop_class: 'Ultrasound': 'Ultrasound' is no SOP class"),
        ('[[rule]]\nname = "A"\nsop_class = "1.2.840.10008.1.2"', "'1.2.840.10008.1.2' is no SOP class"),
        ('[[rule]]\nname = "A"', "rule.'A'.sop_class: Field required"),
        ('[[rule]]\nname = "A"\nsop_class = "UltrasoundImageStorage"\n'
         "rectangles = [{ left = 0, top = 0, width = 1, height = 1 }]",
         "A: a rule with rectangles names manufacturer, model, rows and columns"),
        ('[[rule]]\nname = "A"\nsop_class = "UltrasoundImageStorage"\nmodality = ""', "rule.'A'.modality.0"),
        ("[[rule]", "not TOML"),
    ],
)  # fmt: skip
def test_a_fault_is_named_with_its_rule_and_value(tmp_path: Path, text: str, message: str) -> None:
    path = written(tmp_path, text)

    with pytest.raises(SettingsError, match=re.escape(message)) as caught:
        load_rules(path)
    assert str(caught.value).startswith(str(path))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="No such file"):
        load_rules(tmp_path / "none.toml")


TOP = "rectangles = [{ left = 0, top = 0, width = 800, height = 40 }]"
LOW = "rectangles = [{ left = 0, top = 560, width = 800, height = 40 }]"


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (device("A", TOP), device("B", LOW)),
        (device("A", TOP), device("B", "")),
        (device("A", TOP + '\nsoftware = "1"'), device("B", LOW + '\nmodality = "US"')),
        (device("A", TOP + '\nsoftware = "1"'), device("B", LOW + '\nsoftware = "2"')),
        (device("A", TOP), device("B", LOW).replace('"Scan 1"', '["scan 1", "Scan 2"]')),
    ],
)
def test_two_rules_that_one_image_can_match_and_that_say_different_things_are_an_error(
    tmp_path: Path, first: str, second: str
) -> None:
    with pytest.raises(SettingsError, match="'A' and 'B' contradict"):
        load_rules(written(tmp_path, first, second))


@pytest.mark.parametrize(
    "second",
    [
        device("B", TOP),
        device("B", LOW).replace("Scan 1", "Scan 2"),
        device("B", LOW).replace("rows = 600", "rows = 601"),
        device("B", LOW).replace("UltrasoundImageStorage", "UltrasoundMultiFrameImageStorage"),
        device("B", LOW + '\nsoftware = "1"'),
    ],
)
def test_rules_for_different_images_or_of_different_length_agree(tmp_path: Path, second: str) -> None:
    assert 2 == len(load_rules(written(tmp_path, device("A", TOP), second)).rule)


def test_names_are_unique(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="two rules are named 'A'"):
        load_rules(written(tmp_path, device("A", TOP), device("A", TOP)))
