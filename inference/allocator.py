"""Memory that large arrays leave behind, kept for the next ones."""

from __future__ import annotations

import ctypes

# malloc.h of glibc.
M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_MAX = -1, -2, -4
KEPT_BYTES, STEP_BYTES = 256 << 20, 64 << 20


def keep_freed_memory() -> bool:
    """Let this process reuse what it freed; returns False where the C library is not glibc.

    For a process that decodes one film after the other: by default each of its arrays is given back to the kernel
    and faulted in again, page by page, which costs as much as what is computed in them.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError, TypeError):  # TypeError: Windows has no process handle of this kind
        return False
    settings = ((M_MMAP_MAX, 0), (M_TRIM_THRESHOLD, KEPT_BYTES), (M_TOP_PAD, STEP_BYTES))
    return all(mallopt(name, value) == 1 for name, value in settings)
