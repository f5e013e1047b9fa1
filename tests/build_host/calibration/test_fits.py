import warnings

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from build_host.calibration.fits import (
    fit_abstention,
    fit_calibration,
    fit_conformal,
    fit_operating_points,
    fit_quality_limits,
)
from device.capture.demo import SCENES, Scene, demo_frame
from device.diagnoses import CODES
from device.imaging.field_of_view import crop, find_field
from device.imaging.quality import measure_quality
from device.inference.calibration import abstention_reason, energy, prediction_set, probabilities
from device.inference.network import NetworkOutput
from device.models.network_spec import Calibration

MEL = CODES.index("mel")
MALIGNANT = [CODES.index(code) for code in ("akiec", "bcc", "mel")]
PLAIN = Calibration(temperature=1.0, bias=(0.0,) * 7, fitted_on="")

seeds = st.integers(0, 2**32 - 1)


def sample(seed: int, count: int, temperature: float = 1.0, bias=0.0) -> tuple:
    """Return logits, and labels drawn from softmax(logits / temperature + bias)."""
    random = np.random.default_rng(seed)
    logits = random.normal(0, 2.0, (count, 7)).astype(np.float32)
    wanted = Calibration(
        temperature=temperature, bias=tuple(np.broadcast_to(bias, 7).tolist()), fitted_on=""
    )
    steps = probabilities(logits, wanted).cumsum(axis=1)
    labels = np.minimum((random.random((count, 1)) > steps).sum(axis=1), 6)
    # No diagnosis may be missing: the split sees to that.
    labels[:7] = range(7)
    return logits, labels


def answers(logits: NDArray[np.float32]) -> list[NetworkOutput]:
    return [NetworkOutput(row, None, None) for row in logits]


def cross_entropy(logits, labels, calibration: Calibration) -> float:
    own = probabilities(logits, calibration)[np.arange(len(labels)), labels]
    return float(-np.log(own).mean())


def test_the_temperature_and_biases_that_made_the_labels_are_found() -> None:
    bias = np.array([0.5, -0.5, 0.2, -1.0, 0.0, 1.5, -0.7])
    logits, labels = sample(3, 40_000, temperature=2.5, bias=bias)
    found = fit_calibration(logits, labels)
    assert found.temperature == pytest.approx(2.5, rel=0.04)
    assert np.array(found.bias) == pytest.approx(bias - bias.mean(), abs=0.1)


@given(seeds, st.integers(20, 300), st.sampled_from([0.3, 1.0, 4.0]))
@settings(max_examples=20)
def test_calibration_never_makes_the_cross_entropy_worse(seed, count, temperature) -> None:
    logits, labels = sample(seed, count, temperature)
    found = fit_calibration(logits, labels)
    best = cross_entropy(logits, labels, found)
    assert best <= cross_entropy(logits, labels, PLAIN) + 1e-6
    for factor in (0.9, 1.1):
        # Beyond these a manifest holds none.
        wanted = min(max(found.temperature * factor, 0.01), 100.0)
        near = msgspec.structs.replace(found, temperature=wanted)
        assert best <= cross_entropy(logits, labels, near) + 1e-4
    assert sum(found.bias) == pytest.approx(0.0, abs=1e-4)


@pytest.mark.parametrize("strength", [0.5, 1.0, 3.0, 20.0])
def test_a_network_that_is_never_wrong_gets_a_calibration_that_a_manifest_can_hold(
    strength: float,
) -> None:
    labels = np.repeat(np.arange(7), 12)
    noise = np.random.default_rng(0).normal(0, 0.05, (84, 7))
    logits = (np.eye(7)[labels] * strength + noise).astype(np.float32)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = fit_calibration(logits, labels)
    assert msgspec.json.decode(msgspec.json.encode(found), type=Calibration) == found
    calibrated = probabilities(logits, found)
    assert np.isfinite(calibrated).all()
    assert (calibrated.argmax(axis=1) == labels).all()


