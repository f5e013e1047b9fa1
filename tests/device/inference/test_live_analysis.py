"""Findings of a live view, frame after frame."""

from collections.abc import Callable
from dataclasses import replace

import cv2
import numpy as np
import pytest

from device.frame import Frame
from device.imaging.preprocessing import crop_field, resize_to_input
from device.imaging.quality import Quality, QualityLimits, measure_quality
from device.inference import calibration
from device.inference.analyzer import MAX_MEASUREMENT_AGE_SECONDS, Analyzer
from device.inference.network import Network
from device.models.bundle import Bundle
from tests.device.clocks import ManualClock

GOOD = 0


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def following(bundle: Bundle, clock: ManualClock, frames: tuple[Frame, ...]) -> Analyzer:
    """Return an analyzer that has measured a good frame of a live view."""
    analyzer = Analyzer(bundle, clock=clock)
    analyzer.analyze_live(frames[GOOD])
    clock.seconds += 0.033
    assert analyzer.analyze_live(frames[GOOD]).quality.sufficient
    return analyzer


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> list[float | None]:
    """Return the motions of the frames whose quality is measured from now on."""
    motions = []

    def noted(field: np.ndarray, limits: QualityLimits, motion: float | None = None) -> Quality:
        motions.append(motion)
        return measure_quality(field, limits, motion)

    monkeypatch.setattr("device.inference.analyzer.measure_quality", noted)
    return motions


def trembling(frame: Frame, seed: int) -> Frame:
    noise = np.random.default_rng(seed).normal(0.0, 3.0, frame.pixels.shape)
    moved = np.roll(frame.pixels, seed % 3 - 1, axis=1) + noise
    return replace(frame, pixels=np.clip(np.rint(moved), 0, 255).astype(np.uint8))


def test_good_frame_stands_for_those_just_after_it_but_not_for_their_findings(
    following: Analyzer, clock: ManualClock, frames: tuple[Frame, ...],
    measured: list[float | None], bundle: Bundle,
) -> None:  # fmt: skip
    network = Network(bundle, bundle.manifest.live)
    first = following.analyze_live(frames[GOOD])
    for seed in range(2):
        clock.seconds += 0.033
        frame = trembling(frames[GOOD], seed)
        finding = following.analyze_live(frame, 0.01)
        assert (finding.field, finding.quality.focus) == (first.field, first.quality.focus)
        assert finding.quality.motion == 0.01
        known = crop_field(frame.pixels, field=first.field)
        own = network.run(resize_to_input(frame.pixels, network.spec.input, known))
        expected = calibration.probabilities(own.logits, network.spec.calibration)
        assert finding.probabilities == pytest.approx(tuple(expected))
    assert measured == []


def test_live_view_at_thirty_frames_a_second_is_measured_often_enough(
    following: Analyzer, clock: ManualClock, frames: tuple[Frame, ...], measured: list[float | None]
) -> None:
    for number in range(60):
        clock.seconds += 1 / 30
        following.analyze_live(frames[GOOD], number * 1e-6)
    apart = np.diff(np.array(measured) * 1e6) / 30
    assert len(apart) > 6
    # What stands until the next finding comes is no older then.
    assert apart.max() <= MAX_MEASUREMENT_AGE_SECONDS + 1e-6
    assert apart.min() > 1.5 / 30


def test_slow_device_measures_every_frame(
    following: Analyzer, clock: ManualClock, frames: tuple[Frame, ...], measured: list[float | None]
) -> None:
    for _ in range(5):
        clock.seconds += 0.6 * MAX_MEASUREMENT_AGE_SECONDS
        following.analyze_live(frames[GOOD])
    assert len(measured) >= 4


def covered(pixels: np.ndarray) -> np.ndarray:
    spoilt = pixels.copy()
    spoilt[:, : pixels.shape[1] * 3 // 5] = (205, 160, 140)
    return spoilt


@pytest.mark.parametrize(
    "spoil",
    [
        np.zeros_like,
        lambda p: p // 16,
        lambda p: np.minimum(p.astype(int) * 2, 255).astype(np.uint8),
        lambda p: cv2.GaussianBlur(p, (0, 0), 20),
        covered,
    ],
    ids=["black", "dark", "bright", "blurred", "covered"],
)
def test_frame_that_looks_otherwise_is_measured_at_once(
    following: Analyzer, frames: tuple[Frame, ...], measured: list[float | None],
    spoil: Callable[[np.ndarray], np.ndarray],
) -> None:  # fmt: skip
    spoilt = replace(frames[GOOD], pixels=np.asarray(spoil(frames[GOOD].pixels), np.uint8))
    finding = following.analyze_live(spoilt, 0.0)
    assert measured == [0.0]
    own = following.analyze(spoilt, 0.0).quality
    assert finding.quality.shortcomings == own.shortcomings
    assert finding.quality.focus == pytest.approx(own.focus)


def test_after_a_frame_that_was_refused_the_next_is_measured(
    following: Analyzer, clock: ManualClock, frames: tuple[Frame, ...], measured: list[float | None]
) -> None:
    assert following.analyze_live(frames[GOOD], 0.5).quality.shortcomings == ("moved",)
    assert measured == []
    clock.seconds += 0.01
    following.analyze_live(frames[GOOD], 0.0)
    assert measured == [0.0]
    dark = replace(frames[GOOD], pixels=frames[GOOD].pixels // 16)
    assert not following.analyze_live(dark).quality.sufficient
    assert following.analyze_live(frames[GOOD]).quality.sufficient


def test_frame_of_another_size_is_measured(
    following: Analyzer, frames: tuple[Frame, ...], measured: list[float | None]
) -> None:
    smaller = np.ascontiguousarray(frames[GOOD].pixels[:700, :900])
    field = following.analyze_live(replace(frames[GOOD], pixels=smaller), 0.02).field
    assert measured == [0.02]
    assert field.lies_in(smaller.shape)


def test_shutter_measures_its_pictures_whatever_the_live_view_was(
    following: Analyzer, frames: tuple[Frame, ...]
) -> None:
    dark = replace(frames[GOOD], pixels=frames[GOOD].pixels // 16)
    assert not following.analyze_burst([dark, dark])[1].quality.sufficient
    assert not following.analyze(dark).quality.sufficient


def test_frame_judged_as_taken_is_judged_as_the_shutter_would(
    analyzer: Analyzer, frames: tuple[Frame, ...]
) -> None:
    for frame in frames[:3]:
        taken, alone = analyzer.analyze_live(frame, as_captured=True), analyzer.analyze(frame)
        _, burst = analyzer.analyze_burst([frame])
        assert taken.probabilities == burst.probabilities
        assert (taken.as_captured, burst.as_captured) == (True, True)
        assert alone.as_captured == (analyzer.manifest.live.test_time_augmentation == "none")
        assert (alone.probabilities == taken.probabilities) == alone.as_captured
