"""Whether a device can be believed: it is asked about a film whose answer is known."""

from __future__ import annotations

import math
import time

from dicom_node.observe.events import DeviceUnfit, name_of, say
from dicom_node.suspects import Suspects
from inference.serving.golden import Golden
from inference.serving.service import Service

EVERY_S = 3600.0
GOLDEN = "golden"


class Fitness:
    """Asks about the golden film at start, hourly, and after a failure; unfit once is unfit until the next start.

    A fault that comes and goes is the worst of them.
    """

    def __init__(self, service: Service, suspects: Suspects, every_s: float = EVERY_S) -> None:
        self._service, self._suspects, self._every_s = service, suspects, every_s
        self._due = 0.0
        self.fault: str | None = None

    def look(self) -> None:
        """Ask about the golden film if it is time."""
        golden = self._service.model.golden
        if golden is None or self.fault is not None or time.monotonic() < self._due:
            return
        # Before the answer: a doubt that comes up meanwhile stays.
        self._due = time.monotonic() + self._every_s
        self.fault = self._fault(golden)
        if self.fault is not None:
            say(DeviceUnfit(self._service.model.card.name, self.fault))

    def doubt(self) -> None:
        """Let the next look ask: the network just failed."""
        self._due = -math.inf

    def _fault(self, golden: Golden) -> str | None:
        if self._suspects.is_banned(GOLDEN):
            return f"golden film: the network came to no end on it; remove {self._suspects.folder} to try again"
        try:
            return golden.mismatch(self._service.answer(golden.film, GOLDEN, alone=True))
        except Exception as error:  # whatever a runtime raises: no answer is no proof
            return f"golden film: the network fails on it ({name_of(error)})"
