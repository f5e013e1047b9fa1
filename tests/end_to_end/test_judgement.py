"""What the whole program says of what is held before it, on a screen that nobody sees.

Where a drawn picture falls is asked of the shipped model, so that another one needs no other
pictures as long as one of several falls there.
"""

import shutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import cache
from itertools import combinations
from pathlib import Path

import cv2
import numpy as np
import pytest

from build_host.evaluation.stops import STOPS
from device.appearance import Theme
from device.capture.demo import SCENES, Scene, demo_frame, draw_lesion, render_view
from device.frame import frame_now
from device.imaging.camera_jpeg import decode_frame
from device.imaging.field_of_view import crop
from device.imaging.quality import Remark, Shortcoming
from device.inference.analyzer import Analyzer
from device.inference.finding import Finding, NoCallReason
from device.inference.recommendation import Recommendation
from device.language import Language
from device.models.bundle import Bundle
from device.screen.view import LiveView
from tests.device.images import encoded
from tests.end_to_end.screen import TOOLS, Instrument, Pixels, colours, instrument, part
from tests.end_to_end.test_instrument import NetworkCamera, camera_of, live_view, photo

MISSING = [tool for tool in TOOLS if shutil.which(tool) is None]

pytestmark = pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}")

SHOWN: list[tuple[tuple[int, int], Language, Theme]] = [
    ((1024, 600), Language.ENGLISH, Theme.DARK),
    ((800, 480), Language.SPANISH, Theme.LIGHT),
    ((600, 1024), Language.PORTUGUESE, Theme.DARK),
]

LESIONS = (
    *SCENES,
    Scene(seed=867, radius=0.42, irregularity=0.22, pigment=0.93, blood=0.11, variegation=0.44,
          network=0.58, globules=56, hairs=3),
    Scene(seed=276, radius=0.27, irregularity=0.07, pigment=0.25, blood=0.12, variegation=0.57,
          network=0.53, hairs=1),
    Scene(seed=675, radius=0.36, irregularity=0.36, pigment=0.39, blood=0.06, variegation=0.92,
          network=0.0, globules=41, hairs=1),
    Scene(seed=900, radius=0.29, irregularity=0.2, pigment=1.06, blood=0.84, variegation=0.86,
          network=0.27, globules=38, hairs=7),
    Scene(seed=671, radius=0.38, irregularity=0.39, pigment=0.72, blood=0.45, variegation=0.12,
          network=0.49, globules=87, hairs=2),
    Scene(seed=584, radius=0.37, irregularity=0.52, pigment=1.5, blood=0.5, variegation=0.36,
          network=0.64, globules=81, hairs=3),
    Scene(seed=167, radius=0.36, irregularity=0.54, pigment=1.5, blood=0.67, variegation=0.89,
          network=0.47, globules=41, hairs=0),
    Scene(seed=662, radius=0.54, irregularity=0.5, pigment=1.35, blood=0.38, variegation=0.84,
          network=0.0, hairs=2),
)  # fmt: skip
PLAIN = Scene(seed=11, radius=0.42, irregularity=0.06, network=0.45, hairs=0)


def small(pixels: Pixels) -> Pixels:
    """Return a picture at the size at which the camera of these tests sends."""
    return np.asarray(cv2.resize(pixels, (640, 480), interpolation=cv2.INTER_AREA), np.uint8)


@cache
def seen(scene: Scene) -> Pixels:
    """Return a lesion through a round stop, all of which is in the picture."""
    return small(demo_frame(scene).pixels)


def two_lesions(radius: float) -> Pixels:
    """Return two lesions beside each other."""
    one = draw_lesion(replace(PLAIN, radius=radius))
    both = draw_lesion(replace(PLAIN, radius=0.001, pigment=0.0, network=0.0))
    y, x = np.mgrid[: len(one), : len(one)]
    for shift in (-150, 150):
        inside = np.hypot(x - len(one) / 2 - shift, y - len(one) / 2) < 140
        both[inside] = np.roll(one, shift, axis=1)[inside]
    return small(render_view(both, PLAIN, 0.0))


