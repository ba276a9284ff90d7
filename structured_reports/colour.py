"""Relative activation as colour over a film.

The table is inferno between .35 and .95: lightness rises with the value, and it stays readable for
colour-blind readers; the dark end would look like lung.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

# 256 entries of red, green, blue; inferno by S. van der Walt and N. Smith (matplotlib, CC0)
INFERNO_CUT: NDArray[np.uint8] = np.frombuffer(
    bytes.fromhex(
        "7f1e6c801f6c811f6c82206c83206b84206b85216b86216b87216b88226a88226a8a226a8b226a8c23698d23698d2369"
        "8f24698f24699025689125689225689326679426679526679627669727669827669927669a28659b29649b29649d2964"
        "9e29649f2a63a02a63a02a63a22b62a22b62a32c61a42c60a52c60a62d60a72d60a82e5fa92e5ea92e5eab2f5eac2f5e"
        "ad305dae305cae305cb0315bb0315bb1325ab2325ab3325ab43359b53359b63458b73557b83557b93556b93556ba3655"
        "bb3754bc3754bd3853be3853bf3952c03a51c03a51c13a50c23a50c33b4fc43c4ec43c4ec63d4dc63d4dc73e4cc83f4b"
        "c83f4bca404aca404acb4149cc4248cc4248ce4347ce4347cf4446d04545d04545d24644d24644d34743d44842d44842"
        "d54a41d64a40d74b3fd84c3ed84c3ed94d3dd94d3dda4e3cdb4f3bdc503bdd513add5139de5238df5337df5437e05536"
        "e05536e15635e25734e25834e35933e35932e45a31e55b30e55c30e65d2fe65d2fe75e2ee85f2de8602de9612be9622b"
        "ea632aeb6429eb6429eb6628eb6627ec6726ed6825ed6925ee6a24ee6b24ef6c23ef6d22ef6e21f06f20f07020f1711f"
        "f1721ef1731df2741cf2751cf3761bf3771af37819f47918f47a18f57b17f57c16f57d15f67e14f67f14f68013f78112"
        "f78212f78410f78410f8850ff8860ef8870ef8890cf88a0cf98b0bf98c0af98c0af98e09f98f09fa9008fa9107fa9207"
        "fa9407fa9507fb9606fb9706fb9706fb9906fb9a06fb9b06fb9c07fb9d07fc9f07fca007fca108fca209fca309fca50a"
        "fca50bfca60cfca70dfca80efcaa0ffcab10fcac11fcad12fcae12fcb014fcb115fcb216fcb317fcb418fbb61afbb71b"
        "fbb81dfbb91efbba1ffbbc21fbbd22fbbe23fabf25fac026fac228fac329fac42afac52cfac62df9c72ff9c830f9c932"
        "f9ca34f9cc36f8cd37f8ce38f8cf3af7d03cf7d13ef7d340f7d441f6d543f6d645f6d747f5d949f5da4af5db4cf4dc4e"
        "f4de50f4df52f4e054f4e156f3e259f3e35bf3e55df3e55ff2e661f2e764f2e866f2ea68f2eb6bf1ec6df1ed70f1ee72"
    ),
    dtype=np.uint8,
).reshape(256, 3)

_CLEAR_BELOW = 0.25  # of the peak: the film is untouched there
_GAMMA = 0.8
_OPAQUE = 0.45  # at the peak: anatomy stays visible


def opacity() -> NDArray[np.float64]:
    """Return how much of the colour is laid over the film, for 256 steps up to the peak."""
    level = np.linspace(0.0, 1.0, 256)
    ramp = np.clip((level - _CLEAR_BELOW) / (1.0 - _CLEAR_BELOW), 0.0, 1.0)
    return np.asarray(_OPAQUE * ramp**_GAMMA)


def overlaid(display: NDArray[np.uint8], saliency: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Return the film with its map, (rows, columns, 3), red first.

    Works in bytes and tables throughout: a film of five megapixels in tens of milliseconds.
    """
    peak = float(saliency.max(initial=0.0)) or 1.0
    level = cv2.convertScaleAbs(saliency, alpha=255.0 / peak)
    alpha = opacity()
    film = cv2.multiply(display, cv2.LUT(level, np.round(255 * (1 - alpha)).astype(np.uint8)), scale=1 / 255)
    colours = np.round(INFERNO_CUT * alpha[:, None]).astype(np.uint8)
    planes = [cv2.add(film, cv2.LUT(level, np.ascontiguousarray(colours[:, plane]))) for plane in range(3)]
    return np.asarray(cv2.merge(planes), dtype=np.uint8)
