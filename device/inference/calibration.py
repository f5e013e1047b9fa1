"""From logits to calibrated probabilities, prediction sets and "no call"."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from device.diagnoses import CODES, MALIGNANT, Code
from device.inference.finding import NoCallReason
from device.inference.network import NetworkOutput
from device.models.network_spec import Abstention, Calibration, Conformal

NEAR_TIE: Final = 1 / 3
"""Of two diagnoses of which one is less than three times as likely as the other, neither is
excluded."""

_MALIGNANT = np.array([code in MALIGNANT for code in CODES])


def probabilities(logits: NDArray[np.float32], calibration: Calibration) -> NDArray[np.float64]:
    """Return ``softmax(logits / temperature + bias)`` along the last axis.

    Parameters
    ----------
    logits
        float32, (..., 7).

    Returns
    -------
    numpy.ndarray
        float64, (..., 7), each row summing to 1.
    """
    scaled = logits.astype(np.float64) / calibration.temperature + np.asarray(calibration.bias)
    scaled -= scaled.max(axis=-1, keepdims=True)
    powers = np.exp(scaled)
    total: NDArray[np.float64] = powers / powers.sum(axis=-1, keepdims=True)
    return total


def malignancy(probability: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the probability of the malignant group, summed along the last axis."""
    return np.asarray(np.minimum(probability[..., _MALIGNANT].sum(axis=-1), 1.0))


def energy(logits: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the log-sum-exp of the logits along the last axis; low for what is unfamiliar."""
    top = logits.max(axis=-1).astype(np.float64)
    total: NDArray[np.float64] = top + np.log(np.exp(logits - top[..., None]).sum(axis=-1))
    return total


def prediction_set(probability: NDArray[np.float64], conformal: Conformal) -> tuple[Code, ...]:
    """Return the diagnoses that cannot be excluded at the bundle's coverage, likeliest first.

    It holds every diagnosis whose own threshold is reached, and every one that is at least
    `NEAR_TIE` times as likely as the likeliest: a common diagnosis has a high threshold, and would
    be left out at 43 % beside a rarer one of 46 %. What is added can only raise the coverage.
    Never empty.
    """
    least = NEAR_TIE * probability.max()
    bounds = np.minimum(np.asarray(conformal.thresholds), least)
    order = np.argsort(-probability, kind="stable")
    return tuple(CODES[i] for i in order if probability[i] >= bounds[i])


def in_distribution_score(
    answer: NetworkOutput, probability: NDArray[np.float64], abstention: Abstention
) -> float:
    """Return the bundle's score of how much a picture is like those that the model knows."""
    if abstention.score == "confidence":
        return float(probability.max())
    if abstention.score == "energy":
        return float(energy(answer.logits))
    if answer.whitened is None:
        raise AssertionError("a manifest with this score has the output")
    return -float(np.square(answer.whitened, dtype=np.float64).mean())


def agreement(answer: NetworkOutput, calibration: Calibration) -> float | None:
    """Return the share of an image's views that call what their mean calls, or None with one."""
    if answer.views is None:
        return None
    own = probabilities(answer.views, calibration).argmax(axis=1)
    return float((own == probabilities(answer.logits, calibration).argmax()).mean())


def abstention_reason(
    answer: NetworkOutput,
    probability: NDArray[np.float64],
    abstention: Abstention,
    agreed: float | None = None,
) -> NoCallReason | None:
    """Return why no call should be made, the gravest reason, or None where one can be.

    Parameters
    ----------
    answer
        What the network gave for the picture.
    probability
        What it comes to: float64, (7,).
    agreed
        The `agreement` of its views, where there are several.
    """
    least, taken = abstention.not_dermoscopic_below, answer.dermoscopic
    if least is not None and taken is not None and taken < least:
        return NoCallReason.NOT_DERMOSCOPIC
    known = abstention.unfamiliar_below
    if known is not None and in_distribution_score(answer, probability, abstention) < known:
        return NoCallReason.UNFAMILIAR
    if probability.max() < abstention.uncertain_below:
        return NoCallReason.UNCERTAIN
    unstable = abstention.unstable_below
    if unstable is None or agreed is None or agreed >= unstable:
        return None
    return NoCallReason.UNSTABLE
