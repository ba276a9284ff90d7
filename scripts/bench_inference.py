"""A model on the device at hand: speed in each form, what its maps cost, and what serving leaves of the bare forward.

Forms take turns, so that a noisy machine is noisy for all of them: compare inside one table only. Without a
checkpoint the torch forms are left out, since a model folder holds the exported graph alone.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from multiprocessing import get_context
from pathlib import Path
from typing import ClassVar

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # as `inference` has it, before numpy is imported

import cv2
import numpy as np
import pydicom
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "scripts")]

from bench_preprocessing import films as raw_films  # noqa: E402 - runs from a checkout

from inference.allocator import keep_freed_memory  # noqa: E402
from inference.film import to_radiograph  # noqa: E402
from inference.models import DEFAULT_MODEL, Model, load_model  # noqa: E402
from inference.models.onnx import INPUT, OnnxNetwork  # noqa: E402
from inference.models.port import Outputs  # noqa: E402
from inference.pools import widened  # noqa: E402
from inference.preprocessing import PreparedFilm, Preprocessing  # noqa: E402
from inference.serving.service import DirectService, Service, service_of  # noqa: E402
from inference.serving.watchdog import Watchdog  # noqa: E402
from inference.types import Radiograph  # noqa: E402

Floats = NDArray[np.float32]
Run = Callable[[Floats], object]
# Of the bare forward, from decoded pixels to score and map.
LEAST_SHARE = {"cpu": 0.9, "cuda": 0.8}
MOST_FOR_MAPS = 1.05
ROUNDS = 7


@dataclass(frozen=True)
class Bench:
    """A model, and its forms by name."""

    model: Model
    device: str
    forms: Mapping[str, Run]

    def batch(self, count: int) -> Floats:
        """Return films of noise: what a convolution costs does not depend on what it sees."""
        side = self.model.preprocessing.side
        return np.random.default_rng(1).normal(size=(count, 1, side, side)).astype(np.float32)


@dataclass(frozen=True)
class Served:
    """A classifier of a checkpoint as a network: logits, maps and embeddings by its runner."""

    forward: Callable[[Floats], Sequence[Floats | None]]

    def run(self, films: Floats) -> Outputs:
        """Return what the classifier says of a batch."""
        logits, cams, embedding = self.forward(films)
        if logits is None:
            raise ValueError("logits: None; a classifier gives them")
        return Outputs(logits, cams, embedding)


def of_folder(folder: Path, device: str) -> Bench:
    """Return the bench of a model folder: its graph alone."""
    model = load_model(folder, device)
    return Bench(
        model, device, {"ONNX Runtime" if isinstance(model.network, OnnxNetwork) else "as served": model.network.run}
    )


def of_checkpoint(arguments: argparse.Namespace, folder: Path) -> Bench:
    """Return the bench of a training checkpoint: plain torch, compiled, exported, and on CUDA as it is served."""
    import torch  # noqa: PLC0415 - a model folder is measured without torch
    from safetensors.torch import load_file  # noqa: PLC0415

    from inference.training.export import export  # noqa: PLC0415
    from inference.training.network import new_classifier  # noqa: PLC0415

    torch.set_num_threads(1)
    classifier = new_classifier(arguments.architecture, 1, 0).eval()
    classifier.load_state_dict(load_file(arguments.checkpoint))
    path, device, side = folder / "model.onnx", torch.device(arguments.device), arguments.side
    export(classifier, side, path)
    network: object = OnnxNetwork(path, arguments.device)
    forms: dict[str, Run] = {"ONNX Runtime": OnnxNetwork(path, arguments.device).run}

    def torch_form(module: Callable[..., Sequence[torch.Tensor]]) -> Run:
        def run(films: Floats) -> object:
            with torch.inference_mode():
                batch = torch.from_numpy(films).to(device).to(memory_format=torch.channels_last)
                return [each.cpu() for each in module(batch)]

        return run

    module = classifier.to(device).to(memory_format=torch.channels_last)
    forms["torch eager"] = torch_form(module)
    if arguments.compile:
        forms["torch compiled"] = torch_form(torch.compile(module, dynamic=False))
    if device.type == "cuda":
        from inference.serving.cuda import runner_on  # noqa: PLC0415

        for precision in ("float32", "float16", "bfloat16"):
            served = Served(runner_on(device, classifier, classifier, precision).run)
            forms[f"served {precision}"] = served.run
            network = served if precision == "float32" else network
    like = load_model(DEFAULT_MODEL)
    preprocessing = replace(like.preprocessing, side=side)
    model = replace(like, network=network, preprocessing=preprocessing, atlas=None, golden=None)
    return Bench(model, arguments.device, forms)


def seconds(work: Callable[[], object]) -> float:
    """Return how long something takes."""
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def speed(bench: Bench, batches: Sequence[int], runs: int) -> Table:
    """Return images a second and latencies of each form for each batch size."""
    table = Table("form", "batch", "images/s", "p50 ms", "p99 ms", "largest difference", title="Forward")
    for count in batches:
        films = bench.batch(count)
        first = {name: np.asarray(logits_of(run(films))) for name, run in bench.forms.items()}  # compiles, warms up
        exact = next(iter(first.values()))
        turns = [
            [seconds(lambda run=run, films=films: run(films)) for run in bench.forms.values()] for _ in range(runs)
        ]
        for name, times in zip(bench.forms, zip(*turns, strict=True), strict=True):
            middle, late = np.percentile(times, (50, 99))
            figures = (f"{count / middle:.1f}", f"{1000 * middle:.1f}", f"{1000 * late:.1f}")
            table.add_row(name, str(count), *figures, f"{np.abs(first[name] - exact).max():.1e}")
    return table


def logits_of(outputs: object) -> object:
    """Return the first of what a form gives."""
    return outputs[0]  # type: ignore[index]


def cost_of_maps(bench: Bench, runs: int) -> float | None:
    """Return the cost of all outputs over that of the logits alone, by one graph; None without such a graph.

    In processor time: beside other load two runs that take turns can fall into step with it.
    """
    network = bench.model.network
    if not isinstance(network, OnnxNetwork):
        return None
    session, films = network.session, bench.batch(1)
    wanted: list[list[str] | None] = [None, [session.get_outputs()[0].name]]
    turns = [
        [spent(lambda names=names: session.run(names, {INPUT: films}))[1] for names in wanted] for _ in range(runs)
    ]
    everything, logits = (statistics.median(times) for times in zip(*turns[2:], strict=True))
    return everything / logits


def cost_of_exported_maps(runs: int) -> float | None:
    """Return the cost of a torch.export ResNet18 with exact maps over that without, in processor time; None sans torch.

    The least of each: what is not the other work of the machine.
    """
    try:
        import torch  # noqa: PLC0415 - a model folder is measured without torch
        from torchvision.models import resnet18  # noqa: PLC0415
    except ImportError:
        return None
    from inference.card_sections import CLASS_ACTIVATION  # noqa: PLC0415
    from inference.models.torch_program import ProgramNetwork  # noqa: PLC0415

    torch.set_num_threads(1)
    films = np.random.default_rng(1).normal(size=(4, 3, 224, 224)).astype(np.float32)
    shapes = ({0: torch.export.Dim("films", min=1)},)
    networks = []
    for method in (CLASS_ACTIVATION, None):
        program = torch.export.export(resnet18().eval(), (torch.zeros(2, 3, 224, 224),), dynamic_shapes=shapes)
        networks.append(ProgramNetwork("resnet18", program, torch.device("cpu"), method, (0,)))
    turns = [[spent(lambda network=network: network.run(films))[1] for network in networks] for _ in range(runs)]
    explained, bare = (min(times) for times in zip(*turns[2:], strict=True))
    return explained / bare


def shares(bench: Bench, path: Path, runs: int) -> Table:
    """Return what each step from the file to score and map takes, one after the other."""
    names = ("read and decode", "prepare", "forward")
    rows = []
    for _ in range(runs):
        begun = time.perf_counter()
        radiograph = to_radiograph(pydicom.dcmread(path))
        decoded = time.perf_counter()
        prepared = bench.model.prepare(radiograph)
        ready = time.perf_counter()
        bench.model.predict([prepared])
        rows.append((decoded - begun, ready - decoded, time.perf_counter() - ready))
    medians = [statistics.median(times) for times in zip(*rows[2:], strict=True)]
    table = Table("step", "median ms", "share", title="One raw film of 2500 × 2048, one step after the other")
    for name, median in zip(names, medians, strict=True):
        table.add_row(name, f"{1000 * median:.1f}", f"{median / sum(medians):.0%}")
    return table


def service_on(bench: Bench) -> Service:
    """Return the service of the device; on a CPU with one worker, as the bare forward that it is compared with has."""
    if bench.device != "cpu":
        return service_of(bench.model, bench.device)
    return DirectService(bench.model, Watchdog(), 1)


class Preparing:
    """Prepares a decoded film in a process of its own, as the node's decoders do.

    Attributes
    ----------
    held
        Of that process: the film and how it is prepared.
    """

    held: ClassVar[tuple[Radiograph, Preprocessing]]

    @classmethod
    def begin(cls, radiograph: Radiograph, preprocessing: Preprocessing) -> None:
        cv2.setNumThreads(1)
        keep_freed_memory()
        cls.held = radiograph, preprocessing

    @classmethod
    def prepared(cls, _: int) -> PreparedFilm:
        radiograph, preprocessing = cls.held
        return preprocessing.prepare(radiograph)


def preparing(bench: Bench, radiograph: Radiograph) -> ProcessPoolExecutor:
    """Return the processes that prepare: on a GPU so many as there are cores."""
    processes = 1 if bench.device == "cpu" else len(os.sched_getaffinity(0))
    held = (radiograph, bench.model.preprocessing)
    return widened(ProcessPoolExecutor(processes, get_context("spawn"), Preparing.begin, held))


def serving(bench: Bench, radiograph: Radiograph, films: int) -> tuple[Table, float]:
    """Return films a second of the bare forward, of the service, and from decoded pixels; and the last by the first.

    Where other work fills the machine the processes that prepare take their time from the one that owns the device;
    the processor time of the latter says what serving costs it by itself.
    """
    service, pool = service_on(bench), preparing(bench, radiograph)
    callers = 3 if bench.device == "cpu" else service.at_once
    prepared = bench.model.prepare(radiograph)
    most = 1 if bench.device == "cpu" else callers // 2
    batch = np.repeat(prepared.tensor[np.newaxis], most, axis=0)

    def bare() -> None:
        for _ in range(films // most):
            bench.model.network.run(batch)

    def asked(work: Callable[[int], object]) -> Callable[[], object]:
        return lambda: list(threads.map(work, range(films)))

    def whole(index: int) -> object:
        return service.answer(pool.submit(Preparing.prepared, index).result())

    with ThreadPoolExecutor(callers) as threads:
        ways: Mapping[str, Callable[[], object]] = {
            "bare forward": bare,
            "prepared film to score and map": asked(lambda _: service.answer(prepared)),
            "decoded pixels to score and map": asked(whole),
        }
        turns = [[spent(way) for way in ways.values()] for _ in range(ROUNDS + 1)][1:]
    service.close()
    pool.shutdown()
    columns = ("path", "films/s", "of the bare forward", "processor ms a film", "of the bare forward")
    table = Table(*columns, title=f"Throughput, {callers} callers, load {os.getloadavg()[0]:.1f}")
    for name, times in zip(ways, zip(*turns, strict=True), strict=True):
        took, cost = (statistics.median(column) for column in zip(*times, strict=True))
        share, cost_share = (
            statistics.median(turn[0][which] / time[which] for time, turn in zip(times, turns, strict=True))
            for which in (0, 1)
        )
        figures = (f"{films / took:.1f}", f"{share:.2f}", f"{1000 * cost / films:.2f}", f"{cost_share:.2f}")
        table.add_row(name, *figures)
    return table, share


def spent(work: Callable[[], object]) -> tuple[float, float]:
    """Return the seconds that something takes, and those that this process computed."""
    computed = time.process_time()
    took = seconds(work)
    return took, time.process_time() - computed


def main() -> None:
    """Measure, print tables, and fail where a limit is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, default=DEFAULT_MODEL, help="model folder")
    parser.add_argument("--checkpoint", type=Path, help="safetensors of a training run, in the place of a model folder")
    parser.add_argument("--architecture", default="efficientnet-lite0", help="of the checkpoint")
    parser.add_argument("--side", type=int, default=224, help="rows and columns of the checkpoint's films")
    parser.add_argument("--device", default="cpu", choices=tuple(LEAST_SHARE))
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 8, 32])
    parser.add_argument("--runs", type=int, default=100, help="of each form and batch size")
    parser.add_argument("--compile", action=argparse.BooleanOptionalAction, default=True)
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    keep_freed_memory()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if arguments.checkpoint:
            bench = of_checkpoint(arguments, folder)
        else:
            bench = of_folder(arguments.model, arguments.device)
        sys.exit(not passed(bench, arguments, next(iter(raw_films(folder).values()))))


def passed(bench: Bench, arguments: argparse.Namespace, film: Path) -> bool:
    """Print every table; returns True where no limit is missed."""
    console = Console()
    print(f"{arguments.checkpoint or bench.model.card.name}, {bench.device}, {datetime.now(tz=UTC):%Y-%m-%d %H:%M} UTC")
    console.print(speed(bench, arguments.batches, arguments.runs))
    console.print(shares(bench, film, 20))
    table, share = serving(bench, to_radiograph(pydicom.dcmread(film)), 64)
    console.print(table)
    maps, least = cost_of_maps(bench, max(100, arguments.runs)), LEAST_SHARE[bench.device]
    print(f"decoded pixels to score and map: {share:.2f} of the bare forward, at least {least} is asked for")
    if maps is not None:
        print(f"maps and embedding cost {maps:.3f} of the logits alone, at most {MOST_FOR_MAPS} is asked for")
    exported = cost_of_exported_maps(25)
    if exported is not None:
        print(f"exact maps of a torch.export ResNet18 cost {exported:.3f} of it, at most {MOST_FOR_MAPS} is asked for")
    return share >= least and all(cost is None or cost <= MOST_FOR_MAPS for cost in (maps, exported))


if __name__ == "__main__":
    main()
