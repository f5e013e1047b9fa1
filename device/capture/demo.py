"""Frames drawn by the program itself, so that all of it can be seen without a camera.

The lesions are drawings: nothing in them comes from a patient, and what a model says of them
means nothing.
"""

import math
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from device.capture.source import FrameSource
from device.frame import Frame, SourceKind, frame_now
from device.language import translatable
from device.platform.clock import Clock

Plane = NDArray[np.float32]

SIZE: Final = (1024, 768)
"""Width and height of a frame, in pixels."""

FRAMES_PER_SECOND: Final = 30.0
SECONDS_PER_SCENE: Final = 5.0

_CANVAS: Final = 900
_STOP_RADIUS: Final = 0.48
"""Radius of the round field stop, in frame heights: all of it lies in the frame."""

# Optical absorption by colour channel (red, green, blue): pigment eats blue most, blood green.
_MELANIN: Final = np.array([0.75, 1.15, 1.55], np.float32)
_BLOOD: Final = np.array([0.25, 1.45, 1.15], np.float32)
_SKIN: Final = np.array([226.0, 178.0, 156.0], np.float32)
_VEIL: Final = np.array([104.0, 116.0, 142.0], np.float32)
"""What pigment deep in the skin looks like: short waves are scattered back before they reach it."""


@dataclass(frozen=True, slots=True)
class Scene:
    """One lesion, and how it is held.

    Attributes
    ----------
    seed
        Decides everything that is random.
    radius
        Of the lesion, in half canvases.
    irregularity
        How far the border strays from a circle, 0 to 1.
    pigment, blood
        Optical density of the two colours.
    variegation
        How unevenly the pigment lies, 0 to 1.
    network
        Strength of the pigment network.
    globules
        Number of dark globules.
    veil
        Strength of a blue-white veil over a part of the lesion, 0 to 1.
    hairs
        Number of hairs.
    blur, light, glare
        What is wrong with the picture: blur in pixels, brightness factor, number of reflections.
    """

    seed: int
    radius: float = 0.45
    irregularity: float = 0.1
    pigment: float = 0.7
    blood: float = 0.05
    variegation: float = 0.2
    network: float = 0.35
    globules: int = 0
    veil: float = 0.0
    hairs: int = 6
    blur: float = 0.0
    light: float = 1.0
    glare: int = 0


SCENES: Final = (
    Scene(seed=11, radius=0.42, irregularity=0.15, variegation=0.5, network=0.45, globules=20),
    Scene(
        seed=23, radius=0.55, irregularity=0.45, pigment=1.25, variegation=0.95, network=0.6,
        globules=40, hairs=3,
    ),
    Scene(seed=23, radius=0.55, irregularity=0.45, pigment=1.25, variegation=0.95, network=0.6,
          globules=40, hairs=3, blur=20.0),
    Scene(seed=37, radius=0.36, irregularity=0.12, pigment=0.08, blood=0.75, variegation=0.5,
          network=0.0, hairs=2),
    Scene(seed=41, radius=0.5, irregularity=0.22, pigment=0.55, variegation=0.6, network=0.0,
          globules=70, hairs=14),
    Scene(seed=41, radius=0.5, irregularity=0.22, pigment=0.55, variegation=0.6, network=0.0,
          globules=70, hairs=14, light=0.22),
    Scene(seed=59, radius=0.4, irregularity=0.15, pigment=0.3, blood=0.35, variegation=0.3,
          network=0.1, hairs=8, glare=26),
    # To the shipped model the first of these is to be followed up, the second excised.
    Scene(seed=59, radius=0.3, irregularity=0.29, pigment=0.51, blood=0.59, variegation=0.88,
          network=0.69, globules=71, hairs=2),
    Scene(seed=64, radius=0.35, irregularity=0.43, pigment=0.93, blood=0.42, variegation=0.94,
          network=0.33, globules=105, veil=1.0, hairs=2),
)  # fmt: skip


class DemoPicture:
    """What a hand-held dermatoscope sees: one drawn lesion after another, without end.

    Parameters
    ----------
    scenes
        What is shown, in turn.
    """

    def __init__(self, scenes: tuple[Scene, ...] = SCENES) -> None:
        self._scenes = scenes
        self._drawn = lru_cache(maxsize=1)(draw_lesion)

    def __call__(self, seconds: float) -> NDArray[np.uint8]:
        """Return what is before the lens at a moment: uint8, (768, 1024, 3), RGB."""
        scene = self._scenes[int(seconds / SECONDS_PER_SCENE) % len(self._scenes)]
        return render_view(self._drawn(scene), scene, seconds)


