"""Which objects may leave with their pixels, by header alone."""

from __future__ import annotations

from pathlib import Path

import pydicom
import pytest
from pydicom.dataset import Dataset, FileMetaDataset

from dicom_node.deidentify.pixels import Blank, Decision, Pass, Refuse, decide
from dicom_node.deidentify.reasons import SENTENCES, Reason
from dicom_node.deidentify.rectangles import Rectangle
from dicom_node.deidentify.rules import PixelRules

ROOT = "1.2.840.10008.5.1.4.1.1"
TOP = {"left": 0, "top": 0, "width": 512, "height": 40}
NO_RULES = PixelRules()


def header(sop_class: str = f"{ROOT}.2", **attributes: object) -> Dataset:
    """Return the header of a plain CT slice, with changes; None takes an attribute away."""
    dataset = Dataset()
    dataset.SOPClassUID = sop_class
    dataset.Modality = "CT"
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    dataset.Manufacturer = "Acme"
    dataset.ManufacturerModelName = "Scan 1"
    dataset.Rows, dataset.Columns = 512, 512
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.BitsAllocated, dataset.BitsStored = 16, 12
    for keyword, value in attributes.items():
        if value is None:
            delattr(dataset, keyword)
        else:
            setattr(dataset, keyword, value)
    return dataset


def rules(**conditions: object) -> PixelRules:
    return PixelRules.model_validate({"rule": [{"name": "rule", **conditions}]})


def refusal(reason: Reason) -> Refuse:
    return Refuse(reason, SENTENCES[reason])


@pytest.mark.parametrize(
    ("dataset", "reason"),
    [
        (header(BurnedInAnnotation="YES"), Reason.BURNED_IN),
        *((header(f"{ROOT}.7{end}", BurnedInAnnotation="NO"), Reason.SECONDARY_CAPTURE)
          for end in ("", ".1", ".2", ".3", ".4")),
        *((header(f"{ROOT}.{end}", Modality="US", BurnedInAnnotation="NO"), Reason.ULTRASOUND)
          for end in ("3", "3.1", "6", "6.1", "6.2", "6.3")),
        (header(Modality="IVUS", BurnedInAnnotation="NO"), Reason.ULTRASOUND),
        (header(ImageType=["DERIVED", "SECONDARY", "SCREEN SAVE"], BurnedInAnnotation="NO"), Reason.SCREEN),
        (header(ImageType=["ORIGINAL", "PRIMARY", "DOSE_INFO"]), Reason.SCREEN),
        (header(SeriesDescription="Dose Report"), Reason.SCREEN),
        (header(SeriesDescription="PATIENT PROTOCOL"), Reason.SCREEN),
        (header(f"{ROOT}.77.1.4", Modality="XC", BurnedInAnnotation="NO"), Reason.PHOTOGRAPH),
        (header(f"{ROOT}.77.1.5.1", Modality="OP"), Reason.PHOTOGRAPH),
        (header(Modality="ES"), Reason.PHOTOGRAPH),
        (header(f"{ROOT}.77.1.6", Modality="SM", ImageType=["ORIGINAL", "PRIMARY", "LABEL"], SpecimenLabelInImage="NO",
                BurnedInAnnotation="NO"), Reason.SLIDE_LABEL),
        (header(f"{ROOT}.77.1.6", Modality="SM", SpecimenLabelInImage="YES", BurnedInAnnotation="NO"),
         Reason.SLIDE_LABEL),
        (header(Modality="RG", BurnedInAnnotation="NO"), Reason.DIGITISED),
        (header(f"{ROOT}.1", Modality="CR", ConversionType="DF", BurnedInAnnotation="NO"), Reason.DIGITISED),
        (header(f"{ROOT}.1", Modality="CR", DateOfSecondaryCapture="20200101", BurnedInAnnotation="NO"),
         Reason.DIGITISED),
        (header(RecognizableVisualFeatures="YES"), Reason.RECOGNIZABLE),
        (header(Modality="OT", BurnedInAnnotation="NO"), Reason.UNSPECIFIC),
        (header(Modality=None, BurnedInAnnotation="NO"), Reason.UNSPECIFIC),
        (header("1.2.3.4", BurnedInAnnotation="NO"), Reason.CLASS_UNKNOWN),
        (header(f"{ROOT}.1", Modality="CR"), Reason.ANNOTATION_UNKNOWN),
        (header(f"{ROOT}.12.1", Modality="XA"), Reason.ANNOTATION_UNKNOWN),
        (header(f"{ROOT}.20", Modality="NM"), Reason.ANNOTATION_UNKNOWN),
        (header(BurnedInAnnotation="PERHAPS"), Reason.ANNOTATION_UNKNOWN),
        (header(ImageType=["DERIVED", "SECONDARY", "REFORMATTED"]), Reason.SECONDARY),
        (header(ImageType=None), Reason.SECONDARY),
        (header(PhotometricInterpretation="RGB", BitsStored=8), Reason.COLOUR),
        (header(BitsStored=8), Reason.COLOUR),
    ],
)  # fmt: skip
def test_what_may_show_identity_is_refused(dataset: Dataset, reason: Reason) -> None:
    assert refusal(reason) == decide(dataset, NO_RULES)


