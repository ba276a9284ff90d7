"""Writes predictions down: SR, Secondary Capture, FHIR. No network, no model.

`structured_reports.port` says what goes in and out, `structured_reports.build` makes the objects. Importing
this package loads neither of them, so that a receiver can ask `structured_reports.provenance.is_own` cheaply.
"""
