"""Time to make every default object of one study, beside the sum of its bare parts.

The study is a film of 2500 × 2048 with one finding above its threshold. What is measured begins with the map as the
network gives it and ends with the bytes that are recorded: summary page, heatmap, SR and FHIR bundle, and, for a PACS
as it is set up by default, pictures as JPEG-LS beside uncompressed and four forms of the SR.

The bare parts are what nobody can leave out, each done once with the library's own call: highdicom's constructor of the
SR, one resize of the map to the film, one colour mapping, one lossless encoding of the heatmap. All runs take turns in
this process, on one core; compare inside one table only.
"""

from __future__ import annotations

import argparse
import cProfile
import os
import pstats
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

import cv2
import highdicom
import jpeg_ls
import numpy as np
import pydicom
from highdicom import sr
from pydicom.sr.codedict import codes
from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "scripts")]

from bench_latency import ten_megabyte_film  # noqa: E402 - runs from a checkout

from dicom_node.deliver.c_store import StorageSCU  # noqa: E402
from inference.film import display_pixels, to_radiograph  # noqa: E402
from inference.types import Code, Finding, ModelCard, Prediction, Score  # noqa: E402
from structured_reports.alternatives import alternatives  # noqa: E402
from structured_reports.build import BUILDERS, build_results  # noqa: E402
from structured_reports.heatmap import heatmap_picture  # noqa: E402
from structured_reports.port import DEFAULT_KINDS, Equipment, ReportRequest, ResultObject  # noqa: E402
from structured_reports.regions import regions_of  # noqa: E402

MOST = 2.0  # times the sum of the bare parts
FINDING = Finding("pneumonia", Code("233604007", "SCT", "Pneumonia"), Code("39607008", "SCT", "Lung"), 0.465)
CARD = ModelCard(
    "bench-model", "1.0", "ab" * 32, (FINDING,), "Frontal chest radiographs. Read the source image first.",
    explanation=Code("130402", "DCM", "Class activation"),
)  # fmt: skip
EQUIPMENT = Equipment("Example Hospital", "dicom-node", "0.1.0", "SN-1", "AINODE", "2.25.1234567890")
MADE_AT = datetime(2026, 11, 23, 9, 41, 5, tzinfo=UTC)


class Study:
    """One film, and the map of 12 × 12 cells that a network gives."""

    def __init__(self, folder: Path) -> None:
        dataset = pydicom.dcmread(ten_megabyte_film(folder))
        self.display = display_pixels(to_radiograph(dataset))
        del dataset.PixelData
        self.header = dataset
        y, x = np.mgrid[:12, :12].astype(np.float32)
        self.cells = np.exp(-(((x - 8) / 2) ** 2) - ((y - 7) / 2) ** 2).astype(np.float32)

    def saliency(self) -> np.ndarray:
        """Return the map on the grid of the film."""
        rows, columns = self.display.shape
        saliency = cv2.resize(self.cells, (columns, rows), interpolation=cv2.INTER_CUBIC)
        return np.clip(saliency, 0.0, 1.0, out=saliency)

    def request(self) -> ReportRequest:
        prediction = Prediction(CARD, (Score(FINDING, 0.87, self.saliency()),))
        return ReportRequest(self.header, self.display, prediction, EQUIPMENT, MADE_AT)


def bare_parts(study: Study) -> dict[str, Callable[[], object]]:
    """Return each bare part as a function; what it needs is made before."""
    rows, columns = study.display.shape
    saliency = study.saliency()
    points = regions_of(saliency)[0].points
    score = Score(FINDING, 0.87, saliency)
    picture = heatmap_picture(study.request(), score).tobytes()
    layout = {"samples_per_pixel": 3, "bits_stored": 8, "planar_configuration": 0}
    level = cv2.convertScaleAbs(saliency, alpha=255.0)

    def colour() -> object:
        film = cv2.cvtColor(study.display, cv2.COLOR_GRAY2RGB)
        return cv2.addWeighted(film, 0.55, cv2.applyColorMap(level, cv2.COLORMAP_INFERNO), 0.45, 0.0)

    return {
        "highdicom's SR constructor": lambda: _bare_report(study.header, points),
        "one resize": lambda: cv2.resize(study.cells, (columns, rows), interpolation=cv2.INTER_CUBIC),
        "one colour mapping": colour,
        "one lossless encode": lambda: jpeg_ls.encode_pixel_data(picture, rows=rows, columns=columns, **layout),
    }