class DemoSource(FrameSource):
    """A camera that sees a `DemoPicture`.

    Parameters
    ----------
    clock
        That paces and stamps the frames.
    scenes
        What is shown, in turn.
    paced
        Wait between frames as a camera does; else frames come as fast as they are read.
    """

    def __init__(
        self, clock: Clock, *, scenes: tuple[Scene, ...] = SCENES, paced: bool = True
    ) -> None:
        super().__init__(translatable("demo"), SourceKind.DEMO, clock)
        self._picture = DemoPicture(scenes)
        self._paced = paced
        self._start = clock.monotonic()

    def read(self, timeout: float = 1.0) -> Frame:
        """Return the next frame; this fails only when the source is closed."""
        self._check_open()
        if self._paced:
            due = self._start + self._next_number / FRAMES_PER_SECOND
            delay = due - self._clock.monotonic()
            if delay > 0:
                self._clock.sleep(min(delay, timeout))
            elif delay < -1.0:
                self._start -= delay
        return self._frame(self._picture(self._next_number / FRAMES_PER_SECOND))


def demo_frame(scene: Scene, seconds: float = 0.0) -> Frame:
    """Return one frame of a scene, the same every time."""
    pixels = render_view(draw_lesion(scene), scene, seconds)
    return replace(frame_now(pixels, 0, "demo"), kind=SourceKind.DEMO)


def render_view(canvas: NDArray[np.uint8], scene: Scene, seconds: float) -> NDArray[np.uint8]:
    """Return what the instrument sees of a canvas at a moment: a hand trembles, a stop is round.

    Returns
    -------
    numpy.ndarray
        uint8, (768, 1024, 3), RGB.
    """
    width, height = SIZE
    turn = 1.2 * math.sin(0.7 * seconds) + 0.3 * math.sin(5.1 * seconds)
    zoom = height / _CANVAS * (1.1 + 0.012 * math.sin(0.9 * seconds))
    matrix = cv2.getRotationMatrix2D((_CANVAS / 2, _CANVAS / 2), turn, zoom)
    matrix[0, 2] += width / 2 - _CANVAS / 2 + 6 * math.sin(1.3 * seconds) + math.sin(7 * seconds)
    matrix[1, 2] += height / 2 - _CANVAS / 2 + 5 * math.sin(1.1 * seconds + 1)
    seen = cv2.warpAffine(
        canvas, matrix, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101
    )
    if scene.blur > 0:
        seen = cv2.GaussianBlur(seen, (0, 0), scene.blur)
    return cv2.multiply(seen, _illumination(scene.light), scale=1 / 255.0).astype(np.uint8)


def draw_lesion(scene: Scene) -> NDArray[np.uint8]:
    """Return a lesion on skin, uint8, (900, 900, 3), RGB."""
    random = np.random.default_rng(scene.seed)
    axis = np.linspace(-1, 1, _CANVAS, dtype=np.float32)
    x, y = np.meshgrid(axis, axis)
    inside = _outline(random, x, y, scene)
    melanin = 0.10 + 0.05 * _clouds(random, 6) + 0.03 * _clouds(random, 60)
    blood = 0.05 + 0.06 * _clouds(random, 10)
    uneven = 1.0 - scene.variegation * 0.75 * (1.0 - _clouds(random, 5))
    centre = 1.0 - 0.35 * np.sqrt(x * x + y * y)
    melanin += scene.pigment * inside * uneven * centre
    blood += scene.blood * inside * (0.7 + 0.5 * _clouds(random, 14))
    if scene.network:
        melanin += scene.network * inside * _network(random) * (0.4 + 0.6 * _clouds(random, 6))
    if scene.globules:
        melanin += 0.5 * inside * _globules(random, scene)
    absorbed = melanin[:, :, None] * _MELANIN + blood[:, :, None] * _BLOOD
    colour = _SKIN * np.exp(-absorbed) * (0.97 + 0.06 * _clouds(random, 180)[:, :, None])
    if scene.veil:
        cover = scene.veil * (inside * _patch(random, x, y, scene))[:, :, None]
        colour = colour * (1.0 - cover) + _VEIL * cover
    colour += random.normal(0.0, 2.2, colour.shape)
    picture = np.clip(colour, 0, 255).astype(np.uint8)
    _draw_hairs(random, picture, scene.hairs)
    _draw_glare(random, picture, scene.glare)
    return picture


def _clouds(random: np.random.Generator, cells: int) -> Plane:
    """Return smooth noise from 0 to 1 with so many cells along a side, and finer octaves."""
    total = np.zeros((_CANVAS, _CANVAS), np.float32)
    weight, weights = 1.0, 0.0
    for octave in range(3):
        side = min(cells << octave, _CANVAS)
        grid = random.random((side + 2, side + 2), dtype=np.float32)
        total += weight * cv2.resize(grid, (_CANVAS, _CANVAS), interpolation=cv2.INTER_CUBIC)
        weights += weight
        weight /= 2
    return np.asarray(np.clip(total / weights, 0, 1), np.float32)


