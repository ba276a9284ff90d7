"""Brings recorded results to PACS, EHR and folders, with proof."""

from dicom_node.deliver.errors import DeliveryError, DestinationUnavailableError, RejectedError
from dicom_node.deliver.kinds import DESTINATIONS
from dicom_node.deliver.port import Acceptance, Destination

__all__ = [
    "DESTINATIONS",
    "Acceptance",
    "DeliveryError",
    "Destination",
    "DestinationUnavailableError",
    "RejectedError",
]
