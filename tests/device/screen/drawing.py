"""Views drawn off screen, and what is asked of their pixels."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pygame
from numpy.typing import NDArray
from pygame import Rect, Surface

from device.diagnoses import Code
from device.faults import Fault
from device.models.manifest import Manifest
from device.screen import theme
from device.screen.events import Target
from device.screen.layout import Layout, arrange
from device.screen.pages.base import page_class
from device.screen.pages.fault import FaultView
from device.screen.registry import PageName
from device.screen.renderer import Renderer
from device.screen.view import LiveView, PageView
from tests.device.screen.findings import make_finding

Pixels = NDArray[np.uint8]
Size = tuple[int, int]
SIZES: list[Size] = [(1024, 600), (800, 480), (600, 1024)]
NOON = datetime(2026, 3, 4, 12, 34, 56, tzinfo=UTC)
SKIN = np.full((300, 300, 3), (190, 130, 110), np.uint8)
SPOT = np.zeros((28, 28), np.float32)
SPOT[10:16, 12:20] = 1.0
LIVE = LiveView(SKIN, make_finding("nv"), clock=NOON, source="demo")
STATES = {
    "empty": LiveView(None, clock=NOON, source="demo"),
    "benign": LIVE,
    "malignant": replace(LIVE, finding=make_finding("mel")),
    "low-quality": replace(LIVE, finding=make_finding("mel", shortcomings=("glare",))),
    "uncertain": replace(LIVE, finding=make_finding("mel", 0.4, abstention="uncertain")),
    "unfamiliar": replace(LIVE, finding=make_finding("mel", 0.4, abstention="unfamiliar")),
    "not-dermoscopic": replace(
        LIVE, finding=make_finding("mel", 0.4, abstention="not-dermoscopic")
    ),
    "unstable": replace(LIVE, finding=make_finding("mel", 0.4, abstention="unstable")),
    "frozen": replace(LIVE, frozen=NOON),
    "overlay": replace(
        LIVE,
        finding=make_finding("nv", prediction_set=("nv", "mel")),
        overlay=SPOT,
        overlay_wanted=True,
        explained="mel",
    ),
    "fault": FaultView(Fault("the camera was unplugged", "plug it in again"), LIVE, clock=NOON),
    "stale": replace(LIVE, finding_age=2.0),
    "lost": replace(LIVE, lost=NOON),
}
NO_CALLS = ["low-quality", "uncertain", "unfamiliar", "not-dermoscopic", "unstable"]


def draw(manifest: Manifest, size: Size, view: PageView) -> Pixels:
    surface = Surface(size)
    Renderer(size, manifest).draw(surface, view)
    return pixels_of(surface)


def places(page: PageName, layout: Layout) -> Mapping[Target, Rect]:
    """Return where everything is that can be touched on a page."""
    return page_class(page).places(layout)


def pixels_of(surface: Surface) -> Pixels:
    return pygame.surfarray.array3d(surface).transpose(1, 0, 2)


def part(pixels: Pixels, area: Rect) -> Pixels:
    return pixels[area.top : area.bottom, area.left : area.right]


def count(pixels: Pixels, colour: theme.Colour) -> int:
    return int((pixels == np.array(colour)).all(axis=2).sum())


def track(manifest: Manifest, size: Size, code: Code) -> Rect:
    """Return where a bar can be filled: what is drawn of it when there is no finding."""
    area = arrange(*size).bars[code]
    empty = part(draw(manifest, size, STATES["empty"]), area)
    ground = (empty == np.array(theme.DARK.surface)).all(axis=2)
    rows = np.flatnonzero(ground.mean(axis=1) > 0.9)
    columns = np.flatnonzero(ground[rows[0]])
    assert len(rows) >= 3
    return Rect(area.left + int(columns[0]), area.top + int(rows[0]), len(columns), len(rows))


def differ(one: Pixels, other: Pixels, area: Rect) -> bool:
    return bool((part(one, area) != part(other, area)).any())
