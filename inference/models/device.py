"""Whether a machine has what a card needs."""

from __future__ import annotations

import os
import shutil
import subprocess

from inference.card import CardFile
from inference.models.port import Runtime


def faults_of_device(card: CardFile, runtime: Runtime) -> list[str]:
    """Return what a machine lacks for a model; whether the device starts, the runtime says."""
    if card.device.kinds is not None and runtime.kind not in card.device.kinds:
        return [f"device: {runtime.device}; the card names {' and '.join(card.device.kinds)}"]
    needed, there = card.device.memory_mb, memory_mb(runtime)
    if needed is not None and there is not None and there < needed:
        return [f"device.memory_mb: {needed}; {runtime.device} has {there}"]
    return []


def memory_mb(runtime: Runtime) -> int | None:
    """Return all memory of a device in MiB, None where it does not say."""
    if runtime.kind == "cpu":
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20
    # Asked of the driver's own program: not every runtime that uses the device tells.
    query = ["--query-gpu=memory.total", "--format=csv,noheader,nounits"]
    asked = ["nvidia-smi", f"--id={driver_id(runtime.index, os.environ.get('CUDA_VISIBLE_DEVICES'))}", *query]
    if shutil.which(asked[0]) is None:
        return None
    said = subprocess.run(asked, capture_output=True, text=True, check=False, timeout=30).stdout.split()
    return int(said[0]) if said and said[0].isdigit() else None


def driver_id(index: int, visible: str | None) -> str:
    """Return what the driver calls a device, by number or UUID.

    Parameters
    ----------
    visible
        CUDA_VISIBLE_DEVICES of the process: the devices that it counts, in its order; None for all.
    """
    shown = [each.strip() for each in (visible or "").split(",") if each.strip()]
    return shown[index] if index < len(shown) else str(index)
