"""How pixels are stored, and which stored value is black on display.

References
----------
* DICOM Standard, Part 3, C.7.6.3 (Image Pixel), C.7.6.3.1.2 (Photometric Interpretation), C.7.9 (Palette Color LUT)
* DICOM Standard, Part 5, 8.1.1 and 8.2 (native pixel data), 7.3 (byte order)
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.pixels.processing import apply_color_lut

from dicom_node.deidentify.rectangles import Rectangle
from dicom_node.errors import NodeError

_SUBSAMPLED = {"YBR_FULL_422", "YBR_PARTIAL_422"}
# Luma of ITU-R BT.601, which YBR_FULL is made with (PS3.3 C.7.6.3.1.2).
_LUMA = np.array([0.299, 0.587, 0.114])


class UnblankableError(NodeError):
    """Nothing can be blacked out in these pixels; the message names the attribute, the value and the rule."""


@dataclass(frozen=True)
class StoredPixels:
    """The attributes of the Image Pixel Module that say how a value is stored."""

    rows: int
    columns: int
    frames: int
    samples: int
    photometric: str
    planar: int
    bits_allocated: int
    bits_stored: int
    high_bit: int
    signed: bool

    def __post_init__(self) -> None:
        """Refuse what has no whole number of bytes a sample, or contradicts itself."""
        if self.bits_allocated not in {8, 16, 32, 64}:
            raise UnblankableError(f"Bits Allocated {self.bits_allocated}: only 8, 16, 32 and 64 can be blacked out")
        if not 1 <= self.bits_stored <= self.high_bit + 1 <= self.bits_allocated:
            raise UnblankableError(
                f"Bits Stored {self.bits_stored} and High Bit {self.high_bit} do not fit into "
                f"Bits Allocated {self.bits_allocated} (PS3.5 8.1.1)"
            )
        if self.is_subsampled and (self.columns % 2 or self.planar or self.bits_allocated != 8):
            raise UnblankableError(f"{self.photometric} needs even Columns, 8 bits and Planar Configuration 0")

    @classmethod
    def of(cls, dataset: Dataset) -> StoredPixels:
        """Return what a header says.

        Raises
        ------
        UnblankableError
            An attribute is absent, or its value cannot be blacked out.
        """
        try:
            bits_stored = int(dataset.BitsStored)
            return cls(
                rows=int(dataset.Rows),
                columns=int(dataset.Columns),
                frames=int(dataset.get("NumberOfFrames") or 1),
                samples=int(dataset.SamplesPerPixel),
                photometric=str(dataset.PhotometricInterpretation).strip(),
                planar=int(dataset.get("PlanarConfiguration") or 0) if dataset.SamplesPerPixel > 1 else 0,
                bits_allocated=int(dataset.BitsAllocated),
                bits_stored=bits_stored,
                high_bit=int(dataset.get("HighBit", bits_stored - 1)),
                signed=dataset.get("PixelRepresentation") == 1,
            )
        except (AttributeError, TypeError, ValueError) as error:
            raise UnblankableError("the Image Pixel Module lacks an attribute of Type 1 (PS3.3 C.7.6.3)") from error

    def decoded(self, meta: dict[str, str | int]) -> StoredPixels:
        """Return how one decoded frame is stored, of which a decoder tells what it changed."""
        bits_stored = int(meta["bits_stored"])
        # A codec gives every pixel its own colour, whatever the header said of its input.
        photometric = "YBR_FULL" if self.is_subsampled else str(meta["photometric_interpretation"])
        return replace(
            self,
            frames=1,
            photometric=photometric,
            planar=0,
            bits_allocated=int(meta["bits_allocated"]),
            bits_stored=bits_stored,
            high_bit=bits_stored - 1,
            signed=meta["pixel_representation"] == 1,
        )

    @property
    def is_subsampled(self) -> bool:
        """Return whether two pixels share their colour: Y1 Y2 Cb Cr."""
        return self.photometric in _SUBSAMPLED

    @property
    def shape(self) -> tuple[int, ...]:
        """The axes of the stored samples, frames first."""
        if self.is_subsampled:
            return self.frames, self.rows, self.columns // 2, 4
        if self.planar:
            return self.frames, self.samples, self.rows, self.columns
        return self.frames, self.rows, self.columns, self.samples

    @property
    def dtype(self) -> np.dtype[np.integer]:
        """The type of a stored sample, in the order of bytes of this machine."""
        return np.dtype(f"{'i' if self.signed else 'u'}{self.bits_allocated // 8}")

    def fill(self, samples: NDArray[np.integer], rectangles: tuple[Rectangle, ...], black: NDArray[np.integer]) -> None:
        """Write black into rectangles of all frames, in place; `samples` has `shape`.

        Of two pixels that share their colour both become black.
        """
        for place in rectangles:
            rows = slice(place.top, place.bottom)
            if self.is_subsampled:
                samples[:, rows, place.left // 2 : (place.right + 1) // 2, :] = black[[0, 0, 1, 2]]
            elif self.planar:
                samples[:, :, rows, place.left : place.right] = black[:, None, None]
            else:
                samples[:, rows, place.left : place.right, :] = black


def black_of(dataset: Dataset, stored: StoredPixels) -> NDArray[np.integer]:
    """Return the stored samples of a black pixel, (samples,), of the stored type.

    Raises
    ------
    UnblankableError
        The photometric interpretation has no known black, or its palette cannot be read.
    """
    middle = 1 << (stored.bits_stored - 1)
    colours = {
        "RGB": (0, 0, 0),
        "YBR_FULL": (0, middle, middle),
        "YBR_FULL_422": (0, middle, middle),
        "YBR_PARTIAL_422": (16, 128, 128),  # black and neutral of the retired partial range
    }
    if stored.samples == 3 and stored.photometric in colours:
        return np.array(colours[stored.photometric], stored.dtype)
    if stored.samples == 1 and stored.photometric in {"MONOCHROME1", "MONOCHROME2"}:
        value = _darkest_grey(dataset, stored)
    elif stored.samples == 1 and stored.photometric == "PALETTE COLOR":
        value = _darkest_index(dataset, stored)
    else:
        raise UnblankableError(
            f"Photometric Interpretation {stored.photometric} with {stored.samples} samples has no known black"
        )
    shift = stored.high_bit + 1 - stored.bits_stored
    return np.array([value << shift], stored.dtype)


def _darkest_grey(dataset: Dataset, stored: StoredPixels) -> int:
    lowest = -(1 << (stored.bits_stored - 1)) if stored.signed else 0
    highest = lowest + (1 << stored.bits_stored) - 1
    # A negative slope turns the scale round once more (PS3.3 C.11.1.1.2).
    falls = float(dataset.get("RescaleSlope") or 1) < 0
    return highest if (stored.photometric == "MONOCHROME1") != falls else lowest


def _darkest_index(dataset: Dataset, stored: StoredPixels) -> int:
    if stored.signed or stored.bits_stored > 16:
        raise UnblankableError("PALETTE COLOR needs unsigned values of 16 bits at most (PS3.3 C.7.6.3.1.2)")
    indices = np.arange(1 << stored.bits_stored, dtype=stored.dtype).reshape(1, -1)
    try:
        colours = apply_color_lut(indices, dataset)
    except (ValueError, AttributeError, TypeError, IndexError) as error:
        raise UnblankableError("the palette cannot be read (PS3.3 C.7.9)") from error
    return int(np.argmin((colours[0] * _LUMA).sum(axis=-1)))
