"""How a bundle refers to what the target server has."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class FhirOptions:
    """One target server.

    Attributes
    ----------
    patient_system
        URI of the identifier system of PatientID, as the server knows it; None where PatientID is searched
        without a system.
    create_patient
        True sends the patient as well, created only if the server has none with this identifier: for test
        servers. A hospital's patients come from its own registration.
    """

    patient_system: str | None = None
    create_patient: bool = False
