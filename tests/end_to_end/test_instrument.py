"""The whole program on a screen that nobody sees, worked with a pointer and keys.

Pages that show what the model said are compared with what is drawn from the kept examination; the
others with pictures in ``reference/``, which a new model does not change. After a change that is
meant: ``python -m tests.end_to_end.test_instrument FOLDER``, and look at each; the whole screens
are then in the folder.
"""

import json
import shutil
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pygame import Rect

from device.appearance import Rotation
from device.capture.demo import SCENES, demo_frame
from device.config import Config, model_folder
from device.diagnoses import Code
from device.faults import Fault
from device.frame import Frame, SourceKind
from device.imaging.camera_jpeg import decode_frame
from device.imaging.field_of_view import crop
from device.inference.analyzer import Analyzer
from device.inference.finding import from_record
from device.language import Language
from device.models.bundle import Bundle, load_bundle
from device.records.encrypted_archive import EncryptedArchive
from device.records.model import Examination
from device.runtime.messages import Picture
from device.screen.pages.about import AboutView
from device.screen.pages.compare import CompareView
from device.screen.pages.fault import FaultView
from device.screen.pages.limits import LimitsView
from device.screen.pages.settings import SettingsView
from device.screen.view import KeepStatus, LiveView
from tests.device.capture.drivers import begin, send, serving
from tests.device.images import encoded
from tests.device.records.conftest import CHEAP
from tests.end_to_end.screen import (
    SETTLED,
    TOOLS,
    Instrument,
    Pixels,
    alike,
    colours,
    instrument,
)

MISSING = [tool for tool in TOOLS if shutil.which(tool) is None]

pytestmark = pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}")

SHOWN: list[tuple[tuple[int, int], Language, Language]] = [
    ((1024, 600), "en", "es"),
    ((800, 480), "es", "pt"),
    ((600, 1024), "pt", "en"),
]
"""Size of the screen, the language it begins with and that which is then chosen."""


def photo() -> Pixels:
    """Draw a lesion, small enough that every page shows it at its own size."""
    whole = Image.fromarray(demo_frame(SCENES[0]).pixels)
    return np.asarray(whole.resize((640, 480), Image.Resampling.LANCZOS))


class NetworkCamera:
    """A camera on the network that can be unplugged; called to answer a request.

    Attributes
    ----------
    picture
        What it sees, as whoever receives it does.
    """

    def __init__(self, pixels: Pixels) -> None:
        self.plugged = threading.Event()
        self.plugged.set()
        self.show(pixels)

    def show(self, pixels: Pixels) -> None:
        """Hold something else before it."""
        self._jpeg = encoded(pixels, "JPEG", quality=95)
        self.picture = decode_frame(self._jpeg)

    def __call__(self, handler: BaseHTTPRequestHandler) -> None:
        if not self.plugged.is_set():
            handler.send_error(503)
            return
        begin(handler)
        while self.plugged.is_set():
            send(handler, self._jpeg)
            time.sleep(0.03)


@contextmanager
def camera_of(pixels: Pixels) -> Iterator[tuple[str, NetworkCamera]]:
    """Serve a picture as a network camera does; yield its source, and the camera."""
    camera = NetworkCamera(pixels)
    with serving(camera) as address:
        try:
            yield f"mjpeg:{address}", camera
        finally:
            camera.plugged.clear()


def live_view(examination: Examination, language: Language) -> LiveView:
    """Return the frozen page as the kept examination has it."""
    record = examination.record
    field = record.field_of_view
    assert field is not None
    return LiveView(
        field=crop(examination.image, field),
        finding=from_record(record.finding, field),
        frozen=record.taken,
        measures=record.measures,
        kept=KeepStatus.KEPT,
        language=language,
    )


def explained(bundle: Bundle, examination: Examination, frozen: LiveView, code: Code) -> LiveView:
    """Return the frozen page with the map of one diagnosis, as the model makes it."""
    frame = Frame(examination.image, examination.record.taken, 0, "")
    saliency = Analyzer(bundle).explain(frame, code, as_captured=True)
    return replace(frozen, overlay=saliency.values, overlay_wanted=True, explained=code)


