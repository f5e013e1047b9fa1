import hashlib

import numpy as np

from build_host.calibration.cross_validation import (
    SELECTION_METRICS,
    cross_validate,
    cross_validated_probabilities,
)
from build_host.calibration.fits import fit_calibration
from device.inference.calibration import probabilities


def sample() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    labels = np.concatenate([np.arange(7), np.arange(7), random.integers(0, 7, 386)])
    logits = (random.normal(0, 1, (400, 7)) + 3 * np.eye(7)[labels]).astype(np.float32)
    return logits, labels, np.array([f"lesion-{i // 2}" for i in range(400)])


def test_no_lesion_is_calibrated_on_itself() -> None:
    logits, labels, lesions = sample()
    said = cross_validated_probabilities(logits, labels, lesions)
    np.testing.assert_allclose(said.sum(axis=1), 1.0)
    half = np.array([hashlib.sha256(name.encode()).digest()[-1] % 2 for name in lesions])
    assert 0.3 < half.mean() < 0.7
    for own in (0, 1):
        other = fit_calibration(logits[half != own], labels[half != own])
        np.testing.assert_allclose(said[half == own], probabilities(logits[half == own], other))


def test_models_are_chosen_by_figures_with_intervals() -> None:
    found = cross_validate(*sample(), resamples=20)
    assert set(found) == set(SELECTION_METRICS)
    for figure in found.values():
        assert figure.low <= figure.value <= figure.high
