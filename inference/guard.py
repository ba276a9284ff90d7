"""Which films a model may read, by the header alone.

A reason reaches results, consoles and logs: it quotes terms of the standard alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from inference.errors import FilmError, UnsuitableFilmError
from inference.header_terms import quoted, quoted_directions
from inference.orientation import directions_of, orientation_of

# CID 4010 "DX View", with the retired SNOMED-RT values that old writers still use.
VIEW_CODES: Mapping[str, str] = {
    "399348003": "AP", "R-10206": "AP",
    "272479007": "PA", "R-10214": "PA",
}  # fmt: skip
# Rows or columns that run from front to back are those of a lateral film (PS3.3 C.7.6.1.1.1).
FRONT_AND_BACK = frozenset("AP")


@dataclass(frozen=True)
class Guard:
    """What a header must say; an element that is absent or empty says nothing against the film.

    Attributes
    ----------
    modalities, body_parts, views
        Accepted values. A body part is accepted if it contains one of them: ``PORT CHEST``.
    """

    modalities: tuple[str, ...]
    body_parts: tuple[str, ...]
    views: tuple[str, ...]

    def refusal(self, attributes: Mapping[str, str]) -> FilmError | None:
        """Return why the model must not read a film, or None; a picture without header passes."""
        checks = (
            self._modality,
            self._intent,
            self._localizer,
            self._phantom,
            self._body_part,
            self._view,
            self._orientation,
        )
        return next((refusal for check in checks if (refusal := check(attributes))), None)

    def _modality(self, attributes: Mapping[str, str]) -> FilmError | None:
        modality = attributes.get("Modality", "").upper()
        if not attributes or modality in self.modalities:
            return None
        return UnsuitableFilmError(
            "modality",
            f"{quoted('Modality', modality) if modality else 'Modality: absent'}; "
            f"the model reads {' and '.join(self.modalities)}",
        )

    def _intent(self, attributes: Mapping[str, str]) -> FilmError | None:
        intent = attributes.get("PresentationIntentType", "").upper()
        if intent != "FOR PROCESSING":
            return None
        return UnsuitableFilmError(
            "intent",
            "PresentationIntentType: FOR PROCESSING; the model reads films for presentation (PS3.3 C.8.11.1)",
        )

    def _localizer(self, attributes: Mapping[str, str]) -> FilmError | None:
        values = attributes.get("ImageType", "").upper().split("\\")
        if "LOCALIZER" not in values:
            return None
        return UnsuitableFilmError("localizer", "ImageType: LOCALIZER; the model reads films")

    def _phantom(self, attributes: Mapping[str, str]) -> FilmError | None:
        # PS3.3 C.8.11.1 and C.7.6.1: BOTH is an image of a person that shows a phantom as well.
        control = attributes.get("QualityControlImage", "").upper()
        if control not in {"YES", "BOTH"}:
            return None
        return UnsuitableFilmError(
            "phantom", f"QualityControlImage: {control}; the model reads films of persons, without a phantom"
        )

    def _body_part(self, attributes: Mapping[str, str]) -> FilmError | None:
        part = attributes.get("BodyPartExamined", "").upper()
        if not part or any(accepted in part for accepted in self.body_parts):
            return None
        return UnsuitableFilmError(
            "body-part", f"{quoted('BodyPartExamined', part)}; the model reads {' or '.join(self.body_parts)}"
        )

    def _view(self, attributes: Mapping[str, str]) -> FilmError | None:
        view, code = attributes.get("ViewPosition", "").upper(), attributes.get("ViewCodeSequence", "")
        named = view.replace("-", "").split()
        if named:
            return None if named[0] in self.views else self._wrong_view(quoted("ViewPosition", named[0]))
        if code and VIEW_CODES.get(code) not in self.views:
            return self._wrong_view(quoted("ViewCodeSequence", code))
        return None

    def _orientation(self, attributes: Mapping[str, str]) -> FilmError | None:
        directions = directions_of(attributes)
        if any(direction[:1] in FRONT_AND_BACK for direction in directions):
            return self._wrong_view(quoted_directions(directions))
        try:
            orientation_of(attributes)
        except UnsuitableFilmError as refusal:
            return refusal
        return None

    def _wrong_view(self, found: str) -> FilmError:
        return UnsuitableFilmError("view", f"{found}; the model reads {' and '.join(self.views)}")