def _outline(random: np.random.Generator, x: Plane, y: Plane, scene: Scene) -> Plane:
    angle = np.arctan2(y, x)
    edge = np.full_like(angle, scene.radius)
    for wave in range(2, 9):
        swing = scene.irregularity * scene.radius * random.normal(0, 0.5) / (wave**0.7)
        edge += np.float32(swing) * np.cos(wave * angle + random.uniform(0, 2 * math.pi))
    ragged = 0.08 * scene.irregularity * (_clouds(random, 24) - 0.5)
    distance = np.sqrt(x * x * 0.92 + y * y * 1.1) - edge - ragged
    smooth = np.clip(0.5 - distance / 0.11, 0, 1)
    return np.asarray(smooth * smooth * (3 - 2 * smooth), np.float32)


def _patch(random: np.random.Generator, x: Plane, y: Plane, scene: Scene) -> Plane:
    """Return a cloudy patch off the middle of the lesion, 0 to 1."""
    turn = random.uniform(0, 2 * math.pi)
    away = 0.45 * scene.radius
    distance = np.hypot(x - away * math.cos(turn), y - away * math.sin(turn)) / scene.radius
    return np.asarray(
        np.clip(1.3 - 1.6 * distance, 0, 1) * (0.4 + 0.6 * _clouds(random, 7)), np.float32
    )


def _network(random: np.random.Generator) -> Plane:
    """Return a honeycomb: the borders between the nearest-point cells of a jittered grid."""
    seeds = np.full((_CANVAS, _CANVAS), 255, np.uint8)
    step = 17
    for row, top in enumerate(range(0, _CANVAS, step)):
        for left in range((row % 2) * step // 2, _CANVAS, step):
            jitter = random.integers(-5, 6, 2)
            at = np.clip(np.array([top, left]) + jitter, 0, _CANVAS - 1)
            seeds[at[0], at[1]] = 0
    distance = cv2.distanceTransform(seeds, cv2.DIST_L2, 5)
    lines = np.clip((distance - 6.0) / 5.0, 0, 1)
    return np.asarray(cv2.GaussianBlur(lines, (0, 0), 1.6), np.float32)


def _globules(random: np.random.Generator, scene: Scene) -> Plane:
    dots = np.zeros((_CANVAS, _CANVAS), np.float32)
    spread = scene.radius * _CANVAS / 2
    for _ in range(scene.globules):
        at = random.normal(_CANVAS / 2, spread * 0.5, 2).astype(int)
        radius = int(random.integers(4, 11))
        cv2.circle(dots, (int(at[0]), int(at[1])), radius, 1.0, -1, cv2.LINE_AA)
    return np.asarray(cv2.GaussianBlur(dots, (0, 0), 2.0), np.float32)


def _draw_hairs(random: np.random.Generator, picture: NDArray[np.uint8], count: int) -> None:
    for _ in range(count):
        start = random.uniform(0, _CANVAS, 2)
        heading, bend = random.uniform(0, 2 * math.pi), random.uniform(-0.5, 0.5)
        along = np.linspace(0, random.uniform(0.4, 0.9) * _CANVAS, 40)
        angle = heading + bend * along / _CANVAS
        steps = np.stack([np.cos(angle), np.sin(angle)], axis=1) * (along[1] - along[0])
        line = (start + np.cumsum(steps, axis=0)).astype(np.int32)
        thickness = int(random.integers(2, 5))
        cv2.polylines(picture, [line], False, (64, 42, 34), thickness, cv2.LINE_AA)


def _draw_glare(random: np.random.Generator, picture: NDArray[np.uint8], count: int) -> None:
    for _ in range(count):
        at = random.normal(_CANVAS / 2, _CANVAS / 5, 2).astype(int)
        axes = (int(random.integers(8, 42)), int(random.integers(6, 22)))
        turn = float(random.uniform(0, 180))
        centre = (int(at[0]), int(at[1]))
        cv2.ellipse(picture, centre, axes, turn, 0, 360, (255, 255, 255), -1, cv2.LINE_AA)


@lru_cache(maxsize=8)
def _illumination(light: float) -> NDArray[np.uint8]:
    """Return the lamp's even light through a round stop, brightest in the middle: 255 is all."""
    width, height = SIZE
    x, y = np.meshgrid(np.arange(width) - width / 2, np.arange(height) - height / 2)
    radius = np.sqrt(x * x + y * y) / height
    even = 1.0 - 0.22 * radius**2
    stop = np.clip((_STOP_RADIUS - radius) / 0.012, 0, 1)
    plane = (255.0 * light * even * stop).astype(np.uint8)
    return np.asarray(cv2.merge([plane, plane, plane]), np.uint8)
