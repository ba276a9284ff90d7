"""The result as one FHIR R4 transaction."""
