"""From the end of the quiet time to the last acceptance, beside the sum of the bare steps.

A whole node (`dicom-node serve`, model loaded and warm) reads studies of one 10 MB film and delivers to a stock
DCMTK storescp. Between them the bare steps run alone in this process: decode, forward, build and encode the
objects, C-STORE. The figure is the ratio of the medians; compare inside one table only.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import cv2
import pydicom
from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT)]

from dicom_node.deliver.c_store import StorageSCU  # noqa: E402 - runs from a checkout
from dicom_node.node import Node  # noqa: E402
from dicom_node.opening import Judge, open_film  # noqa: E402
from dicom_node.pipeline import header_of  # noqa: E402
from dicom_node.settings import load_settings  # noqa: E402
from inference.models import DEFAULT_MODEL, load_model  # noqa: E402
from structured_reports.build import build_results  # noqa: E402
from structured_reports.port import DICOM, ReportRequest  # noqa: E402
from tests.conftest import as_study, package_file  # noqa: E402
from tests.peers.peers import HOST, storescp  # noqa: E402
from tests.running import running_node, send_until_acknowledged  # noqa: E402

T = TypeVar("T")


def ten_megabyte_film(folder: Path) -> Path:
    """Write the clinical film on a grid of 2500 × 2048."""
    dataset = pydicom.dcmread(package_file("RG1_UNCR.dcm"))
    dataset.PixelData = cv2.resize(dataset.pixel_array, (2048, 2500), interpolation=cv2.INTER_CUBIC).tobytes()
    dataset.Rows, dataset.Columns = 2500, 2048
    dataset.save_as(folder / "film.dcm")
    return folder / "film.dcm"


class BareSteps:
    """Each step alone, in this process, warm."""

    def __init__(self, film: Path, scu: StorageSCU, folder: Path) -> None:
        self._film, self._scu = film, scu
        self._model = load_model(DEFAULT_MODEL)
        self._equipment = Node(load_settings(data_dir=folder)).equipment("bench")
        self.seconds: dict[str, list[float]] = {}

    def run(self, *, keep: bool = True) -> None:
        model = self._model
        judge = Judge(model.preprocessing, model.guard)
        times: dict[str, float] = {}
        film = _timed(times, "decode", lambda: open_film(self._film, judge))
        (answer,) = _timed(times, "forward", lambda: model.predict([film.prepared]))

        def build() -> tuple:
            prediction = model.prediction(film.prepared, answer)
            header = header_of(self._film)
            now = datetime.now(tz=UTC)
            return build_results(ReportRequest(header, film.display, prediction, self._equipment, now))

        objects = _timed(times, "build and encode", build)
        results = [one for one in objects if one.media_type == DICOM]
        _timed(times, "C-STORE", lambda: self._scu.deliver(results))
        for step, seconds in times.items() if keep else ():
            self.seconds.setdefault(step, []).append(seconds)


def _timed(times: dict[str, float], step: str, work: Callable[[], T]) -> T:
    begun = time.perf_counter()
    done = work()
    times[step] = time.perf_counter() - begun
    return done


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=9, help="studies that are counted (default 9)")
    runs = parser.parse_args().runs
    console = Console()
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        pacs = stack.enter_context(storescp(folder))
        destination = (
            f'\n[[destination]]\nkind = "c-store"\nname = "pacs"\nhost = "{HOST}"\nport = {pacs.port}\n'
            f'called_ae = "{pacs.ae_title}"\ncalling_ae = "AINODE"\n'
        )
        scu = StorageSCU(name="bare", host=HOST, port=pacs.port, called_ae=pacs.ae_title, calling_ae="BENCH")
        film = ten_megabyte_film(folder)
        node = stack.enter_context(running_node(folder / "node", tables=destination))
        bare = BareSteps(film, scu, folder / "bare")
        totals = []
        for number in range(-2, runs):  # two warm up
            bare.run(keep=number >= 0)
            send_until_acknowledged(node.port, as_study(film, folder / "sent.dcm", 1000 + number))
            time.sleep(4)  # nothing asks the node while it works
            told = node.delivered(f"2.25.4711.{1000 + number}")["generations"][0]
            if number >= 0:
                totals.append(max(one["accepted_at"] for one in told["deliveries"]) - told["quiet_ended_at"])
        _show(console, bare.seconds, totals)
        console.print(node.command("status", "--timings").stdout)
    return 0


def _show(console: Console, bare: dict[str, list[float]], totals: list[float]) -> None:
    table = Table("step", "median ms", "min", "max", title=f"One 10 MB film, {len(totals)} studies")
    for step, seconds in bare.items():
        table.add_row(f"bare {step}", *(f"{1000 * value:.0f}" for value in _spread(seconds)))
    total, alone = statistics.median(totals), sum(statistics.median(one) for one in bare.values())
    table.add_row("sum of the bare steps", f"{1000 * alone:.0f}")
    table.add_row("node: quiet time to last acceptance", *(f"{1000 * value:.0f}" for value in _spread(totals)))
    table.add_row("ratio", f"{total / alone:.2f}")
    console.print(table)


def _spread(seconds: list[float]) -> tuple[float, float, float]:
    return statistics.median(seconds), min(seconds), max(seconds)


if __name__ == "__main__":
    sys.exit(main())