@pytest.mark.parametrize(
    "dataset",
    [
        header(),
        header(ImageType=["DERIVED", "PRIMARY", "MPR"]),
        header(f"{ROOT}.4", Modality="MR"),
        header(f"{ROOT}.128", Modality="PT"),
        header(f"{ROOT}.1", Modality="CR", BurnedInAnnotation="NO"),
        header(f"{ROOT}.1.1", Modality="DX", BurnedInAnnotation="NO"),
        header(f"{ROOT}.481.1", Modality="RTIMAGE", BurnedInAnnotation="NO", ConversionType="DI"),
        header(f"{ROOT}.66.4", Modality="SEG", BitsStored=1),
        header(f"{ROOT}.30", Modality="OT"),
        header(f"{ROOT}.77.1.6", Modality="SM", SpecimenLabelInImage="NO", BurnedInAnnotation="NO"),
        header(BodyPartExamined="HEAD"),
    ],
)
def test_what_shows_no_identity_passes(dataset: Dataset) -> None:
    assert Pass() == decide(dataset, NO_RULES)


@pytest.mark.parametrize("sop_class", [f"{ROOT}.104.1", f"{ROOT}.104.2", f"{ROOT}.104.3", f"{ROOT}.104.5"])
def test_an_encapsulated_document_is_refused_whatever_the_rules(sop_class: str) -> None:
    document = Dataset()
    document.SOPClassUID = sop_class

    assert refusal(Reason.DOCUMENT) == decide(document, rules(sop_class=sop_class))


@pytest.mark.parametrize(
    ("end", "reason"), [("9.4.1", Reason.AUDIO), ("68.1", Reason.PHOTOGRAPH), ("77.1.4.1", Reason.VIDEO)]
)
def test_voices_face_scans_and_videos_are_refused_whatever_the_rules(end: str, reason: Reason) -> None:
    assert refusal(reason) == decide(header(f"{ROOT}.{end}"), rules(sop_class=f"{ROOT}.{end}"))


def test_a_video_is_known_by_its_transfer_syntax() -> None:
    dataset = header(f"{ROOT}.77.1.1", Modality="ES")
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.4.102"  # MPEG-4 AVC/H.264 High Profile

    assert refusal(Reason.VIDEO) == decide(dataset, rules(sop_class=f"{ROOT}.77.1.1"))


def test_pixels_that_lie_on_a_server_are_refused() -> None:
    assert refusal(Reason.ELSEWHERE) == decide(header(PixelDataProviderURL="https://pacs/1"), NO_RULES)


def test_an_object_without_pixels_passes() -> None:
    report = Dataset()
    report.SOPClassUID, report.Modality = f"{ROOT}.88.33", "SR"

    assert Pass() == decide(report, NO_RULES)
    assert refusal(Reason.GEOMETRY) == decide(report, NO_RULES, pixels=True)


def test_an_image_without_rows_is_refused_unless_the_caller_knows_that_it_has_no_pixels() -> None:
    image = Dataset()
    image.SOPClassUID, image.Modality = f"{ROOT}.2", "CT"

    assert refusal(Reason.GEOMETRY) == decide(image, NO_RULES)
    assert Pass() == decide(image, NO_RULES, pixels=False)


def test_an_overlay_in_the_bits_beside_the_pixels_is_cleaned() -> None:
    dataset = header()
    dataset.add_new((0x6002, 0x0102), "US", 12)

    assert Blank(()) == decide(dataset, NO_RULES)


