"""Serving a model: one process a device, many threads that ask."""
