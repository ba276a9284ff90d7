"""What the node says while it works, as JSON lines.

Each event is a dataclass. No field can hold identity: studies are named by their key, peers by AE title.
"""

from __future__ import annotations

import logging
import sys
import threading
from dataclasses import asdict, dataclass
from typing import ClassVar

import structlog

from dicom_node.errors import disk_fault
from inference.silence import silence_pydicom


@dataclass(frozen=True)
class Event:
    """Something that happened; its fields hold no identity."""

    is_trouble: ClassVar[bool] = False


@dataclass(frozen=True)
class Started(Event):
    role: str
    detail: str = ""


@dataclass(frozen=True)
class Stopped(Event):
    role: str


@dataclass(frozen=True)
class InstanceStored(Event):
    study: str
    calling_ae: str
    sop_class: str
    size: int
    again: bool


@dataclass(frozen=True)
class InstanceRefused(Event):
    is_trouble: ClassVar[bool] = True

    calling_ae: str
    status: str
    reason: str


@dataclass(frozen=True)
class IndexUnavailable(Event):
    is_trouble: ClassVar[bool] = True

    waiting: int
    reason: str


@dataclass(frozen=True)
class ThreadDied(Event):
    is_trouble: ClassVar[bool] = True

    thread: str
    error: str


@dataclass(frozen=True)
class StageFailed(Event):
    is_trouble: ClassVar[bool] = True

    stage: str
    key: int
    error: str


@dataclass(frozen=True)
class WorkRevived(Event):
    is_trouble: ClassVar[bool] = True

    generations: int
    deliveries: int


@dataclass(frozen=True)
class FileSetAside(Event):
    is_trouble: ClassVar[bool] = True

    study: str
    reason: str


@dataclass(frozen=True)
class ArrivalNotIndexed(Event):
    is_trouble: ClassVar[bool] = True

    error: str


@dataclass(frozen=True)
class UIDConflict(Event):
    """An instance has the SOP Instance UID of another one of its study, and other bytes: kept, never read.

    Attributes
    ----------
    file
        In the spool.
    """

    is_trouble: ClassVar[bool] = True

    study: str
    file: str


@dataclass(frozen=True)
class StudySealed(Event):
    study: str
    generation: int
    instances: int


@dataclass(frozen=True)
class RerunQueued(Event):
    study: str
    generation: int


@dataclass(frozen=True)
class StudyWithdrawn(Event):
    study: str
    generation: int
    reason: str


@dataclass(frozen=True)
class StudyRead(Event):
    study: str
    generation: int
    outcome: str
    seconds: float


@dataclass(frozen=True)
class ModelRefused(Event):
    """A model gave no result of a study of which another one did."""

    study: str
    generation: int
    model: str
    code: str


@dataclass(frozen=True)
class StudyWaits(Event):
    is_trouble: ClassVar[bool] = True

    study: str
    generation: int
    reason: str


@dataclass(frozen=True)
class ModelReady(Event):
    model: str


@dataclass(frozen=True)
class ModelUnavailable(Event):
    is_trouble: ClassVar[bool] = True

    model: str
    fault: str


@dataclass(frozen=True)
class ModelFailed(Event):
    is_trouble: ClassVar[bool] = True

    model: str
    error: str


@dataclass(frozen=True)
class ReadFailed(Event):
    is_trouble: ClassVar[bool] = True

    study: str
    generation: int
    attempt: int
    error: str


@dataclass(frozen=True)
class Delivered(Event):
    study: str
    destination: str
    attempt: int


@dataclass(frozen=True)
class DeliveryDelayed(Event):
    is_trouble: ClassVar[bool] = True

    study: str
    destination: str
    attempt: int
    retry_in_s: float
    error: str


@dataclass(frozen=True)
class DeliveryRejected(Event):
    is_trouble: ClassVar[bool] = True

    study: str
    destination: str
    attempt: int
    error: str


@dataclass(frozen=True)
class WorkRecovered(Event):
    executor: str
    workflows: int


@dataclass(frozen=True)
class ModelHung(Event):
    is_trouble: ClassVar[bool] = True

    films: int


@dataclass(frozen=True)
class DeviceUnfit(Event):
    """A golden film was answered wrongly: nothing is read until the model, loaded anew, answers it rightly.

    Attributes
    ----------
    unproven_s
        How long ago it last answered rightly: results since then are in doubt. None before the first time.
    """

    is_trouble: ClassVar[bool] = True

    model: str
    reason: str
    unproven_s: int | None


@dataclass(frozen=True)
class ModelBack(Event):
    """A model that was taken out of work is in it again."""

    is_trouble: ClassVar[bool] = True

    model: str
    after_s: int


@dataclass(frozen=True)
class DeviceLost(Event):
    """A driver is gone, and with it everything that this process has on its devices: the process ends."""

    is_trouble: ClassVar[bool] = True

    model: str


@dataclass(frozen=True)
class WatchFailed(Event):
    is_trouble: ClassVar[bool] = True

    error: str


def configure_logs() -> None:
    """Write events as JSON lines to standard error; libraries only from WARNING on."""
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(levelname)s %(name)s %(message)s")
    silence_libraries()
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(),
        ],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )


def silence_libraries() -> None:
    """Keep libraries from quoting data set values: identity must not reach a log."""
    silence_pydicom()
    logging.getLogger("pynetdicom").setLevel(logging.CRITICAL)
    threading.excepthook = _say_thread_died


def _say_thread_died(died: threading.ExceptHookArgs) -> None:
    say(ThreadDied(died.thread.name if died.thread else "", name_of(died.exc_value)))


def name_of(error: BaseException | None) -> str:
    """Name an error by its type and place, without its message, which may quote a data set.

    What the system says of a disk is told too: it names no file.
    """
    frame = error.__traceback__ if error else None
    while frame is not None and frame.tb_next is not None:
        frame = frame.tb_next
    place = f" at {frame.tb_frame.f_code.co_qualname}:{frame.tb_lineno}" if frame else ""
    fault = disk_fault(error)
    return f"{type(error).__name__}{place}" + (f" ({fault})" if fault else "")


def say(event: Event) -> None:
    """Log one event."""
    logger = structlog.get_logger()
    level = logger.warning if event.is_trouble else logger.info
    level(type(event).__name__, **asdict(event))
