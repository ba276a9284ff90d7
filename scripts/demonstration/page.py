"""What the demonstration shows: one table, and one page with the pictures."""

from __future__ import annotations

import html
import shutil
from collections.abc import Sequence
from pathlib import Path

from proof import Outcome
from rich.markup import escape
from rich.table import Table

from dicom_node.study import study_key

_STYLE = (
    "body{font:16px system-ui;margin:2rem auto;max-width:72rem;padding:0 1rem;background:#111;color:#ddd}"
    "img{max-width:100%;border:1px solid #333;margin:.5rem 0}h2{margin-top:3rem}a{color:#8cf}"
)


def table(outcomes: Sequence[Outcome]) -> Table:
    """Return the table of what became of each study."""
    shown = Table(
        "study",
        "what the model said",
        "objects that came back",
        "accepted by",
        "seconds",
        "",
        title="Results",
    )
    for one in outcomes:
        mark = "[green]ok[/]" if not one.faults else f"[red]{escape('; '.join(one.faults))}[/]"
        objects, accepted = "\n".join(one.objects), ", ".join(one.accepted)
        shown.add_row(one.study.title, escape(one.said), objects, accepted, f"{one.seconds:.2f}", mark)
    return shown


def write_page(folder: Path, outcomes: Sequence[Outcome], results: Path) -> Path:
    """Write the pictures and a page that shows them; returns the page.

    Parameters
    ----------
    results
        The folder destination of the node, one folder a study.
    """
    pictures = folder / "pictures"
    pictures.mkdir()
    sections = []
    for number, one in enumerate(outcomes, start=1):
        names = _pictures(results, one, number, pictures)
        images = "".join(f'<img src="pictures/{name}" alt="{html.escape(one.said)}">' for name in names)
        sections.append(f"<h2>{html.escape(one.study.title)}</h2><p>{html.escape(one.said)}</p>{images}")
    page = folder / "index.html"
    body = "".join(sections)
    page.write_text(
        f"<!doctype html><meta charset=utf-8><title>dicom-node demo</title><style>{_STYLE}</style>"
        f"<h1>What the node gave back</h1><p>AI RESULT - NOT FOR DIAGNOSTIC USE</p>{body}",
        encoding="utf-8",
    )
    return page


def _pictures(results: Path, one: Outcome, number: int, pictures: Path) -> list[str]:
    names = []
    for kind in ("summary", "heatmap"):
        for picture in (results / study_key(one.study.uid)).glob(f"{kind}-*.png"):
            name = f"study-{number}-{kind}.png"
            shutil.copyfile(picture, pictures / name)
            names.append(name)
    return names
