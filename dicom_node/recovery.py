"""When a model that cannot be used is loaded anew without being asked for, and when only another process can."""

from __future__ import annotations

import time

from dicom_node.fitness import Fitness
from inference.serving.loss import is_device_lost

# Long enough for a driver to come back, short beside what a study may wait.
RENEW_S = 60.0
LONGEST_S = 3600.0


class Recovery:
    """Counts how a model fell out of work and came back.

    A wrong answer that comes and goes makes each wait twice as long: between two golden films nobody sees it.

    Attributes
    ----------
    needs_proof
        True from a wrong answer to the golden film until a right one.
    is_lost
        True where the device went away under a model that worked: a process that lost it cannot have it again. One
        that never had it is not to blame, and would only be ended again.
    """

    def __init__(self) -> None:
        self.needs_proof = self.is_lost = False
        self._wait_s = RENEW_S
        self._was_sound = False
        self._since: float | None = None
        self._due = 0.0

    def failed(self, error: BaseException) -> None:
        """Note what a model failed of at work; it is loaded anew at once."""
        self.is_lost |= self._was_sound and is_device_lost(error)

    def fell_out(self, error: BaseException) -> None:
        """Note that the model cannot be loaded."""
        self.failed(error)
        self._begin()

    def found_wrong(self, fitness: Fitness) -> None:
        """Note that the golden film was answered wrongly, or not at all."""
        self.needs_proof = True
        self.is_lost |= self._was_sound and fitness.is_lost
        self._begin()

    def came_back(self) -> float | None:
        """Note that the model can be used; returns for how many seconds it could not, None where it always could."""
        since, self._since = self._since, None
        if self.needs_proof:
            self._wait_s = min(2.0 * self._wait_s, LONGEST_S)
        self.needs_proof = self.is_lost = False
        self._was_sound = True
        return None if since is None else time.monotonic() - since

    def tried(self) -> None:
        """Note that something is being done about it."""
        self._due = time.monotonic() + self._wait_s

    @property
    def is_due(self) -> bool:
        """True where the model cannot be used and it is time to do something about it."""
        return self._since is not None and time.monotonic() >= self._due

    def _begin(self) -> None:
        if self._since is None:
            self._since = time.monotonic()
            self.tried()
