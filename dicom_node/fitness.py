"""Whether a device can be believed: it is asked about a film whose answer is known."""

from __future__ import annotations

import math
import time

from dicom_node.observe.events import DeviceUnfit, name_of, say
from dicom_node.suspects import Suspects
from inference.serving.golden import Golden
from inference.serving.loss import is_device_lost
from inference.serving.service import Service

EVERY_S = 3600.0
GOLDEN = "golden"


class Fitness:
    """Asks about the golden film at start, hourly, and after a failure; unfit once is unfit until it is loaded anew.

    A fault that comes and goes is the worst of them, so it is not asked again before that.

    Attributes
    ----------
    fault
        Why nothing that the device says can be believed; None while nothing is known against it.
    is_lost
        True where the device went away: only another process can have it again.
    sound_at
        Monotonic time of the last right answer; None before the first.
    """

    def __init__(self, service: Service, suspects: Suspects, every_s: float = EVERY_S) -> None:
        self._service, self._suspects, self._every_s = service, suspects, every_s
        self._due = 0.0
        self.fault: str | None = None
        self.is_lost = False
        self.sound_at: float | None = None

    def look(self) -> None:
        """Ask about the golden film if it is time."""
        golden = self._service.model.golden
        if golden is None or self.fault is not None or time.monotonic() < self._due:
            return
        # Before the answer: a doubt that comes up meanwhile stays.
        begun = time.monotonic()
        self._due = begun + self._every_s
        self.fault = self._fault(golden)
        if self.fault is None:
            self.sound_at = begun
        else:
            unproven_s = None if self.sound_at is None else round(begun - self.sound_at)
            say(DeviceUnfit(self._service.model.card.name, self.fault, unproven_s))

    def doubt(self) -> None:
        """Let the next look ask: the network just failed."""
        self._due = -math.inf

    def _fault(self, golden: Golden) -> str | None:
        if self._suspects.is_banned(GOLDEN):
            return f"golden film: the network came to no end on it; remove {self._suspects.folder} to try again"
        try:
            return golden.mismatch(self._service.answer(golden.film, GOLDEN, alone=True))
        except Exception as error:  # whatever a runtime raises: no answer is no proof
            self.is_lost = is_device_lost(error)
            return f"golden film: the network fails on it ({name_of(error)})"
