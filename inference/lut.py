"""Lookup tables of the Modality and the VOI LUT."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from inference.errors import UnreadablePixelsError

Floats = NDArray[np.float32]

MOST_BITS = 16  # PS3.3 C.11.1.1 and C.11.2.1.1


@dataclass(frozen=True)
class LookupTable:
    """Output for each input from `first` on (PS3.3 C.11.1.1).

    Attributes
    ----------
    ceiling
        Largest output that the table's bits allow, or its largest entry where writers exceeded them.
    """

    first: int
    entries: Floats
    ceiling: float

    @classmethod
    def of(cls, item: Dataset, name: str) -> LookupTable:
        """Return the table in an item of a sequence.

        Raises
        ------
        UnreadablePixelsError
            Descriptor or entries are absent, the descriptor says more bits than entries have, or there are fewer
            entries than it says.
        """
        descriptor, entries = item.get("LUTDescriptor"), item.get("LUTData")
        if descriptor is None or len(descriptor) != 3 or not entries:
            raise UnreadablePixelsError("pixels", f"{name}: LUTDescriptor of three values and LUTData are required")
        count, first, bits = (int(part) for part in descriptor)
        if not 1 <= bits <= MOST_BITS:
            raise UnreadablePixelsError("pixels", f"{name}: LUTDescriptor says {bits} bits; an entry has 1 to 16")
        count = count or 1 << 16  # 0 stands for 65 536 (PS3.3 C.11.1.1)
        table = entry_values(entries, count)
        if table.size < count:
            raise UnreadablePixelsError(
                "pixels", f"{name}: LUTData has {table.size} entries, LUTDescriptor says {count}"
            )
        return cls(first, table[:count], float(max((1 << bits) - 1, table.max())))

    def outputs(self, values: NDArray[np.generic]) -> Floats:
        """Return the output for each value; beyond the table's ends, that of the end (PS3.3 C.11.1.1.1)."""
        index = np.asarray(values).astype(np.int64) - self.first
        return self.entries[np.clip(index, 0, self.entries.size - 1)]


def entry_values(entries: object, count: int) -> Floats:
    """Return table entries; in VR OW they are words, or bytes where there are no more bytes than entries."""
    if isinstance(entries, bytes):
        return np.frombuffer(entries, "<u2" if len(entries) >= 2 * count else "u1").astype(np.float32)
    return np.atleast_1d(np.asarray(entries, np.float32))