def compare_view(earlier: LiveView, present: LiveView, count: int) -> CompareView:
    """Return the compare page of two kept examinations, the later one still held."""
    before, now = (
        Picture(view.frozen, view.field, view.finding)
        for view in (earlier, present)
        if view.field is not None
    )
    return CompareView(before, now, number=1, count=count, unfiled=True, language=present.language)


def walk(it: Instrument, bundle: Bundle, folder: Path, first: Language, second: Language) -> None:
    """Do all that a clinician can do, once."""
    with camera_of(photo()) as (source, camera):
        first_visit(it, bundle, source, camera.picture, first, second)


def first_visit(
    it: Instrument,
    bundle: Bundle,
    source: str,
    pixels: Pixels,
    first: Language,
    second: Language,
) -> None:
    layout = it.layout
    overlay = (layout.quality, it.row)
    it.forget()
    with it.started(source):
        it.sees("limits", it.drawn(LimitsView(language=first)), it.all_but_the_clock)
        it.touch("limits", "back")
        it.sees_live()

        it.touch("live", "shutter")
        examination = it.kept(1)
        assert np.array_equal(examination.image, pixels)
        frozen = live_view(examination, first)
        it.sees("frozen", it.drawn(frozen), it.all_but_the_clock)

        # What is drawn here for comparison comes from the same renderer; the photograph does not.
        # Nor is it framed, as what is frozen is.
        shown, expected = (one[12:-12, 12:-12] for one in (it.skin(), it.scaled(pixels)))
        assert np.allclose(colours(shown), colours(expected), atol=4)

        bare = it.skin()
        it.touch("live", "overlay")
        it.wait(lambda: not np.array_equal(it.skin(), bare), "overlay")
        it.touch("live", "mel")
        it.sees("overlay-mel", it.drawn(explained(bundle, examination, frozen, Code.MEL)), *overlay)
        it.touch("live", "vasc")
        vasc = explained(bundle, examination, frozen, Code.VASC)
        it.sees("overlay-vasc", it.drawn(vasc), *overlay)
        it.touch("live", "next")
        it.sees(
            "overlay-next", it.drawn(explained(bundle, examination, frozen, Code.MEL)), *overlay
        )
        it.touch("live", "vasc")
        it.sees("overlay-vasc", it.drawn(vasc), *overlay)
        # Of the diagnosis that the picture is called by, there is something to be seen.
        it.touch("live", "nv")
        naevus = explained(bundle, examination, frozen, Code.NV)
        it.sees("overlay-nv", it.drawn(naevus), *overlay)
        strong = it.skin()
        opacity = it.drag("live", "opacity", to=0.25)
        it.sees("opacity", it.drawn(replace(naevus, opacity=opacity)), layout.quality)
        assert not np.array_equal(it.skin(), strong)
        it.key("o")
        it.sees("overlay-off", it.drawn(frozen), it.all_but_the_clock)

        it.touch("live", "more")
        it.touch("settings", "compare")
        it.touch("compare", "shutter")
        it.touch("compare", "shutter")
        again = live_view(it.kept(2), first)
        it.sees("compare", it.drawn(compare_view(frozen, again, 1)), it.all_but_the_clock)
        it.key("Escape")
        it.sees("frozen-again", it.drawn(again), it.all_but_the_clock)
        it.key("Escape")
        it.sees_live()

        it.touch("live", "more")
        it.sees_kept("settings", layout.panel, it.row)
        it.touch("settings", "about")
        about = AboutView(bundle.signed_by, language=first)
        it.sees("about", it.drawn(about), it.all_but_the_clock)
        it.touch("about", "back")
        it.touch("settings", second)
        it.sees_kept(f"settings-{second}", layout.panel, it.row)
        it.touch("settings", "light")
        it.sees_kept("settings-light", layout.panel, it.row)
        it.touch("settings", "dark")
        it.sees_kept(f"settings-{second}", layout.panel, it.row)
        it.touch("settings", "quit")
        assert it.ended() == 0

    kept = json.loads((it.state / "screen.json").read_bytes())
    assert kept["language"] == second
    assert kept["opacity"] == pytest.approx(0.25, abs=0.02)
    assert kept["limits_read"]

    with it.started(source):
        it.sees("live-again", it.drawn(LiveView(None, language=second)), it.row)
        it.touch("live", "more")
        it.touch("settings", "compare")
        it.key("space")
        third, again = live_view(it.kept(3), second), replace(again, language=second)
        it.sees("compare-again", it.drawn(compare_view(again, third, 2)), it.all_but_the_clock)
        for _ in range(2):
            it.key("Escape")
        it.touch("live", "more")
        it.key("Up")
        it.key("Return")
        assert it.ended() == 0


