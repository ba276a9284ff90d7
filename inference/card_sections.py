"""The tables of a card that say what a model gives: files, findings, outputs, map and device."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from inference.terminology import fault_of_code
from inference.types import Code, Finding

CLASS_ACTIVATION, GRAD_CAM = "class-activation", "grad-cam"
# What each method is called in a result (CID 217).
METHOD_CODES = {"130402": CLASS_ACTIVATION, "130403": GRAD_CAM}


class Section(BaseModel):
    """A table of the card."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class CodeSection(Section):
    """A coded concept (PS3.3 8.8)."""

    value: Annotated[str, Field(min_length=1, max_length=16)]  # VR SH of CodeValue
    scheme: Annotated[str, Field(min_length=1, max_length=16)]
    meaning: Annotated[str, Field(min_length=1, max_length=64)]  # VR LO

    @model_validator(mode="after")
    def _can_be(self) -> CodeSection:
        fault = fault_of_code(self.value, self.scheme, self.meaning)
        if fault:
            raise ValueError(fault)
        return self

    def code(self) -> Code:
        """Return the value that results carry."""
        return Code(self.value, self.scheme, self.meaning)


class ExplanationSection(CodeSection):
    """How maps are made, and the coded concept that results carry for it.

    Attributes
    ----------
    method
        ``class-activation``: exact, from a head that is linear after a mean, or given by the file itself;
        ``grad-cam``: weighted by gradients (Selvaraju et al., ICCV 2017).
    """

    method: Literal["class-activation", "grad-cam"] = "class-activation"

    @model_validator(mode="after")
    def _is_its_code(self) -> ExplanationSection:
        coded = METHOD_CODES.get(self.value) if self.scheme == "DCM" else None
        if coded not in (None, self.method):
            raise ValueError(f"method: {self.method}; {self.value} of DCM is {coded} (CID 217)")
        return self


class FindingText(Section):
    """A finding without what validation data decide.

    Attributes
    ----------
    references
        Literature on it, as one cites it; results carry them.
    """

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]*$")]
    code: CodeSection
    site: CodeSection
    references: tuple[Annotated[str, Field(min_length=1, max_length=400)], ...] = ()


class FindingSection(FindingText):
    """A finding with its output, its operating point and its calibration.

    Attributes
    ----------
    index
        Output that it reads, from 0; all findings name theirs, or none does and the order of the card is that of
        the outputs.
    threshold
        Scores that are not below it speak for the finding: at 0 each would, at 1 next to none.
    temperature, shift
        A logit is divided by the one, the other is added, before it is squashed.
    operating_point
        Score after that which becomes 0.5: each side of it is stretched evenly (`op_threshs` of torchxrayvision).
    """

    index: Annotated[int, Field(ge=0)] | None = None
    threshold: Annotated[float, Field(gt=0, lt=1)]
    temperature: Annotated[float, Field(gt=0)] = 1.0
    shift: float = 0.0
    operating_point: Annotated[float, Field(gt=0, lt=1)] | None = None

    def finding(self) -> Finding:
        """Return what scores refer to."""
        return Finding(self.name, self.code.code(), self.site.code(), self.threshold, self.references)


def digest(value: str) -> str:
    """Return a sha256 in small letters; some programs print it in capitals. Raises ValueError for another text."""
    if not re.fullmatch("[0-9a-fA-F]{64}", value):
        raise ValueError(f"{value!r}: 64 hexadecimal digits, as sha256sum prints them")
    return value.lower()


class FileSection(Section):
    """A file of the model folder; it is used only if it is this one."""

    file: Annotated[str, Field(pattern=r"^[\w.-]+$")]
    sha256: Annotated[str, AfterValidator(digest)]


class WeightsSection(FileSection):
    """The file that holds the network.

    Attributes
    ----------
    kind
        Key of `inference.models.folder.KINDS`.
    architecture
        Network of torchvision that a state dictionary belongs to.
    names
        What the tensors of a graph from elsewhere are called: `films`, `logits`, `cams`, `embedding`.
    """

    kind: str = "onnx"
    architecture: str | None = None
    names: dict[Literal["films", "logits", "cams", "embedding"], str] = {}

    def tensor_names(self) -> dict[str, str]:
        """Return what the graph calls each tensor that has another name there."""
        return {str(key): name for key, name in self.names.items()}


class OutputSection(Section):
    """What the network gives.

    Attributes
    ----------
    kind
        ``multi-label``: each output is a question of its own; ``multi-class``: one of them is true; ``single``.
    values
        Before or after sigmoid or softmax.
    count
        Outputs of the network; where findings name no index it is their number.
    """

    kind: Literal["multi-label", "multi-class", "single"] = "multi-label"
    values: Literal["logits", "probabilities"] = "logits"
    count: Annotated[int, Field(ge=1)] | None = None


class DeviceSection(Section):
    """What the model needs of a machine.

    Attributes
    ----------
    kinds
        Devices that it runs on; None: on any that its runtime has.
    memory_mb
        Of all memory that such a device has.
    precision
        In which a kind of torch computes there, float32 where it is not named. `python -m inference precision`
        writes it, where it changes no decision.
    """

    kinds: Annotated[tuple[Literal["cpu", "cuda"], ...], Field(min_length=1)] | None = None
    memory_mb: Annotated[int, Field(ge=1)] | None = None
    precision: dict[Literal["cpu", "cuda"], Literal["float32", "bfloat16", "float16"]] = {}

    def precision_on(self, kind: str) -> str:
        """Return the precision on a kind of device."""
        return {str(key): str(value) for key, value in self.precision.items()}.get(kind, "float32")
