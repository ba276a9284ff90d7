"""The one TOML file: read once, checked whole, every fault named at once."""

from __future__ import annotations

import socket
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import (
    Field,
    TypeAdapter,
    ValidationError,
    field_validator,
    model_validator,
)

from dicom_node.deidentify.settings import DeidentificationSettings
from dicom_node.deliver import DESTINATIONS, Destination
from dicom_node.errors import SettingsError
from dicom_node.research_settings import ResearchSettings, require_apart
from dicom_node.routing import CALLED, Rule, matches
from dicom_node.section import Section
from dicom_node.study import AETitle
from inference.models import DEFAULT_MODEL
from inference.models.port import DEVICE
from structured_reports.port import DEFAULT_KINDS, KINDS, POINTING_KINDS

Port = Annotated[int, Field(ge=1, le=65535)]
Seconds = Annotated[float, Field(ge=0, le=3600)]
Device = Annotated[str, Field(pattern=DEVICE)]


class NodeSettings(Section):
    """Who the node is and where it keeps its data."""

    ae_title: AETitle = "AINODE"
    data_dir: Path = Path("dicom-node-data")
    database: str = ""
    name: str = Field(default_factory=lambda: socket.gethostname()[:32], min_length=1, max_length=32)


class ReceiveSettings(Section):
    """The Storage SCP."""

    host: str = "0.0.0.0"  # noqa: S104 - a PACS sends from another host
    port: Port = 11112
    processes: Annotated[int, Field(ge=1, le=32)] = 2
    require_called_ae: bool = True
    calling_ae_titles: tuple[AETitle, ...] = ()
    maximum_associations: Annotated[int, Field(ge=1, le=1000)] = 25
    network_timeout_s: Annotated[float, Field(gt=0, le=3600)] = 60.0
    reserve_mb: Annotated[int, Field(ge=0)] = 1024
    quiet_s: Seconds = 2.0
    quiet_by_sender: Mapping[AETitle, Seconds] = Field(default={})

    def quiet_for(self, calling_ae: str) -> float:
        """Return the quiet time of one sender in seconds."""
        return self.quiet_by_sender.get(calling_ae, self.quiet_s)


class WorkSettings(Section):
    """The processes that read studies: one a device."""

    devices: tuple[Device, ...] = ("cpu",)
    threads: Annotated[int, Field(ge=1, le=64)] = 1
    decoders: Annotated[int, Field(ge=1, le=64)] = 2
    studies_at_once: Annotated[int, Field(ge=1, le=64)] = 2
    poll_s: Annotated[float, Field(ge=0.02, le=10)] = 0.1


class ModelSettings(Section):
    """A model that reads films.

    Attributes
    ----------
    device
        None for that of the worker.
    objects
        Kinds of result objects that are made of what it says.
    required
        Whether a study that the rule means waits for the model while it cannot be used.
    when
        Which instances it is asked about; empty for all.
    """

    folder: Path = DEFAULT_MODEL
    device: Device | None = None
    heatmap: bool = True
    objects: Annotated[tuple[str, ...], Field(min_length=1)] = DEFAULT_KINDS
    required: bool = True
    when: Rule = Field(default={})

    @model_validator(mode="after")
    def _can_be_made(self) -> ModelSettings:
        if unknown := set(self.objects) - set(KINDS):
            raise ValueError(f"objects: {', '.join(sorted(unknown))}: not among {', '.join(KINDS)}")
        pointing = [kind for kind in self.objects if kind in POINTING_KINDS]
        if pointing and not self.heatmap:
            raise ValueError(f"objects: {', '.join(pointing)}: with heatmap = false nothing may point into the image")
        return self


class FhirSettings(Section):
    """How results name the patient to a FHIR server."""

    patient_system: str | None = None
    create_patient: bool = False


class ReportSettings(Section):
    """What is made of a prediction.

    Attributes
    ----------
    not_performed_after_s
        From when a study is complete until it is told that it was not read; 0 for never.
    """

    # Neither backslash nor control characters (PS3.5 6.2, VR LO)
    notice: Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[^\\\x00-\x1f\x7f-\x9f]*$")] = (
        "AI RESULT - NOT FOR DIAGNOSTIC USE"
    )
    not_performed: bool = True
    not_performed_after_s: Annotated[float, Field(ge=0, le=7 * 86400, allow_inf_nan=False)] = 3600.0
    fhir: FhirSettings = FhirSettings()


