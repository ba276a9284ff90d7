"""How colours look: WCAG contrast, difference in CIELAB, and what colour-blind readers see."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

# Machado, Oliveira, Fernandes, IEEE TVCG 15(6), 2009, severity 1.0; they act on linear RGB
VISIONS: dict[str, Floats] = {
    "normal": np.eye(3),
    "protan": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
    "deutan": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    ),
    "tritan": np.array(
        [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]]
    ),
}
# IEC 61966-2-1, to CIE XYZ under D65
_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])


def linear(colours: ArrayLike) -> Floats:
    """Return sRGB bytes, (..., 3), as light from 0 to 1."""
    share = np.asarray(colours, np.float64) / 255
    return np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)


def contrast(one: ArrayLike, other: ArrayLike) -> Floats:
    """Return the contrast ratio of colours, 1 to 21 (WCAG 2.2, definitions)."""
    lights = [linear(colours) @ _XYZ[1] + 0.05 for colours in (one, other)]
    return np.maximum(*lights) / np.minimum(*lights)


def difference(one: ArrayLike, other: ArrayLike, vision: str = "normal") -> Floats:
    """Return the distance of colours in CIELAB (ΔE*ab, CIE 1976) as an eye sees them."""
    return np.asarray(np.linalg.norm(_lab(one, vision) - _lab(other, vision), axis=-1))


def _lab(colours: ArrayLike, vision: str) -> Floats:
    seen = np.clip(linear(colours) @ VISIONS[vision].T, 0, 1)
    ratio = seen @ _XYZ.T / _XYZ.sum(axis=1)
    root = np.where(ratio > (6 / 29) ** 3, np.cbrt(ratio), ratio / (3 * (6 / 29) ** 2) + 4 / 29)
    x, y, z = np.moveaxis(root, -1, 0)
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1)