def compare_with_weeks_ago(it: Instrument, bundle: Bundle, language: Language) -> None:
    """Come back three weeks after a picture was taken, and take it again."""
    with camera_of(photo()) as (source, camera):
        two_visits(it, bundle, source, camera.picture, language)


def keep_weeks_ago(it: Instrument, bundle: Bundle, pixels: Pixels) -> None:
    """Let the same picture have been kept three weeks ago."""
    analyzer = Analyzer(bundle)
    then = datetime.now(UTC) - timedelta(days=21)
    frame = Frame(pixels, then, 0, "network camera", SourceKind.CAMERA)
    finding = analyzer.analyze(frame, as_captured=True)
    archive = EncryptedArchive(it.state / "examinations", pin_cost=CHEAP)
    archive.open()
    archive.keep(frame, finding, analyzer.reached_operating_points(finding), None)
    archive.close()


def two_visits(
    it: Instrument, bundle: Bundle, source: str, pixels: Pixels, language: Language
) -> None:
    keep_weeks_ago(it, bundle, pixels)
    before = live_view(it.kept(1), language)
    with it.started(source):
        it.sees_live()
        it.touch("live", "more")
        it.touch("settings", "compare")
        it.key("space")
        now = live_view(it.kept(2), language)
        seen = replace(compare_view(before, now, 1), clock=datetime.now())
        it.sees("compare-weeks", it.drawn(seen), it.all_but_the_clock)
        it.key("Escape")
        it.key("Escape")
        it.touch("live", "more")
        it.touch("settings", "quit")
        assert it.ended() == 0