class Settings(Section):
    """Everything that can be configured; each key has a safe default."""

    node: NodeSettings = NodeSettings()
    receive: ReceiveSettings = ReceiveSettings()
    work: WorkSettings = WorkSettings()
    models: tuple[ModelSettings, ...] = (ModelSettings(),)
    report: ReportSettings = ReportSettings()
    deidentification: DeidentificationSettings = DeidentificationSettings()
    destination: tuple[Any, ...] = ()
    research: tuple[ResearchSettings, ...] = ()

    @field_validator("destination", mode="before")
    @classmethod
    def _build_destinations(cls, tables: Any) -> tuple[Any, ...]:  # noqa: ANN401 - TOML gives anything
        return _destinations(tables)

    @field_validator("models")
    @classmethod
    def _differ(cls, models: tuple[ModelSettings, ...]) -> tuple[ModelSettings, ...]:
        if not models:
            raise ValueError("a node has at least one")
        folders = [model.folder.expanduser().resolve() for model in models]
        twice = [folder for number, folder in enumerate(folders) if folder in folders[:number]]
        if twice:
            raise ValueError(f"two have the folder {twice[0]}; a model is set up once")
        return models

    @model_validator(mode="after")
    def _can_be_called(self) -> Settings:
        here = {CALLED: (self.node.ae_title,)}
        for number, model in enumerate(self.models):
            asked = model.when.get(CALLED)
            if self.receive.require_called_ae and asked and not matches({CALLED: asked}, here):
                raise ValueError(
                    f"models.{number}.when.called: {', '.join(asked)}: with receive.require_called_ae nobody is let in "
                    f"who calls another AE title than {self.node.ae_title}"
                )
        return self

    @model_validator(mode="after")
    def _fill_in(self) -> Settings:
        data_dir = self.node.data_dir.expanduser().resolve()
        filled = {"data_dir": data_dir, "database": self.node.database or f"sqlite:///{data_dir / 'node.db'}"}
        # Frozen for everybody else; a validator is the constructor's last line.
        object.__setattr__(self, "node", self.node.model_copy(update=filled))
        object.__setattr__(self, "deidentification", self.deidentification.kept_in(data_dir))
        return self

    @model_validator(mode="after")
    def _can_be_routed(self) -> Settings:
        taken = [destination.name for destination in self.destinations]
        for number, route in enumerate(self.research):
            if route.profile not in self.deidentification.profiles:
                known = ", ".join(self.deidentification.profiles)
                raise ValueError(f"research.{number}.profile: {route.profile!r} is not one of {known}")
            if route.name in taken:
                raise ValueError(f"research.{number}.name: {route.name!r} is taken; names are unique")
            taken.append(route.name)
        require_apart(self.research, self.node.data_dir)
        return self

    @property
    def destinations(self) -> tuple[Destination, ...]:
        """Where results go; without any in the file, a folder beside the data."""
        return self.destination or (
            DESTINATIONS["folder"](name="results", directory=self.node.data_dir / "results"),  # type: ignore[call-arg]
        )

    @property
    def forms(self) -> frozenset[str]:
        """Forms of results that some destination may be sent beside the first (`structured_reports.forms`)."""
        return frozenset(form for destination in self.destinations for form in destination.forms)


class _FaultsError(ValueError):
    """Several faults of one list, each with its place."""


def _destinations(tables: Any) -> tuple[Any, ...]:  # noqa: ANN401
    if not isinstance(tables, list | tuple) or not all(isinstance(table, dict) for table in tables):
        raise ValueError("destinations are tables: [[destination]]")
    built, faults = [], []
    for index, table in enumerate(tables):
        try:
            built.append(_destination(dict(table)))
        except ValidationError as error:
            faults += [f"destination.{index}.{fault}" for fault in _faults(error)]
        except ValueError as error:
            faults.append(f"destination.{index}.{error}")
    names = [destination.name for destination in built]
    faults += [
        f"destination: two are named {name!r}; names are unique" for name in {n for n in names if names.count(n) > 1}
    ]
    if faults:
        raise _FaultsError("\n".join(faults))
    return tuple(built)


def _destination(table: dict[str, Any]) -> Any:  # noqa: ANN401
    kind = table.pop("kind", None)
    if not isinstance(kind, str) or kind not in DESTINATIONS:
        raise ValueError(f"kind: {kind!r} is not one of {', '.join(DESTINATIONS)}")
    destination = TypeAdapter(DESTINATIONS[kind]).validate_python(table)
    if unknown := set(getattr(destination, "kinds", ())) - set(KINDS):
        raise ValueError(f"kinds: {', '.join(sorted(unknown))}: not among {', '.join(KINDS)}")
    return destination


def load_settings(path: Path | None = None, *, data_dir: Path | None = None) -> Settings:
    """Return the settings of a file, or the defaults.

    Raises
    ------
    SettingsError
        The file cannot be read, is not TOML, or breaks rules; the message lists every fault.
    """
    tables = _read(path) if path else {}
    if data_dir is not None:
        node = tables.setdefault("node", {})
        if isinstance(node, dict):  # whatever else it is, the check below names it
            node["data_dir"] = str(data_dir)
    try:
        return Settings.model_validate(tables)
    except ValidationError as error:
        faults = "\n".join(f"  {fault}" for fault in _faults(error))
        raise SettingsError(f"{path or 'settings'}:\n{faults}") from error


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"{path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: not TOML: {error}") from error


def _faults(error: ValidationError) -> list[str]:
    lines: list[str] = []
    for fault in error.errors():
        cause = fault.get("ctx", {}).get("error")
        if isinstance(cause, _FaultsError):
            lines += str(cause).splitlines()
            continue
        place = ".".join(str(part) for part in fault["loc"] if part != "[key]")
        lines.append(f"{place}: {_sentence(fault)}" if place else _sentence(fault))
    return lines


def _sentence(fault: Any) -> str:  # noqa: ANN401 - pydantic's ErrorDetails
    if fault["type"] in {"extra_forbidden", "unexpected_keyword_argument"}:
        return "unknown key"
    if fault["type"] in {"missing", "missing_argument"}:
        return "this key is required"
    message = str(fault["msg"]).removeprefix("Value error, ")
    return message if fault["type"] == "value_error" else f"{fault['input']!r}: {message}"
