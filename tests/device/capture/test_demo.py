from datetime import timedelta

import numpy as np
import pytest
from numpy.typing import NDArray

from device.capture.demo import (
    FRAMES_PER_SECOND,
    SCENES,
    SECONDS_PER_SCENE,
    SIZE,
    DemoSource,
    Scene,
    demo_frame,
)
from device.frame import Frame
from device.platform.clock import Clock
from tests.device.clocks import ManualClock

PLAIN = Scene(seed=1, hairs=0)


@pytest.fixture(scope="module")
def plain() -> NDArray[np.uint8]:
    return demo_frame(PLAIN).pixels


def test_scene_is_the_same_every_time(frames: tuple[Frame, ...]) -> None:
    for scene, frame in zip(SCENES[:2], frames, strict=False):
        np.testing.assert_array_equal(demo_frame(scene).pixels, frame.pixels)


def test_every_scene_is_another_picture(frames: tuple[Frame, ...]) -> None:
    assert len({frame.pixels.tobytes() for frame in frames}) == len(SCENES)


def test_frame_has_its_size(frames: tuple[Frame, ...]) -> None:
    width, height = SIZE
    assert all(frame.pixels.shape == (height, width, 3) for frame in frames)


def test_colours_are_those_of_skin_in_rgb_order(plain: NDArray[np.uint8]) -> None:
    red, green, blue = plain[370:400, 180:220].reshape(-1, 3).mean(axis=0)
    assert red > green > blue > 60


def test_lesion_is_darker_than_the_skin_around_it(plain: NDArray[np.uint8]) -> None:
    pixels = plain.mean(axis=2)
    assert pixels[354:414, 482:542].mean() < 0.7 * pixels[354:414, 180:240].mean()


def test_corners_lie_outside_the_round_stop(frames: tuple[Frame, ...]) -> None:
    for frame in frames:
        for corner in (frame.pixels[0, 0], frame.pixels[0, -1], frame.pixels[-1, 0]):
            assert corner.tolist() == [0, 0, 0]


@pytest.mark.parametrize(
    ("worse", "brighter"),
    [(Scene(seed=1, hairs=0, light=0.4), -1), (Scene(1, hairs=0, glare=30), 1)],
)
def test_light_and_glare_change_brightness(
    plain: NDArray[np.uint8], worse: Scene, brighter: int
) -> None:
    difference = demo_frame(worse).pixels.mean() - plain.mean()
    assert np.sign(difference) == brighter


def test_hand_trembles(plain: NDArray[np.uint8]) -> None:
    assert (plain != demo_frame(PLAIN, 0.5).pixels).any()


def test_source_counts_its_frames_and_moves() -> None:
    with DemoSource(Clock(), scenes=(PLAIN,), paced=False) as source:
        frames = [source.read() for _ in range(3)]
    assert [frame.sequence for frame in frames] == [0, 1, 2]
    assert all(frame.source == "demo" == source.name for frame in frames)
    assert all(frame.time.utcoffset() == timedelta(0) for frame in frames)
    assert (frames[0].pixels != frames[1].pixels).any()


def test_first_frame_of_the_source_is_the_frame_of_the_scene(plain: NDArray[np.uint8]) -> None:
    first = DemoSource(Clock(), scenes=(PLAIN,), paced=False).read()
    np.testing.assert_array_equal(first.pixels, plain)


def test_scenes_follow_each_other_without_end() -> None:
    other = Scene(seed=2, hairs=0, light=0.2)
    per_scene = round(SECONDS_PER_SCENE * FRAMES_PER_SECOND)
    source = DemoSource(Clock(), scenes=(PLAIN, other), paced=False)
    bright = []
    for _ in range(2 * per_scene + 1):
        bright.append(bool(source.read().pixels[384, ::64].mean() > 60))
    assert bright == [True] * per_scene + [False] * per_scene + [True]


def test_paced_source_gives_frames_at_their_rate() -> None:
    clock = ManualClock()
    start = clock.seconds
    with DemoSource(clock, scenes=(PLAIN,)) as source:
        for number in range(4):
            source.read()
            assert clock.seconds - start == pytest.approx(number / FRAMES_PER_SECOND)


def test_paced_source_gives_a_frame_within_its_timeout() -> None:
    clock = ManualClock()
    start = clock.seconds
    with DemoSource(clock, scenes=(PLAIN,)) as source:
        for _ in range(3):
            source.read(timeout=0.01)
    assert clock.seconds - start == pytest.approx(0.02)


def test_close_may_be_called_twice() -> None:
    source = DemoSource(Clock(), scenes=(PLAIN,))
    source.close()
    source.close()