def see_a_dark_picture(it: Instrument, folder: Path) -> None:
    path = folder / "dark.png"
    Image.fromarray(photo() // 5).save(path)
    with it.started(f"replay:{path}"):
        it.sees_kept("dark", it.layout.finding, it.layout.quality, it.row)


def lose_the_network_camera(it: Instrument) -> None:
    with camera_of(photo()) as (source, camera), it.started(source):
        it.sees_live()
        live = it.skin()
        camera.plugged.clear()
        it.sees_kept("unplugged", it.layout.panel, it.row)
        # Nobody may take the last picture for what is before the lens.
        assert it.skin().mean() < 0.6 * live.mean()
        it.key("space")
        time.sleep(SETTLED)
        it.sees_kept("unplugged", it.layout.panel, it.row)
        assert it.kept_nothing()
        camera.plugged.set()
        it.sees_live()
        it.wait(lambda: np.allclose(colours(it.skin()), colours(live), atol=4), "the same skin")
        it.key("space")
        it.kept(1)
        it.touch("live", "more")
        it.touch("settings", "quit")
        assert it.ended() == 0


@pytest.mark.parametrize(("size", "first", "second"), SHOWN, ids=str)
def test_clinician_can_do_everything_with_pointer_and_keys(
    size: tuple[int, int], first: Language, second: Language, bundle: Bundle, tmp_path: Path
) -> None:
    with instrument(size, first, bundle, tmp_path) as it:
        walk(it, bundle, tmp_path, first, second)


@pytest.mark.parametrize(("size", "language"), [s[:2] for s in SHOWN], ids=str)
def test_picture_of_weeks_ago_is_known_for_one_and_has_not_changed(
    size: tuple[int, int], language: Language, bundle: Bundle, tmp_path: Path
) -> None:
    with instrument(size, language, bundle, tmp_path) as it:
        compare_with_weeks_ago(it, bundle, language)


@pytest.mark.parametrize(("size", "language"), [s[:2] for s in SHOWN], ids=str)
def test_dark_picture_is_no_call_and_says_what_to_do(
    size: tuple[int, int], language: Language, bundle: Bundle, tmp_path: Path
) -> None:
    with instrument(size, language, bundle, tmp_path) as it:
        see_a_dark_picture(it, tmp_path)


@pytest.mark.parametrize(("size", "language"), [s[:2] for s in SHOWN], ids=str)
def test_network_camera_may_go_and_come_back(
    size: tuple[int, int], language: Language, bundle: Bundle, tmp_path: Path
) -> None:
    with instrument(size, language, bundle, tmp_path) as it:
        lose_the_network_camera(it)


def test_stalled_and_unplugged_camera_is_told_and_comes_back(
    bundle: Bundle, tmp_path: Path
) -> None:
    with instrument((1024, 600), "en", bundle, tmp_path) as it:
        empty = LiveView(None)
        not_working = it.drawn(FaultView(Fault(""), empty))
        headline = Rect(it.layout.finding.topleft, (it.layout.finding.width, it.layout.px(46)))
        with it.started("picamera-fake:faults"):
            for fault in ("stalled", "absent"):
                it.sees(fault, not_working, headline, it.row)
                # Whatever is now said of the skin, it is there again and moves.
                it.wait(lambda: not alike(it.screen(), not_working, headline), f"{fault} no more")
                before = it.skin()
                it.wait(lambda seen=before: not np.array_equal(it.skin(), seen), "moving skin")


@pytest.mark.parametrize("rotation", [r for r in Rotation if r is not Rotation.NONE])
def test_panel_may_be_mounted_across_and_upside_down(
    rotation: Rotation, bundle: Bundle, tmp_path: Path
) -> None:
    with (
        instrument((1024, 600), "en", bundle, tmp_path, rotation=rotation) as it,
        camera_of(photo()) as (source, _),
        it.started(source),
    ):
        it.sees_live()
        it.touch("live", "shutter")
        frozen = live_view(it.kept(1), Language.ENGLISH)
        it.sees("frozen", it.drawn(frozen), it.all_but_the_clock)
        it.touch("live", "more")
        opacity = it.drag("settings", "opacity", to=0.25)
        settings = SettingsView(replace(frozen, opacity=opacity))
        it.sees("settings", it.drawn(settings), it.row, it.layout.panel)
        it.touch("settings", "quit")
        assert it.ended() == 0


@pytest.mark.parametrize("source", ["demo", "picamera-fake"])
def test_skin_moves_until_the_shutter_holds_it(source: str, bundle: Bundle, tmp_path: Path) -> None:
    with instrument((1024, 600), "en", bundle, tmp_path) as it:
        live = it.drawn(LiveView(None))
        with it.started(source):
            it.sees("live", live, it.row)
            before = it.skin()
            it.wait(lambda: not np.array_equal(it.skin(), before), "moving skin")
            it.key("space")
            it.kept_until_the_end(1)
            frozen = LiveView(None, frozen=datetime.now(UTC), kept=KeepStatus.UNTIL_THE_END)
            it.sees("frozen", it.drawn(frozen), it.row)
            held = it.skin()
            time.sleep(1.0)
            assert np.array_equal(it.skin(), held)
            it.key("Escape")
            it.sees("released", live, it.row)
            it.wait(lambda: not np.array_equal(it.skin(), held), "moving skin")
            it.touch("live", "more")
            it.touch("settings", "quit")
            assert it.ended() == 0
        # What no camera took is not among the clinic's examinations, and gone with the program.
        assert it.kept_nothing()
        assert list(it.temporary.iterdir()) == []


def main(out: Path) -> None:
    """Renew every kept picture."""
    config = Config()
    bundle = load_bundle(model_folder(config), config.trusted_keys)
    for size, first, second in SHOWN:
        folder = out / f"{size[0]}x{size[1]}-{first}"
        for deed in ("walk", "weeks", "dark", "network"):
            at = folder / deed
            at.mkdir(parents=True)
            with instrument(size, first, bundle, at, renew=True) as it:
                if deed == "walk":
                    walk(it, bundle, at, first, second)
                elif deed == "weeks":
                    compare_with_weeks_ago(it, bundle, first)
                elif deed == "dark":
                    see_a_dark_picture(it, at)
                else:
                    lose_the_network_camera(it)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
