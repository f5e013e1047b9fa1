"""The program on a screen that nobody sees, and the hands and eyes before it."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from pygame import Rect, Surface, image

from device.appearance import Rotation, Theme
from device.config import CONFIG_VARIABLE
from device.diagnoses import CODES
from device.imaging.field_of_view import crop, find_field
from device.language import Language
from device.models.bundle import Bundle
from device.preferences import Preferences, save_preferences
from device.records.encrypted_archive import EncryptedArchive
from device.records.model import Examination
from device.screen.display import close_screen, open_offscreen
from device.screen.events import Target
from device.screen.layout import Layout, arrange
from device.screen.pages.base import Control, page_class
from device.screen.panel import upright_size
from device.screen.registry import PageName
from device.screen.renderer import Renderer
from device.screen.theme import PALETTES
from device.screen.view import PageView

TOOLS = ("Xvfb", "xdotool", "import")
ROOT = Path(__file__).parents[2]
REFERENCE = Path(__file__).parent / "reference"

NEAR = 48
"""A palette of 255 colours, and another processor's rounding, stay within this."""

LESS_THAN_A_LETTER = 40
PATIENCE = 300.0
"""A guard against hanging: nothing waits so long, however busy the machine is."""
SETTLED = 4.0

Pixels = NDArray[np.uint8]


PICTURES = "pictures/*/*"