US = {"sop_class": "UltrasoundImageStorage", "manufacturer": "acme", "model": ["Scan 1"], "rows": 512, "columns": 512}


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        ({}, Blank((Rectangle(**TOP),))),
        ({"BurnedInAnnotation": "YES"}, Blank((Rectangle(**TOP),))),
        ({"ManufacturerModelName": " SCAN 1 "}, Blank((Rectangle(**TOP),))),
        ({"ManufacturerModelName": "Scan 12"}, refusal(Reason.ULTRASOUND)),
        ({"Manufacturer": "Acme Medical"}, refusal(Reason.ULTRASOUND)),
        ({"Rows": 600}, refusal(Reason.ULTRASOUND)),
        ({"Columns": 600}, refusal(Reason.ULTRASOUND)),
        ({"SOPClassUID": f"{ROOT}.7"}, refusal(Reason.SECONDARY_CAPTURE)),
        ({"ImageType": ["DERIVED", "SECONDARY", "REPORT"]}, refusal(Reason.SCREEN)),
    ],
)
def test_rectangles_of_a_rule_are_for_its_device_and_size_only(
    attributes: dict[str, object], expected: Decision
) -> None:
    dataset = header(f"{ROOT}.6.1", Modality="US")
    for keyword, value in attributes.items():
        setattr(dataset, keyword, value)

    assert expected == decide(dataset, rules(**US, rectangles=[TOP]))


@pytest.mark.parametrize(
    ("conditions", "attributes", "expected"),
    [
        ({"modality": "CR"}, {}, Pass()),
        ({"modality": ["DX", "CR"]}, {}, Pass()),
        ({"modality": "DX"}, {}, refusal(Reason.ANNOTATION_UNKNOWN)),
        ({"software": "2.0"}, {"SoftwareVersions": ["1.0", "2.0"]}, Pass()),
        ({"software": "2.0"}, {"SoftwareVersions": "2.0.1"}, refusal(Reason.ANNOTATION_UNKNOWN)),
        ({"image_type": ["AXIAL", "ORIGINAL"]}, {}, Pass()),
        ({"image_type": ["AXIAL", "DERIVED"]}, {}, refusal(Reason.ANNOTATION_UNKNOWN)),
        ({}, {"BurnedInAnnotation": "YES"}, refusal(Reason.BURNED_IN)),
        ({}, {"ImageType": ["DERIVED", "PRIMARY", "SCREEN SAVE"]}, refusal(Reason.SCREEN)),
        ({"image_type": "SCREEN SAVE"}, {"ImageType": ["DERIVED", "PRIMARY", "SCREEN SAVE"]}, Pass()),
    ],
)
def test_a_rule_without_rectangles_passes_what_it_names(
    conditions: dict[str, object], attributes: dict[str, object], expected: Decision
) -> None:
    dataset = header(f"{ROOT}.1", Modality="CR")
    for keyword, value in attributes.items():
        setattr(dataset, keyword, value)

    assert expected == decide(dataset, rules(sop_class=f"{ROOT}.1", **conditions))


def test_a_rule_lets_a_photograph_out() -> None:
    photograph = header(f"{ROOT}.77.1.4", Modality="XC")

    assert Pass() == decide(photograph, rules(sop_class="VLPhotographicImageStorage", manufacturer="ACME"))


def test_the_rule_with_the_most_conditions_is_obeyed() -> None:
    device = {"sop_class": f"{ROOT}.6.1", "manufacturer": "Acme", "model": "Scan 1", "rows": 512, "columns": 512}
    low = {**TOP, "top": 472}
    both = PixelRules.model_validate(
        {"rule": [{"name": "newer", **device, "software": "2", "rectangles": [low]},
                  {"name": "any", **device, "rectangles": [TOP]}]}
    )  # fmt: skip

    assert Blank((Rectangle(**low),)) == decide(header(f"{ROOT}.6.1", SoftwareVersions="2"), both)
    assert Blank((Rectangle(**TOP),)) == decide(header(f"{ROOT}.6.1", SoftwareVersions="1"), both)


def test_every_reason_has_a_sentence() -> None:
    assert set(Reason) == set(SENTENCES)


def test_no_real_capture_ultrasound_or_film_passes_and_no_decision_fails(test_data: Path) -> None:
    seen = passed = 0
    for path in sorted((test_data / "dicom").rglob("*")):
        try:
            dataset = pydicom.dcmread(path, stop_before_pixels=True)
        except (pydicom.errors.InvalidDicomError, OSError, ValueError, KeyError, NotImplementedError, TypeError):
            continue
        decision = decide(dataset, NO_RULES)
        seen += 1
        passed += decision == Pass()
        if path.parent.name in {"us", "cxr"} or "Secondary Capture" in getattr(dataset.get("SOPClassUID"), "name", ""):
            assert isinstance(decision, Refuse), path.name
    assert seen > 250
    assert passed > 100
