"""The table of destinations: one line and one file each."""

from __future__ import annotations

from collections.abc import Mapping

from dicom_node.deliver.c_store import StorageSCU
from dicom_node.deliver.fhir import FhirServer
from dicom_node.deliver.folder import Folder
from dicom_node.deliver.port import Destination

DESTINATIONS: Mapping[str, type[Destination]] = {
    "c-store": StorageSCU,
    "fhir": FhirServer,
    "folder": Folder,
}
"""By the ``kind`` of a ``[[destination]]`` table of the settings."""