class Instrument:
    """The program on a screen of its own, and the hands and eyes before it.

    Parameters
    ----------
    display
        Of the X server.
    folder
        For its settings, its state, and what was seen where a test fails.
    renew
        Take what is seen as the new reference.
    rotation
        By how much the panel is mounted otherwise; `size` is that of the upright picture.
    theme
        That was chosen when it was used before.
    """

    def __init__(
        self,
        display: str,
        size: tuple[int, int],
        language: Language,
        bundle: Bundle,
        folder: Path,
        renew: bool = False,
        rotation: Rotation = Rotation.NONE,
        theme: Theme = Theme.DARK,
    ) -> None:
        self.layout: Layout = arrange(*size)
        self._touch_colour = np.array(PALETTES[theme].touch)
        self._rotation = rotation
        self.state = folder / "state"
        self.temporary = folder / "tmp"
        self.temporary.mkdir()
        self._name = f"{size[0]}x{size[1]}-{language}"
        self._folder = folder
        self._renew = renew
        self._renewed: set[str] = set()
        self._bundle = bundle
        config = folder / "config.toml"
        width, height = upright_size(size, rotation)
        config.write_text(
            f'width = {width}\nheight = {height}\nrotation = {rotation}\nlanguage = "{language}"\n',
            encoding="utf-8",
        )
        # Of someone who has used it before.
        preferences = Preferences(language=language, limits_read=True, theme=theme)
        save_preferences(self.state, preferences)
        self._environment = os.environ | {
            "DISPLAY": display,
            "SDL_VIDEODRIVER": "x11",
            "STATE_DIRECTORY": str(self.state),
            "TMPDIR": str(self.temporary),
            CONFIG_VARIABLE: str(config),
            "PYTHONPATH": str(ROOT),
        }
        self._program: subprocess.Popen[bytes] | None = None

    @contextmanager
    def started(self, source: str) -> Iterator[None]:
        """Run the program; ended by force where nobody has quit it."""
        command = [sys.executable, "-m", "device", "run", "--source", source]
        with (self._folder / "program.log").open("ab") as log:
            self._program = subprocess.Popen(
                command, env=self._environment, stdout=log, stderr=log, cwd=self._folder
            )
            try:
                yield
            finally:
                self._program.kill()
                self._program.wait()

    def ended(self) -> int:
        """Return the exit status of a program that was told to quit."""
        assert self._program is not None
        return self._program.wait(PATIENCE)

    def _xdotool(self, *words: object) -> None:
        command = ["xdotool", *map(str, words)]
        subprocess.run(command, env=self._environment, check=True, timeout=PATIENCE)
        # A hand is slower than a frame.
        time.sleep(0.15)

    def key(self, name: str) -> None:
        """Press and release a key, named as X names it."""
        self._xdotool("key", name)

    def place(self, page: str, target: Target | str) -> Rect:
        """Return where a target is."""
        return page_class(PageName(page)).places(self.layout)[target]

    def forget(self) -> None:
        """Let nobody have used it before."""
        (self.state / "screen.json").unlink()

    def _point(self, x: int, y: int) -> None:
        """Move the pointer to where the panel shows a place of the picture."""
        width, height = self.layout.size
        place = {
            Rotation.NONE: (x, y),
            Rotation.QUARTER: (height - 1 - y, x),
            Rotation.HALF: (width - 1 - x, height - 1 - y),
            Rotation.THREE_QUARTERS: (y, width - 1 - x),
        }[self._rotation]
        self._xdotool("mousemove", *place)

    def touch(self, page: str, target: Target | str) -> None:
        """Click into the middle of a target."""
        self.touch_place(*self.place(page, target).center)

    def touch_place(self, x: int, y: int) -> None:
        """Click on a place of the picture."""
        self._point(x, y)
        self._xdotool("mousedown", 1)
        self._xdotool("mouseup", 1)

    def framed(self, page: str) -> dict[str, Rect]:
        """Return where the frames of buttons are seen on the screen."""
        seen, found = self.screen(), {}
        for target, area in page_class(PageName(page)).places(self.layout).items():
            frame = (part(seen, area) == self._touch_colour).all(axis=2)
            rows, columns = np.nonzero(frame)
            framed = frame.sum() >= area.width + area.height
            if target in CODES or target == Control.OPACITY or not framed:
                continue
            left, top = area.left + int(columns.min()), area.top + int(rows.min())
            found[str(target)] = Rect(left, top, np.ptp(columns) + 1, np.ptp(rows) + 1)
        return found

    def drag(self, page: str, target: Target | str, to: float) -> float:
        """Drag the knob of a slider from its middle to a share of its track; return where it is."""
        track = self.layout.slider_track(self.place(page, target))
        self._point(*track.center)
        self._xdotool("mousedown", 1)
        for share in (0.5 + 0.5 * (to - 0.5), to):
            along = round(share * track.width)
            self._point(track.left + along, track.centery)
        self._xdotool("mouseup", 1)
        return along / track.width

    def screen(self) -> Pixels:
        """Return what is on the screen, upright: uint8, (height, width, 3), RGB."""
        command = ["import", "-silent", "-window", "root", "png:-"]
        taken = subprocess.run(
            command, env=self._environment, check=True, capture_output=True, timeout=PATIENCE
        )
        seen = np.asarray(Image.open(BytesIO(taken.stdout)).convert("RGB"))
        return np.ascontiguousarray(np.rot90(seen, self._rotation // 90))

    def skin(self) -> Pixels:
        """Return what is on the screen of the skin, but for labels above and below it."""
        return part(self.screen(), self.bare_skin)

    def scaled(self, photograph: Pixels) -> Pixels:
        """Return a photograph as `skin` is to show it."""
        seen = Image.fromarray(crop(photograph, find_field(photograph)))
        area = self.layout.field
        return part(np.asarray(seen.resize(area.size)), self.bare_skin.move(-area.x, -area.y))

    @property
    def bare_skin(self) -> Rect:
        """The skin without the label at its top."""
        field = self.layout.field
        top = field.top + self.layout.px(40)
        return Rect(field.left, top, field.width, field.bottom - top)

    @property
    def row(self) -> Rect:
        """The four large targets."""
        return self.layout.row[0].union(self.layout.row[-1])

    @property
    def all_but_the_clock(self) -> Rect:
        """Everything above the status line."""
        return Rect(0, 0, self.layout.size[0], self.layout.status.top)

    def drawn(self, view: PageView) -> Pixels:
        """Return a view as it is to be seen."""
        surface = Surface(self.layout.size)
        Renderer(self.layout.size, self._bundle.manifest).draw(surface, view)
        taken = Image.frombytes("RGB", self.layout.size, image.tobytes(surface, "RGB"))
        return np.asarray(taken)

    def wait(self, holds: Callable[[], bool], what: str) -> None:
        """Wait until something holds; fail with a picture of the screen where it never does."""
        end = time.monotonic() + PATIENCE
        while not holds():
            if time.monotonic() > end:
                path = self._keep_picture(f"failed-{what}")
                log = (self._folder / "program.log").read_text(errors="replace")
                pytest.fail(f"never seen: {what}; the screen is in {path}\n{log}")
            time.sleep(0.2)

    def kept_nothing(self) -> bool:
        """Return whether there is no picture in the clinic's archive."""
        return not list((self.state / "examinations").glob(PICTURES))

    def kept(self, count: int) -> Examination:
        """Wait until so many examinations are in the clinic's archive, and read the newest."""
        folder = self.state / "examinations"
        self.wait(lambda: len(list(folder.glob(PICTURES))) == count, f"examination {count}")

        def read() -> list[Examination]:
            # The program alone may open them: a copy is read, as a backup would be.
            copied = self._folder / "copy"
            shutil.rmtree(copied, ignore_errors=True)
            archive = EncryptedArchive(copied)
            try:
                shutil.copytree(folder, copied)
                return [archive.read(name) for name in archive.identifiers()]
            except OSError:
                # Copied while it was written.
                return []
            finally:
                archive.close()

        # A picture is kept before it is judged.
        self.wait(
            lambda: len([one for one in read() if one.record.finding]) == count,
            f"finding {count}",
        )
        return max(read(), key=lambda examination: examination.record.taken)

    def kept_until_the_end(self, count: int) -> None:
        """Wait until so many are in the archive that the program throws away with its key."""
        pictures = f"dermascope-*/{PICTURES}"
        self.wait(lambda: len(list(self.temporary.glob(pictures))) == count, "an examination")

    def sees(self, what: str, expected: Pixels, *areas: Rect) -> None:
        """Wait until parts of the screen look like those of a picture."""
        self.wait(lambda: alike(self.screen(), expected, *areas), what)
        self._keep_picture(what)

    def sees_kept(self, name: str, *areas: Rect) -> None:
        """Wait until parts of the screen look as they do in the kept picture."""
        path = REFERENCE / f"{name}-{self._name}.png"
        if self._renew and name not in self._renewed:
            self._renewed.add(name)
            time.sleep(SETTLED)
            renew(path, self.screen(), *areas)
        with Image.open(path) as kept:
            expected = np.asarray(kept.convert("RGB"))
        self.sees(name, expected, *areas)

    def sees_live(self) -> None:
        """Wait until the live page is there: its buttons, and no fault."""
        self.sees_kept("live", self.row, self.layout.quality)

    def _keep_picture(self, name: str) -> Path:
        path = self._folder / f"{name}.png"
        Image.fromarray(self.screen()).save(path)
        return path


def part(pixels: Pixels, area: Rect) -> Pixels:
    return pixels[area.top : area.bottom, area.left : area.right]


def colours(pixels: Pixels) -> NDArray[np.float64]:
    """Return the mean red, green and blue."""
    return pixels.reshape(-1, 3).mean(axis=0)


def alike(one: Pixels, other: Pixels, *areas: Rect) -> bool:
    far = 0
    for area in areas:
        apart = np.abs(part(one, area).astype(np.int64) - part(other, area)).max(axis=2)
        far += int((apart > NEAR).sum())
    return far < LESS_THAN_A_LETTER


def renew(path: Path, seen: Pixels, *areas: Rect) -> None:
    kept = np.zeros_like(seen)
    for area in areas:
        part(kept, area)[:] = part(seen, area)
    small = Image.fromarray(kept).quantize(
        255, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE
    )
    path.parent.mkdir(exist_ok=True)
    small.save(path, optimize=True)


@contextmanager
def x_server(size: tuple[int, int]) -> Iterator[str]:
    """Run a screen without a monitor; yield its name."""
    reader, writer = os.pipe()
    server = subprocess.Popen(
        ["Xvfb", "-displayfd", str(writer), "-screen", "0", f"{size[0]}x{size[1]}x24",
         # When its last client goes, Xvfb begins anew, and refuses who comes meanwhile.
         "-nolisten", "tcp", "-noreset"],
        pass_fds=[writer], stderr=subprocess.DEVNULL,
    )  # fmt: skip
    os.close(writer)
    try:
        with os.fdopen(reader) as line:
            yield f":{line.readline().strip()}"
    finally:
        server.terminate()
        server.wait()


@contextmanager
def instrument(
    size: tuple[int, int],
    language: Language,
    bundle: Bundle,
    folder: Path,
    renew: bool = False,
    rotation: Rotation = Rotation.NONE,
    theme: Theme = Theme.DARK,
) -> Iterator[Instrument]:
    # What is expected is drawn here, and pictures of text need an open screen.
    open_offscreen((640, 480))
    try:
        with x_server(upright_size(size, rotation)) as display:
            yield Instrument(display, size, language, bundle, folder, renew, rotation, theme)
    finally:
        close_screen()
