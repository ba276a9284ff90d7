"""OHIF as a person uses it, in a real browser."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from playwright.sync_api import Page, sync_playwright

from tests.peers.peers import HOST

CHROMIUM = Path("/usr/bin/chromium")
_FLAGS = (
    # A container has neither a user namespace for the sandbox nor a GPU; never --disable-gpu, which ends WebGL
    "--no-sandbox", "--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader",
    "--ignore-gpu-blocklist", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
)  # fmt: skip
_PATIENCE_MS = 45_000.0
_SETTLED_MS = 400.0
_PROMPT = "Do you want to"

# A notice is gone after seconds: whatever was shown is kept until it is asked for.
_KEEP_NOTICES = """
window.notices = [];
new MutationObserver(() => document.querySelectorAll('[data-sonner-toast], [role=alert]').forEach(one => {
    if (one.innerText && !window.notices.includes(one.innerText)) window.notices.push(one.innerText);
})).observe(document, {childList: true, subtree: true});
"""
_HAS_REPORT = """() => window.notices.length > 0 || document.querySelector('svg.svg-layer polyline')
    || /^1\\.\\s/m.test(document.querySelector('[data-cy=viewport-pane]').innerText)"""
_HAS_SERIES = """name => (document.querySelector('[data-cy=viewport-overlay-top-left]') || {innerText: ''})
    .innerText.includes(name)"""
_CONTOURS = """() => [...document.querySelectorAll('svg.svg-layer polyline')].map(line => {
    const pane = document.querySelector('[data-cy=viewport-pane]').getBoundingClientRect();
    const box = line.getBoundingClientRect();
    return [box.left - pane.left, box.top - pane.top, box.right - pane.left, box.bottom - pane.top];
})"""


@dataclass(frozen=True)
class View:
    """What stands in the viewport.

    Attributes
    ----------
    text
        Of the page in the viewport: a report in words, the corners of a picture.
    labels
        Lines of text that are drawn on the picture.
    contours
        left, top, right, bottom of each, in pixels of `picture`.
    picture
        uint8, (rows, columns, 3), without the labels.
    notices, prompts
        What popped up since the study was opened.
    """

    text: str
    labels: tuple[str, ...]
    contours: tuple[tuple[float, float, float, float], ...]
    picture: NDArray[np.uint8]
    notices: tuple[str, ...]
    prompts: tuple[str, ...]


@dataclass
class Ohif:
    """A page of the viewer.

    Attributes
    ----------
    hosts
        Every host that the page asked for anything.
    """

    page: Page
    url: str
    screenshots: Path
    hosts: set[str] = field(default_factory=set)
    faults: list[str] = field(default_factory=list)

    def open_study(self, study_uid: str) -> None:
        self.page.goto(f"{self.url}/viewer?StudyInstanceUIDs={study_uid}")
        self.page.locator("[data-cy=viewport-overlay-top-left]").first.wait_for(timeout=_PATIENCE_MS)
        self._settled()
        tour = self.page.get_by_text("Skip all")
        if tour.count():
            tour.click()

    def show_report(self, name: str) -> View:
        """Open the SR of the study that is open; once, because what it draws stays."""
        self.page.get_by_text("AI report").first.dblclick()
        self.page.wait_for_function(_HAS_REPORT, timeout=_PATIENCE_MS)
        return self._view(f"{name}-report")

    def show_picture(self, name: str, kind: str) -> View:
        self.page.get_by_text(f"AI {kind}").first.dblclick()
        self.page.wait_for_function(_HAS_SERIES, arg=f"AI {kind}", timeout=_PATIENCE_MS)
        return self._view(f"{name}-{kind}")

    def _view(self, name: str) -> View:
        self._settled()
        self.page.screenshot(path=self.screenshots / f"{name}.png")
        pane = self.page.locator("[data-cy=viewport-pane]")
        text = pane.inner_text()
        labels = self.page.locator("svg.svg-layer tspan").all_text_contents()
        contours = self.page.evaluate(_CONTOURS)
        style = self.page.add_style_tag(content="svg.svg-layer g, svg.svg-layer line { visibility: hidden }")
        picture = _pixels(pane.screenshot())
        style.evaluate("one => one.remove()")
        return View(
            text=text,
            labels=tuple(labels),
            contours=tuple(tuple(one) for one in contours),
            picture=picture,
            notices=tuple(self.page.evaluate("window.notices")),
            prompts=tuple(self.page.get_by_text(_PROMPT).all_text_contents()),
        )

    def _settled(self) -> None:
        """Wait until nothing moves any more."""
        pane, before = self.page.locator("[data-cy=viewport-pane]"), b""
        for _ in range(int(_PATIENCE_MS / _SETTLED_MS)):
            now = pane.screenshot()
            if now == before:
                return
            before = now
            self.page.wait_for_timeout(_SETTLED_MS)
        raise TimeoutError(f"the viewport still changes after {_PATIENCE_MS / 1000:.0f} s")


@contextmanager
def ohif(url: str, screenshots: Path) -> Iterator[Ohif]:
    """Run the system's Chromium without a window and yield an empty page of the viewer."""
    screenshots.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=list(_FLAGS))
        # A service worker would fetch behind the back of the events that are looked at
        context = browser.new_context(viewport={"width": 1600, "height": 1000}, service_workers="block")
        context.add_init_script(_KEEP_NOTICES)
        page = context.new_page()
        viewer = Ohif(page, url, screenshots)
        page.on("request", lambda request: viewer.hosts.add(urlsplit(request.url).hostname or HOST))
        page.on("pageerror", lambda error: viewer.faults.append(str(error)))
        try:
            yield viewer
        finally:
            browser.close()


def _pixels(png: bytes) -> NDArray[np.uint8]:
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))
