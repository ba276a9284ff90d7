"""Films on which a model came to no end, counted across the deaths of the process."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dicom_node.durable import durable_folder, sync_folder
from dicom_node.observe.events import ModelHung, say
from inference.serving.watchdog import EXIT_STATUS

# The first time it may have been the device, or a neighbour in the batch.
MOST_HANGS = 2


@dataclass(frozen=True)
class Suspects:
    """A file for each suspect, as long as it has hung often.

    Attributes
    ----------
    folder
        Of one model: another version of it gives every film a new trial.
    """

    folder: Path

    def hangs(self, name: str) -> int:
        """Return how often the process ended while a model was at this film."""
        try:
            return (self.folder / name).stat().st_size
        except FileNotFoundError:
            return 0

    def is_banned(self, name: str) -> bool:
        """Return True for a film that no model is asked about again."""
        return self.hangs(name) >= MOST_HANGS

    def end_process(self, names: Sequence[str]) -> None:
        """Note the films that a run which cannot be ended holds, and end this process.

        The supervisor starts another one, and the engine gives it the work that this one held.
        """
        try:
            say(ModelHung(len(names)))
            self.note(names)
        finally:
            # Whatever the disk says: nothing else ends a thread inside a runtime.
            os._exit(EXIT_STATUS)

    def note(self, names: Sequence[str]) -> None:
        """Count one more hang for each film, durably."""
        durable_folder(self.folder)
        for name in names:
            descriptor = os.open(self.folder / name, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            try:
                os.write(descriptor, b"!")
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        sync_folder(self.folder)
