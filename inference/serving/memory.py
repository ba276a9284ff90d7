"""Memory that runs out: how it is told, and how many films fit."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

# ONNX Runtime raises its `Fail` or `RuntimeException` with one of these; CUDA and its libraries say the others.
SAYS_SO = (
    "failed to allocate memory",
    "out of memory",
    "bad_alloc",
    "bad allocation",
    "alloc_failed",
)
# Batches in a row that fit before a larger one is tried: whatever took the memory may have gone.
CALM = 1000


def is_out_of_memory(error: BaseException) -> bool:
    """Return True if an error says that memory ran out, of the host or of a device.

    By name, since torch need not be installed: torch.OutOfMemoryError is a RuntimeError.
    """
    return any(
        isinstance(each, MemoryError)
        or type(each).__name__ == "OutOfMemoryError"
        or any(words in str(each).lower() for words in SAYS_SO)
        for each in causes(error)
    )


def causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and what it was raised from."""
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__


def without_frames(error: Exception) -> Exception:
    """Return an error that holds none of the arrays of those who raised it."""
    for each in causes(error):
        each.__traceback__ = each.__context__ = None
    return error


@dataclass
class BatchLimit:
    """How many films go into one batch: at most what was asked for, fewer while memory is short.

    Attributes
    ----------
    most
        Never more than these.
    current
        What is believed to fit.
    """

    most: int
    current: int = field(init=False)
    _calm: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        if self.most < 1:
            raise ValueError(f"most: {self.most}; a batch has at least one film")
        self.current = self.most

    def failed(self, films: int) -> None:
        """Note that so many films did not fit."""
        self.current = max(1, min(self.current, films // 2))
        self._calm = 0

    def fitted(self) -> None:
        """Note that a batch did fit."""
        self._calm += 1
        if self._calm >= CALM:
            self.current, self._calm = min(self.most, self.current * 2), 0
