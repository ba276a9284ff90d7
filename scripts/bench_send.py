"""Milliseconds per C-STORE to stock peers: plain pynetdicom beside the node's sender.

Every run opens one association, sends all images and releases; the figure is the median of the runs. Senders
take turns, so that other load on the machine meets all of them. Compare inside one table only.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from io import BytesIO
from pathlib import Path

from pydicom import dcmread
from pynetdicom import AE
from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "peers")]

from peers import HOST, orthanc, storescp  # noqa: E402 - beside the tests
from sample_results import image  # noqa: E402

from dicom_node.deliver.c_store import StorageSCU  # noqa: E402 - runs from a checkout
from structured_reports.port import ResultObject  # noqa: E402

Sender = Callable[[Sequence[ResultObject], int, str], None]


def plain(results: Sequence[ResultObject], port: int, called_ae: str) -> None:
    ae = AE("BENCH")
    for result in results:
        ae.add_requested_context(result.sop_class_uid, result.transfer_syntax_uid)
    data_sets = [dcmread(BytesIO(result.content)) for result in results]
    assoc = ae.associate(HOST, port, ae_title=called_ae)
    for ds in data_sets:
        if assoc.send_c_store(ds).get("Status") != 0x0000:
            raise RuntimeError("the peer did not take an image")
    assoc.release()


def node(results: Sequence[ResultObject], port: int, called_ae: str) -> None:
    StorageSCU(name="bench", host=HOST, port=port, called_ae=called_ae, calling_ae="BENCH").deliver(results)


SENDERS: dict[str, Sender] = {"pynetdicom": plain, "StorageSCU": node}


def ms_per_image(sender: Sender, peer: tuple[int, str], count: int, rows: int) -> float:
    results = [image(rows=rows) for _ in range(count)]  # new UIDs: a peer may skip what it has
    started = time.perf_counter()
    sender(results, *peer)
    return (time.perf_counter() - started) * 1000 / count


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench_send", description=__doc__)
    parser.add_argument("--runs", type=int, default=7, help="runs a figure (default 7)")
    parser.add_argument("--count", type=int, default=20, help="images a run (default 20)")
    arguments = parser.parse_args()
    table = Table(title=f"ms per C-STORE, median of {arguments.runs} runs of {arguments.count} images")
    for heading in ("peer", "image", *SENDERS):
        table.add_column(heading, justify="left" if heading in {"peer", "image"} else "right")
    with ExitStack() as stack, tempfile.TemporaryDirectory() as folder:
        scp = stack.enter_context(storescp(Path(folder)))
        archive = stack.enter_context(orthanc(Path(folder)))
        peers = {
            "DCMTK storescp": (scp.port, scp.ae_title),
            "Orthanc": (archive.dicom_port, archive.ae_title),
        }
        for name, peer in peers.items():
            for label, rows in (("12 kB", 64), ("132 kB", 700), ("2 MB", 10_400)):
                figures: dict[str, list[float]] = {sender: [] for sender in SENDERS}
                for _ in range(arguments.runs):
                    for sender, send in SENDERS.items():
                        figures[sender].append(ms_per_image(send, peer, arguments.count, rows))
                table.add_row(name, label, *(f"{statistics.median(taken):.1f}" for taken in figures.values()))
    Console().print(table)


if __name__ == "__main__":
    main()
