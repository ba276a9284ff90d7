"""Places where a crash matters, so that a test can have one exactly there.

``DICOM_NODE_CRASH_AT=<name>:<file>`` kills the process (SIGKILL) the first time that it reaches the
checkpoint while the file exists; the file is removed first, so the restarted node passes. Where the file says
``node``, its supervisor is killed, and with it every role. Without the variable a checkpoint is one comparison.
"""

from __future__ import annotations

import os
import signal
from pathlib import Path

_NAME, _, _FILE = os.environ.get("DICOM_NODE_CRASH_AT", "").partition(":")

CHECKPOINTS = (
    "instance-arrived",  # in a temporary file, not durable, not acknowledged
    "instance-durable",  # durable point 1, not acknowledged
    "instance-acknowledged",  # the response has been sent
    "instance-unindexed",  # not yet in the index
    "association-released",  # all in the index, release not yet recorded
    "study-sealed",  # generation recorded with its queued read
    "read-begun",
    "results-written",  # files durable, not yet recorded
    "results-recorded",  # durable point 2
    "delivery-begun",
    "delivery-accepted",  # the destination has it, the acceptance is not yet recorded
    "delivery-recorded",  # durable point 3
)

# Of the commands of an operator, which run in processes of their own
COMMAND_CHECKPOINTS = (
    "rerun-recorded",  # with its queued read
    "withdrawal-written",  # files durable, not yet recorded
    "withdrawal-recorded",  # with its queued deliveries
)


def reached(name: str) -> None:
    """Die here if a test asked for it."""
    if name != _NAME:
        return
    try:
        victim = Path(_FILE).read_text()
        Path(_FILE).unlink()
    except FileNotFoundError:
        return
    os.kill(os.getppid() if victim == "node" else os.getpid(), signal.SIGKILL)
    signal.pause()
