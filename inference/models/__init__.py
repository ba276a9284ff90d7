"""Models that read films: one folder each, of a kind that the table in `folder` knows."""

from inference.models.folder import DEFAULT_MODEL, KINDS, load_any, load_model, load_proven
from inference.models.model import Answer, Model, VolumeModel
from inference.preprocessing import PreparedFilm, Preprocessing

__all__ = [
    "DEFAULT_MODEL",
    "KINDS",
    "Answer",
    "Model",
    "PreparedFilm",
    "Preprocessing",
    "VolumeModel",
    "load_any",
    "load_model",
    "load_proven",
]
