"""Routes for research: copies of what arrives, de-identified."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import Field, model_validator

from dicom_node.deliver.c_store import StorageSCU
from dicom_node.deliver.port import Name
from dicom_node.routing import Rule
from dicom_node.section import Section


class ResearchSettings(Section):
    """Where de-identified copies of studies go.

    Attributes
    ----------
    profile
        Of `[deidentification.profiles]`.
    directory
        Folder for the copies and the reports. With a PACS, for the reports, and for copies until the PACS has them.
    pacs
        Where the copies are sent: the keys of a destination of kind ``c-store``, without kind and name.
    when
        Which instances are copied; empty for all.
    """

    name: Name
    directory: Path
    profile: str = "basic"
    pacs: StorageSCU | None = None
    when: Rule = Field(default={})

    @model_validator(mode="before")
    @classmethod
    def _name_the_pacs(cls, table: Any) -> Any:  # noqa: ANN401 - TOML gives anything
        if not isinstance(table, dict) or not isinstance(table.get("pacs"), dict):
            return table
        return table | {"pacs": {"name": table.get("name"), **table["pacs"]}}


def require_apart(routes: Sequence[ResearchSettings], data_dir: Path) -> None:
    """Raise where folders of routes are not apart: one profile's copies would stand in the way of another's.

    Raises
    ------
    ValueError
        One equals another or the data directory, or lies within it or around it; both keys are named.
    """
    taken = {"node.data_dir": data_dir.resolve()}
    for number, route in enumerate(routes):
        key, folder = f"research.{number}.directory", route.directory.resolve()
        for other, its in taken.items():
            if folder.is_relative_to(its) or its.is_relative_to(folder):
                raise ValueError(f"{key}: {folder} is not apart from {its} ({other}); a route has a folder of its own")
        taken[key] = folder