def forearm(size: int, cloth: tuple[int, int, int]) -> Pixels:
    """Return what a camera without a dermatoscope sees: an arm on a cloth, with a dark spot."""
    y, x = np.mgrid[:480, :640].astype(np.float32)
    round_ = np.sqrt(np.clip(1 - ((y - 240) / 190) ** 2, 0, 1))[:, :, None]
    woven = (0.8 + 0.2 * np.sin(x / 6) * np.sin(y / 6))[:, :, None]
    picture = np.where(round_ > 0.1, (214, 160, 132) * (0.35 + 0.65 * round_), cloth * woven)
    spot = np.clip((size - np.hypot(x - 330, 1.1 * (y - 235))) / 4, 0, 1)[:, :, None]
    picture = picture * (1 - spot) + np.array((70, 42, 36)) * spot
    return np.clip(picture, 0, 255).astype(np.uint8)


def keyboard() -> Pixels:
    """Return the keys of a keyboard."""
    picture = np.full((480, 640, 3), 40, np.uint8)
    for i in range(54):
        left, top = 20 + i % 9 * 68, 14 + i // 9 * 78
        cv2.rectangle(picture, (left, top), (left + 58, top + 66), (92, 92, 98), -1)
        at = (left + 16, top + 42)
        cv2.putText(picture, chr(65 + i % 26), at, cv2.FONT_HERSHEY_SIMPLEX, 0.9, (225,) * 3, 2)
    return picture


def lesions() -> Iterable[Pixels]:
    return map(seen, LESIONS)


def poorly_seen() -> Iterable[Pixels]:
    for scene in reversed(LESIONS):
        for change in ({"light": 0.4}, {"light": 0.3}, {"blur": 14.0}):
            yield seen(replace(scene, **change))


def is_called(recommendation: Recommendation) -> Callable[[Finding], bool]:
    return lambda finding: (
        finding.no_call is None
        and finding.recommendation == recommendation
        and not finding.quality.remarks
    )


def lacks(reason: NoCallReason) -> Callable[[Finding], bool]:
    return lambda finding: finding.no_call == reason and finding.recommendation is None


SITUATIONS: Mapping[str, tuple[Callable[[], Iterable[Pixels]], Callable[[Finding], bool]]] = {
    **{str(band): (lesions, is_called(band)) for band in Recommendation},
    "photograph": (
        lambda: (forearm(size, cloth) for size in (26, 18, 34)
                 for cloth in ((60, 84, 140), (150, 150, 146), (40, 90, 70))),
        lambda finding: finding.no_call == NoCallReason.NOT_DERMOSCOPIC,
    ),
    "too small": (
        lambda: (seen(replace(PLAIN, radius=r, network=0.0)) for r in (0.05, 0.06, 0.04)),
        lambda finding: finding.quality.shortcomings == (Shortcoming.LESION_TOO_SMALL,),
    ),
    "several": (
        lambda: map(two_lesions, (0.22, 0.18, 0.16)),
        lambda finding: Remark.SEVERAL_LESIONS in finding.quality.remarks
        and finding.quality.sufficient,
    ),
    "larger than the field": (
        lambda: (seen(replace(PLAIN, radius=r, irregularity=0.5)) for r in (0.8, 0.75, 0.85)),
        lambda finding: Remark.LARGER_THAN_FIELD in finding.quality.remarks
        and finding.quality.sufficient,
    ),
    "unfamiliar": (lambda: (keyboard(), *lesions()),
                   lambda finding: finding.no_call == NoCallReason.UNFAMILIAR),
    "poor, yet suspicious": (
        poorly_seen,
        lambda finding: finding.no_call == NoCallReason.QUALITY
        and finding.recommendation is not None,
    ),
    "poor": (poorly_seen, lacks(NoCallReason.QUALITY)),
}  # fmt: skip
"""What can be before the lens: pictures of which at least one is that, and how it is told."""


def judged(analyzer: Analyzer, pixels: Pixels) -> Finding:
    """Return the live view's finding of a picture, sent as the camera does."""
    received = decode_frame(encoded(pixels, "JPEG", quality=95))
    return analyzer.analyze(frame_now(received, 0, "camera"))


@pytest.fixture(scope="module")
def pictures(analyzer: Analyzer) -> dict[str, Pixels]:
    """Return a picture of every situation."""
    found = {}
    for name, (drawn, holds) in SITUATIONS.items():
        fitting = (pixels for pixels in drawn() if holds(judged(analyzer, pixels)))
        found[name] = next(fitting, None)
        assert found[name] is not None, f"the model finds no drawn picture {name}: draw another"
    return found


