"""From a series to the tensor of a model of volumes."""

# SimpleITK's stubs leave most methods without types.
# mypy: disable-error-code="no-untyped-call"

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import SimpleITK
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from inference.errors import FilmError, UnsuitableFilmError
from inference.film import HEADER_FAULTS, header_fault
from inference.guard import Guard
from inference.preprocessing import PerChannel, scaled_channels, stretched
from inference.projection import allowed_attributes
from inference.stack import Stack
from inference.volume import oriented, resampled, to_volume

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Place:
    """Where the grid of a model lies in the patient.

    Attributes
    ----------
    size
        Slices, rows and columns of the grid.
    origin, spacing_mm, direction
        As SimpleITK has them: x before y before z, in LPS coordinates.
    """

    size: tuple[int, int, int]
    origin: tuple[float, ...]
    spacing_mm: tuple[float, ...]
    direction: tuple[float, ...]

    def image(self, cells: Floats) -> SimpleITK.Image:
        """Return a map of any size, (slices, rows, columns), where it lies in the patient; its cells tile the grid."""
        ratio = np.array(self.size[::-1], float) / np.array(cells.shape[::-1], float)
        spacing = np.array(self.spacing_mm) * ratio
        axes = np.array(self.direction).reshape(3, 3)
        # The first cell's centre lies half a cell, less half a voxel, inside the grid.
        origin = np.array(self.origin) + axes @ ((spacing - np.array(self.spacing_mm)) / 2.0)
        placed = SimpleITK.GetImageFromArray(np.asarray(cells, np.float32))
        placed.SetSpacing(spacing.tolist())
        placed.SetOrigin(origin.tolist())
        placed.SetDirection(self.direction)
        return placed


@dataclass(frozen=True)
class PreparedVolume:
    """A series on the grid of a model; able to travel between processes.

    Attributes
    ----------
    tensor
        float32, (channels, slices, rows, columns), normalised.
    place
        Where the grid lies.
    stack
        Where the slices lie that it was made of.
    """

    tensor: Floats
    place: Place
    stack: Stack
    attributes: Mapping[str, str]


@dataclass(frozen=True)
class SeriesGuard(Guard):
    """What the header of each slice must say. It has no view: its place in the patient says how it lies."""

    def _localizer(self, attributes: Mapping[str, str]) -> FilmError | None:
        if super()._localizer(attributes) is None:
            return None
        return UnsuitableFilmError("localizer", "ImageType: LOCALIZER; the model reads series of slices")

    def _view(self, attributes: Mapping[str, str]) -> FilmError | None:
        return None

    def _orientation(self, attributes: Mapping[str, str]) -> FilmError | None:
        return None


@dataclass(frozen=True)
class VolumePreprocessing:
    """How a model wants its volumes; part of the model, and written in its card.

    Attributes
    ----------
    size, spacing_mm
        Slices, rows and columns of the grid, and the distances between them. The grid lies around the centre of the
        series; what it does not cover is left out, and where there is no series it is black.
    window
        Values of the modality that become 0.0 and 1.0; None where `percentiles` of the grid do.
    orientation
        Sides of the patient towards which columns, rows and slices run.
    """

    size: tuple[int, int, int]
    spacing_mm: tuple[float, float, float]
    mean: PerChannel
    deviation: PerChannel
    window: tuple[float, float] | None = None
    percentiles: tuple[float, float] | None = None
    channels: int = 1
    orientation: str = "LPS"

    def prepare(self, slices: Sequence[Dataset]) -> PreparedVolume:
        """Return one series on the grid of the model.

        Raises
        ------
        FilmError
            As `inference.volume.to_volume`; also a volume without contrast (`pixels`).
        """
        try:
            volume = resampled(oriented(to_volume(slices), self.orientation), self.spacing_mm[::-1])
            stack, attributes = Stack.of(slices), allowed_attributes(slices[0])
        except HEADER_FAULTS as error:
            raise header_fault("a slice", error) from error
        values, origin = self._centred(volume)
        tensor = scaled_channels(self._levels(values), self.channels, self.mean, self.deviation)
        place = Place(self.size, origin, tuple(volume.GetSpacing()), tuple(volume.GetDirection()))
        return PreparedVolume(tensor, place, stack, attributes)

    def _centred(self, volume: SimpleITK.Image) -> tuple[Floats, tuple[float, ...]]:
        """Return the values on the grid, NaN where there is no series, and the centre of its first voxel."""
        values = np.asarray(SimpleITK.GetArrayFromImage(volume), np.float32)
        grid = np.full(self.size, np.nan, np.float32)
        first = [(have - want) // 2 for have, want in zip(values.shape, self.size, strict=True)]
        source = tuple(slice(max(0, at), max(0, at) + min(have, want)) for at, have, want in
                       zip(first, values.shape, self.size, strict=True))  # fmt: skip
        target = tuple(slice(max(0, -at), max(0, -at) + min(have, want)) for at, have, want in
                       zip(first, values.shape, self.size, strict=True))  # fmt: skip
        grid[target] = values[source]
        return grid, tuple(volume.TransformContinuousIndexToPhysicalPoint([float(at) for at in first[::-1]]))

    def _levels(self, values: Floats) -> Floats:
        """Return values of the modality in [0, 1], black where there is no series."""
        inside = np.isfinite(values)
        shown = values[inside]
        if not shown.size or shown.min() == shown.max():
            raise UnsuitableFilmError("pixels", "pixels: every voxel has one value; a volume has contrast")
        levels = np.zeros(values.shape, np.float32)
        if self.window is not None:
            low, high = self.window
            levels[inside] = np.clip((shown - low) / (high - low), 0.0, 1.0)
        elif self.percentiles is not None:
            levels[inside] = stretched(shown, self.percentiles)
        return levels