@given(seeds, st.integers(20, 200))
@settings(max_examples=30)
def test_an_operating_point_is_the_strictest_threshold_with_its_sensitivity(seed, count) -> None:
    logits, labels = sample(seed, count)
    points = fit_operating_points(logits, labels, PLAIN)
    assert [(p.name, p.score) for p in points] == [
        ("melanoma-0.90", "mel"),
        ("melanoma-0.95", "mel"),
        ("malignant-0.90", "malignant"),
        ("malignant-0.95", "malignant"),
        ("malignant-specificity-0.90", "malignant"),
    ]
    probability = probabilities(logits, PLAIN)
    for point in points:
        asked = float(point.name[-4:])
        if point.score == "mel":
            truth, score = labels == MEL, probability[:, MEL]
        else:
            truth = np.isin(labels, MALIGNANT)
            score = np.minimum(probability[:, MALIGNANT].sum(axis=1), 1.0)
        flagged = score >= point.threshold
        assert point.sensitivity == pytest.approx(flagged[truth].mean())
        assert point.specificity == pytest.approx((~flagged[~truth]).mean())
        assert "fold 4" in point.fitted_on
        if "specificity" in point.name:
            assert point.specificity >= asked
            lower = score >= score[score < point.threshold].max()
            assert (~lower[~truth]).mean() < asked
            continue
        assert point.sensitivity >= asked
        stricter = score > point.threshold
        assert stricter[truth].mean() < asked


@pytest.mark.parametrize(
    ("images", "rank"), [(8, 0), (9, 1), (18, 1), (19, 2), (29, 3), (39, 4), (49, 5), (99, 10)]
)
def test_a_conformal_threshold_is_the_documented_rank(images: int, rank: int) -> None:
    labels = np.repeat(np.arange(7), images)
    logits = np.random.default_rng(images).normal(0, 1, (7 * images, 7)).astype(np.float32)
    found = fit_conformal(logits, labels, PLAIN)
    probability = probabilities(logits, PLAIN)
    for i, threshold in enumerate(found.thresholds):
        own = sorted(probability[labels == i, i])
        # floor((n + 1) * 0.1), the 0th being nothing at all.
        assert threshold == (own[rank - 1] if rank else 0.0)


@given(seeds, st.integers(1, 60))
@settings(max_examples=30)
def test_nine_of_ten_images_keep_their_diagnosis_in_the_set(seed, images) -> None:
    labels = np.repeat(np.arange(7), images)
    logits = np.random.default_rng(seed).normal(0, 1, (7 * images, 7)).astype(np.float32)
    found = fit_conformal(logits, labels, PLAIN)
    assert found.coverage == 0.90
    rows = probabilities(logits, PLAIN)
    for i, code in enumerate(CODES):
        held = [code in prediction_set(row, found) for row in rows[labels == i]]
        assert np.mean(held) >= 0.90 - 1e-9


def test_new_images_are_covered_as_promised_for_every_diagnosis() -> None:
    logits, labels = sample(5, 14_000)
    found = fit_conformal(logits[:7000], labels[:7000], PLAIN)
    rows = probabilities(logits[7000:], PLAIN)
    for i, code in enumerate(CODES):
        held = [code in prediction_set(row, found) for row in rows[labels[7000:] == i]]
        assert np.mean(held) > 0.90 - 0.035


def test_confidence_below_two_in_three_right_is_no_call_where_confidence_is_honest() -> None:
    logits, labels = sample(7, 30_000)
    found = fit_abstention(answers(logits), labels, PLAIN)
    assert found.uncertain_below == pytest.approx(2 / 3, abs=0.06)
    assert found.score == "energy"


def test_three_images_in_a_hundred_are_unfamiliar() -> None:
    logits, labels = sample(8, 20_000)
    found = fit_abstention(answers(logits), labels, PLAIN)
    assert (energy(logits) < found.unfamiliar_below).mean() == pytest.approx(0.03, abs=0.001)