class Before:
    """What is held before the camera, and what the screen is to show of it."""

    def __init__(
        self, it: Instrument, camera: NetworkCamera, analyzer: Analyzer, blank: LiveView
    ) -> None:
        self.it, self._camera, self._analyzer, self._blank = it, camera, analyzer, blank

    def show(self, name: str, pixels: Pixels) -> LiveView:
        """Hold something before the camera, and wait until the screen says what it should."""
        self._camera.show(pixels)
        received = self._camera.picture
        finding = self._analyzer.analyze(frame_now(received, 0, "camera"))
        view = replace(self._blank, field=crop(received, finding.field), finding=finding)
        expected = self.it.drawn(view)
        self.it.sees(name, expected, self.it.layout.panel, self.it.row)
        # The square about the stop, and not its middle or the whole frame.
        skin = part(expected, self.it.bare_skin)
        assert np.allclose(colours(self.it.skin()), colours(skin), atol=4), name
        return view


def large_enough_for_gloves(it: Instrument, page: str, least: int) -> None:
    """Measure what is framed on a page: 10 mm, 2 mm apart, on a 7-inch screen."""
    # What is photographed may be half drawn.
    it.wait(lambda: len(it.framed(page)) >= least and it.framed(page) == it.framed(page), page)
    framed = it.framed(page)
    # 66 pixels of 1024 x 600 are 10 mm.
    side, apart = (round(length * it.layout.unit) for length in (66, 13))
    for name, area in framed.items():
        assert min(area.size) >= side, f"{page}: {name} is {area.size}"
    for (name, one), (other_name, other) in combinations(framed.items(), 2):
        across = max(one.left, other.left) - min(one.right, other.right)
        down = max(one.top, other.top) - min(one.bottom, other.bottom)
        # Places are rounded to whole pixels.
        assert max(across, down) >= apart - 1, f"{page}: {name} and {other_name}"


@pytest.mark.parametrize(("size", "language", "theme"), SHOWN, ids=str)
def test_what_is_before_the_lens_is_said_in_words_shape_and_colour(
    size: tuple[int, int],
    language: Language,
    theme: Theme,
    bundle: Bundle,
    analyzer: Analyzer,
    pictures: dict[str, Pixels],
    tmp_path: Path,
) -> None:
    blank = LiveView(None, language=language, theme=theme)
    with (
        instrument(size, language, bundle, tmp_path, theme=theme) as it,
        camera_of(photo()) as (source, camera),
        it.started(source),
    ):
        before = Before(it, camera, analyzer, blank)
        held = 0
        for name, pixels in pictures.items():
            live = before.show(name, pixels)
            if name not in tuple(Recommendation):
                continue
            it.touch("live", "shutter")
            held += 1
            frozen = replace(
                live_view(it.kept(held), language), theme=theme, live_before=live.finding
            )
            it.sees(f"{name}, held", it.drawn(frozen), it.all_but_the_clock)
            it.key("Escape")
        large_enough_for_gloves(it, "live", 4)
        it.touch("live", "overlay")
        it.wait(lambda: "next" in it.framed("live"), "the overlay's legend")
        large_enough_for_gloves(it, "live", 5)
        it.touch("live", "overlay")
        it.touch("live", "more")
        it.wait(lambda: len(it.framed("settings")) > 4, "settings")
        large_enough_for_gloves(it, "settings", 8)
        it.touch("settings", "compare")
        it.wait(lambda: "older" in it.framed("compare"), "compare")
        large_enough_for_gloves(it, "compare", 3)
        for _ in range(2):
            it.key("Escape")
        it.touch("live", "case")
        it.wait(lambda: "worklist" in it.framed("start"), "start")
        large_enough_for_gloves(it, "start", 4)
        it.key("Escape")
        it.touch("live", "more")
        it.touch("settings", "quit")
        assert it.ended() == 0


def test_live_view_sees_through_any_stop(
    bundle: Bundle, analyzer: Analyzer, tmp_path: Path
) -> None:
    plain = draw_lesion(PLAIN)[90:810, 90:810]
    with (
        instrument((1024, 600), Language.ENGLISH, bundle, tmp_path) as it,
        camera_of(photo()) as (source, camera),
        it.started(source),
    ):
        before = Before(it, camera, analyzer, LiveView(None))
        for name, draw in STOPS.items():
            finding = before.show(name, draw(plain)).finding
            assert finding is not None
            assert finding.field.inscribed is not None, name
            judged_on = crop(camera.picture, finding.field.inscribed)
            # Skin up to every corner of what the network is shown.
            assert judged_on[:: len(judged_on) - 1, :: len(judged_on) - 1].max(axis=2).min() > 120
        it.touch("live", "more")
        it.touch("settings", "quit")
        assert it.ended() == 0
