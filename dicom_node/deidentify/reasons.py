"""Why an object's pixels are not let out, in words that hold nothing of the object."""

from __future__ import annotations

from enum import StrEnum


class Reason(StrEnum):
    """Codes of refusal; `SENTENCES` says each of them to a person."""

    ANNOTATION_UNKNOWN = "annotation-unknown"
    AUDIO = "audio"
    BURNED_IN = "burned-in"
    CLASS_UNKNOWN = "class-unknown"
    COLOUR = "colour"
    DIGITISED = "digitised"
    DOCUMENT = "document"
    ELSEWHERE = "elsewhere"
    GEOMETRY = "geometry"
    PHOTOGRAPH = "photograph"
    RECOGNIZABLE = "recognizable"
    SCREEN = "screen"
    SECONDARY = "secondary"
    SECONDARY_CAPTURE = "secondary-capture"
    SLIDE_LABEL = "slide-label"
    ULTRASOUND = "ultrasound"
    UNSPECIFIC = "unspecific"
    VIDEO = "video"


SENTENCES = {
    Reason.ANNOTATION_UNKNOWN: "Burned In Annotation (0028,0301) is not NO, and devices of this SOP class burn text in",
    Reason.AUDIO: "a voice can name the patient",
    Reason.BURNED_IN: "Burned In Annotation (0028,0301) is YES, and no rule says where the text stands",
    Reason.CLASS_UNKNOWN: "SOP Class UID (0008,0016) is not that of a standard image",
    Reason.COLOUR: "a cross-section in colour or with 8 bits is a picture of a screen until a rule says otherwise",
    Reason.DIGITISED: "a digitised film or a converted image may show the patient's name",
    Reason.DOCUMENT: "an encapsulated document or mesh cannot be searched for the patient",
    Reason.ELSEWHERE: "the pixels lie elsewhere (Pixel Data Provider URL, (0028,7FE0))",
    Reason.GEOMETRY: "there are pixels, but Rows and Columns do not say of what size",
    Reason.PHOTOGRAPH: "a photograph or surface scan may show a face or a written name",
    Reason.RECOGNIZABLE: "Recognizable Visual Features (0028,0302) is YES, and features are not cleaned",
    Reason.SCREEN: "Image Type or Series Description tells of a screen capture, dose sheet or report",
    Reason.SECONDARY: "Image Type is SECONDARY and Burned In Annotation (0028,0301) is not NO",
    Reason.SECONDARY_CAPTURE: "a secondary capture mostly shows a screen or a paper, with the patient's name",
    Reason.SLIDE_LABEL: "a slide's label or overview shows what is written on the slide",
    Reason.ULTRASOUND: "ultrasound devices write the patient's name into the image",
    Reason.UNSPECIFIC: "the modality is absent or does not say what made the image",
    Reason.VIDEO: "a video cannot be searched for the patient",
}  # fmt: skip