def _bare_report(source: pydicom.Dataset, points: np.ndarray) -> sr.ComprehensiveSR:
    """Return the same content as highdicom's examples make it: TID 1500 with a region and an image-level group."""
    pneumonia, lung = (
        sr.CodedConcept(*one) for one in (("233604007", "SCT", "Pneumonia"), ("39607008", "SCT", "Lung"))
    )
    tracking = sr.TrackingIdentifier(uid=highdicom.UID(), identifier="AI pneumonia")
    algorithm = sr.AlgorithmIdentification(CARD.name, CARD.version, sr.CodedConcept("123109", "DCM", "AI"))
    observer = sr.ObserverContext(
        codes.DCM.Device, sr.DeviceObserverIdentifyingAttributes(highdicom.UID(), EQUIPMENT.model_name)
    )
    image = (source.SOPClassUID, source.SOPInstanceUID)
    common = {"tracking_identifier": tracking, "finding_type": pneumonia, "algorithm_id": algorithm}
    region = sr.PlanarROIMeasurementsAndQualitativeEvaluations(
        referenced_region=sr.ImageRegion("POLYLINE", points, sr.SourceImageForRegion(*image)),
        finding_sites=[sr.FindingSite(lung)],
        **common,
    )
    certainty = sr.Measurement(sr.CodedConcept("111012", "DCM", "Certainty of Finding"), 87.0, codes.UCUM.Percent)
    whole = sr.MeasurementsAndQualitativeEvaluations(
        measurements=[certainty], source_images=[sr.SourceImageForMeasurementGroup(*image)], **common
    )
    content = sr.MeasurementReport(
        observation_context=sr.ObservationContext(observer_device_context=observer),
        procedure_reported=sr.CodedConcept("399208008", "SCT", "Plain chest X-ray"),
        imaging_measurements=[region, whole],
    )
    return sr.ComprehensiveSR(
        evidence=[source], content=content[0], series_instance_uid=highdicom.UID(), series_number=9003,
        sop_instance_uid=highdicom.UID(), instance_number=1, manufacturer=EQUIPMENT.manufacturer,
    )  # fmt: skip


def measured(work: Mapping[str, Callable[[], object]], repeat: int) -> dict[str, float]:
    """Return the median of the milliseconds of processor time of each; they take turns, two rounds warm up."""
    times: dict[str, list[float]] = {name: [] for name in work}
    for turn in range(-2, repeat):
        for name, do in work.items():
            begun = time.process_time()
            do()
            if turn >= 0:
                times[name].append(1000 * (time.process_time() - begun))
    return {name: statistics.median(found) for name, found in times.items()}


def steps(request: ReportRequest, forms: tuple[str, ...]) -> dict[str, Callable[[], object]]:
    """Return each object as a function that makes it from those before."""
    built: dict[str, ResultObject] = {one.kind: one for one in build_results(request)}
    made: dict[str, Callable[[], object]] = {
        kind: (lambda kind=kind: BUILDERS[kind](request, built)) for kind in DEFAULT_KINDS
    }
    for form in forms:
        made[f"forms: {form}"] = lambda form=form: list(alternatives(request, built, (form,)))
    return made


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="bench_results", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeat", type=int, default=15, help="runs that are counted (default %(default)s)")
    repeat = parser.parse_args().repeat
    if repeat < 1:
        parser.error(f"--repeat {repeat}: at least 1")
    cv2.setNumThreads(1)
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    with tempfile.TemporaryDirectory() as folder:
        study = Study(Path(folder))
    # A PACS as it is set up by default: nothing is sent
    forms = tuple(StorageSCU(name="pacs", host="localhost", port=104, called_ae="PACS", calling_ae="AINODE").forms)
    parts = bare_parts(study)
    whole: dict[str, Callable[[], object]] = {
        "all": lambda: build_results(study.request(), forms=forms),
        "without forms": lambda: build_results(study.request()),
    }
    found = measured({**parts, **whole, **steps(study.request(), forms)}, repeat)
    ratio = _show(Console(), found, list(parts), list(whole), repeat)
    _profile(whole["all"])
    return 0 if ratio <= MOST else 1


def _show(console: Console, found: dict[str, float], parts: list[str], whole: list[str], repeat: int) -> float:
    bare = sum(found[name] for name in parts)
    table = Table("", "processor ms", title=f"One film of 2500 × 2048 on one core, median of {repeat}")
    for name in parts:
        table.add_row(f"bare: {name}", f"{found[name]:.0f}")
    table.add_row("sum of the bare parts", f"{bare:.0f}")
    table.add_section()
    ratio = found["all"] / bare
    table.add_row("all objects, with the forms for a PACS", f"{found['all']:.0f}")
    table.add_row(f"ratio (at most {MOST:g})", f"{ratio:.2f}")
    table.add_row("all objects, without forms", f"{found['without forms']:.0f}")
    table.add_section()
    for name, milliseconds in found.items():
        if name not in (*parts, *whole):
            table.add_row(f"of which {name}", f"{milliseconds:.0f}")
    console.print(table)
    return ratio


def _profile(work: Callable[[], object]) -> None:
    """Print where the time goes, by function; the profiler itself makes small functions look slower."""
    profile = cProfile.Profile()
    profile.runcall(work)
    pstats.Stats(profile).strip_dirs().sort_stats("tottime").print_stats(14)


if __name__ == "__main__":
    sys.exit(main())