def test_features_tell_what_is_unfamiliar_where_the_network_gives_them() -> None:
    logits, labels = sample(8, 2000)
    random = np.random.default_rng(8)
    given = [NetworkOutput(row, None, random.normal(size=16).astype(np.float32)) for row in logits]
    found = fit_abstention(given, labels, PLAIN)
    assert found.score == "distance"
    far = sum(-np.square(a.whitened).mean() < found.unfamiliar_below for a in given)
    assert far == pytest.approx(60, abs=2)


def test_a_network_that_is_never_wrong_is_always_believed() -> None:
    logits, _ = sample(9, 500)
    found = fit_abstention(answers(logits), logits.argmax(axis=1), PLAIN)
    rows = probabilities(logits, PLAIN)
    assert "uncertain" not in [
        abstention_reason(a, p, found) for a, p in zip(answers(logits), rows, strict=True)
    ]


@given(seeds, st.integers(5, 120))
@settings(max_examples=30)
def test_a_network_that_is_never_right_is_never_believed(seed, count) -> None:
    logits, _ = sample(seed, max(count, 7))
    labels = (logits.argmax(axis=1) + 1) % 7
    found = fit_abstention(answers(logits), labels, PLAIN)
    rows = probabilities(logits, PLAIN)
    calls = [abstention_reason(a, p, found) for a, p in zip(answers(logits), rows, strict=True)]
    assert None not in calls


def drawn_field(scene: Scene) -> NDArray[np.uint8]:
    pixels = demo_frame(scene).pixels
    return crop(pixels, find_field(pixels))[::4, ::4]


def test_quality_limits_let_99_of_100_training_images_pass_each_measure() -> None:
    frame = drawn_field(SCENES[1])
    lights = np.linspace(0.5, 1.2, 200)
    fields = [np.clip(frame * light, 0, 255).astype(np.uint8) for light in lights]
    limits = fit_quality_limits(fields, "drawings")
    assert limits.derived_from == "drawings"
    measured = [measure_quality(field, limits) for field in fields]
    for passed in (
        [q.focus >= limits.focus_min for q in measured],
        [q.exposure >= limits.exposure_min for q in measured],
        [q.exposure <= limits.exposure_max for q in measured],
        [q.glare <= limits.glare_max for q in measured],
        [q.coverage >= limits.coverage_min for q in measured],
    ):
        assert np.mean(passed) >= 0.98
    exposures = [q.exposure for q in measured]
    assert limits.exposure_min == pytest.approx(np.quantile(exposures, 0.01), abs=1e-3)
    assert limits.exposure_max == pytest.approx(np.quantile(exposures, 0.99), abs=1e-3)
    assert limits.focus_min > 0.0
    assert limits.glare_max >= 0.02


def test_a_speck_that_every_training_image_shows_does_not_fail_them_all() -> None:
    fields = [np.full((144, 144, 3), 120 + n, np.uint8) for n in range(20)]
    for field in fields:
        field[70:72, 70:72] = 0
    limits = fit_quality_limits(fields, "")
    for field in fields:
        assert "not-in-contact" not in measure_quality(field, limits).shortcomings


def test_what_is_far_from_the_training_images_fails_its_measure() -> None:
    frame = drawn_field(SCENES[0])
    lights = np.linspace(0.8, 1.0, 60)
    fields = [(frame * light).astype(np.uint8) for light in lights]
    limits = fit_quality_limits(fields, "")
    assert "too-dark" in measure_quality((frame * 0.3).astype(np.uint8), limits).shortcomings
    flat = np.full_like(frame, 150)
    assert "out-of-focus" in measure_quality(flat, limits).shortcomings
    spotted = frame.copy()
    for row in range(60, 130, 16):
        for column in range(60, 130, 16):
            spotted[row : row + 8, column : column + 8] = 255
    assert "glare" in measure_quality(spotted, limits).shortcomings
