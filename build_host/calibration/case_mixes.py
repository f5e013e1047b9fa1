"""Calibration on several sources, apart from how often each of them sees a diagnosis.

A network's answer is fitted as a likelihood: what the picture says, the same everywhere. What comes
through a practice's door, its case mix, is multiplied to it by Bayes's rule (Saerens et al. 2002,
doi:10.1162/089976602753284446).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from build_host.calibration.fits import (
    CALIBRATION_BOUNDS,
    fit_abstention,
    fit_conformal,
    fit_operating_points,
)
from build_host.evaluation.metrics import Labels, Probabilities
from build_host.evaluation.sources import warned
from device.diagnoses import CODES
from device.inference.calibration import agreement, in_distribution_score, probabilities
from device.inference.network import NetworkOutput
from device.models.network_spec import Abstention, Calibration, CaseMix

CASE_MIXES: Final[Mapping[str, tuple[float, ...]]] = {
    "screening": (0.03, 0.05, 0.11, 0.01, 0.11, 0.67, 0.02),
    "referral": (0.10, 0.25, 0.14, 0.01, 0.15, 0.33, 0.02),
}
"""Shares of akiec, bcc, bkl, df, mel, nv and vasc. Screening: two lesions in three are naevi, as in
HAM10000. Referral: one in two is malignant, as between BCN20000 and MILK10k. The first is the
default."""

_FEW: Final = 30
_ENOUGH: Final = 100
_UNFAMILIAR: Final = 0.02
"""Share of the images, every source counting as much, that are unlike what the network knows. With
1 %, fingers are called; with more, no picture of another thing is that is not already refused."""

_NOT_DERMOSCOPIC: Final = 0.015
_AGREEMENT: Final = 0.625
"""Five views in eight: with fewer, more than a third of the views contradict the call."""

_SOURCES_THAT_CLEAR: Final = 2
_ABSENT: Final = 0.5


@dataclass(frozen=True, slots=True)
class Likelihood:
    """What a network's logits say of a picture, whatever the case mix.

    Attributes
    ----------
    temperature
        As in `device.models.network_spec.Calibration`.
    bias
        With which ``softmax(logits / temperature + bias)`` is the probability where all diagnoses
        are as common: float64, (7,), of mean 0.
    """

    temperature: float
    bias: NDArray[np.float64]

    def under(self, shares: Sequence[float], fitted_on: str) -> Calibration:
        """Return the calibration for a practice with these shares of diagnoses."""
        bias = self.bias + np.log(np.maximum(shares, 1e-6))
        bias -= bias.mean()
        return Calibration(
            temperature=round(self.temperature, 6),
            bias=tuple(round(float(b), 6) for b in bias),
            fitted_on=fitted_on,
        )


def fit_likelihood(
    logits: NDArray[np.float32], labels: Labels, sources: NDArray[np.int64]
) -> Likelihood:
    """Return the temperature and the biases with the lowest cross-entropy, each source its own mix.

    Parameters
    ----------
    logits
        float32, (n, 7).
    labels
        int64, (n,).
    sources
        Source of each image: int64, (n,). Each counts as much as any other.
    """
    truth = np.arange(len(labels)), labels
    mixes = np.log(np.array([_shares(labels[sources == s]) for s in range(sources.max() + 1)]))
    weights = 1.0 / np.bincount(sources)[sources]
    weights /= weights.sum()

    def loss(parameters: NDArray[np.float64]) -> float:
        scaled = logits.astype(np.float64) * np.exp(-parameters[0])
        scaled = scaled + np.append(parameters[1:], 0.0) + mixes[sources]
        return float(weights @ (np.logaddexp.reduce(scaled, axis=1) - scaled[truth]))

    start = np.zeros(len(CODES))
    best = minimize(loss, start, method="L-BFGS-B", bounds=CALIBRATION_BOUNDS).x
    bias = np.append(best[1:], 0.0)
    return Likelihood(float(np.exp(best[0])), bias - bias.mean())


def _shares(labels: Labels) -> NDArray[np.float64]:
    counts = np.bincount(labels, minlength=len(CODES)) + _ABSENT
    shares: NDArray[np.float64] = counts / counts.sum()
    return shares


def source_weights(labels: Labels, sources: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return weights by which every source counts as much within each diagnosis.

    But for those that have few of it: each of fewer than thirty images counts as one of thirty.

    Returns
    -------
    numpy.ndarray
        float64, (n,), summing to 1 within each diagnosis.
    """
    counts = np.zeros((sources.max() + 1, len(CODES)))
    np.add.at(counts, (sources, labels), 1.0)
    weights: NDArray[np.float64] = 1.0 / np.maximum(counts, _FEW)[sources, labels]
    totals = np.bincount(labels, weights, len(CODES))
    return weights / totals[labels]


def fit_case_mix(
    name: str,
    shares: Sequence[float],
    outputs: Sequence[NetworkOutput],
    labels: Labels,
    sources: NDArray[np.int64],
    lesions: NDArray[np.str_],
    likelihood: Likelihood,
    fitted_on: str,
) -> CaseMix:
    """Return how a network is read in a practice with these shares of diagnoses.

    Parameters
    ----------
    outputs
        Of the network, one for each image.
    labels, sources
        As in `fit_likelihood`.
    lesions
        Lesion identifier of each image: str, (n,).
    """
    logits = np.array([o.logits for o in outputs])
    calibration = likelihood.under(shares, fitted_on)
    probability = probabilities(logits, calibration)
    evenly = source_weights(labels, sources)
    # As many of each diagnosis as the practice sees.
    as_seen = evenly * np.asarray(shares)[labels]
    return CaseMix(
        name=name,
        shares=tuple(shares),
        calibration=calibration,
        operating_points=fit_operating_points(logits, labels, calibration, as_seen, fitted_on),
        conformal=fit_conformal(logits, labels, calibration, evenly, fitted_on),
        abstention=_with_what_helps(
            _with_floors(
                fit_abstention(outputs, labels, calibration, as_seen, fitted_on),
                outputs, probability, sources,
            ),
            calibration, outputs, probability, labels, sources, lesions,
        ),
    )  # fmt: skip


def _with_floors(
    rule: Abstention,
    outputs: Sequence[NetworkOutput],
    probability: Probabilities,
    sources: NDArray[np.int64],
) -> Abstention:
    """Return when a picture is unlike those that the model knows, or no dermatoscope took it."""
    familiar = np.array(
        [in_distribution_score(o, p, rule) for o, p in zip(outputs, probability, strict=True)]
    )
    taken = [o.dermoscopic for o in outputs]
    known = np.array([value for value in taken if value is not None])
    return msgspec.structs.replace(
        rule,
        unfamiliar_below=_evenly_exceeded(familiar, sources, _UNFAMILIAR),
        not_dermoscopic_below=(
            _exceeded_everywhere(known, sources, _NOT_DERMOSCOPIC)
            if len(known) == len(outputs)
            else None
        ),
        unstable_below=None if outputs[0].views is None else _AGREEMENT,
    )


def _evenly_exceeded(
    values: NDArray[np.float64], sources: NDArray[np.int64], share: float
) -> float:
    """Return what a share of the images falls below, every source counting as much."""
    order = np.argsort(values, kind="stable")
    heaps = np.cumsum((1.0 / np.bincount(sources)[sources])[order])
    place = int(np.searchsorted(heaps, share * heaps[-1]))
    return float(values[order[min(place, len(order) - 1)]])


def _exceeded_everywhere(
    values: NDArray[np.float64], sources: NDArray[np.int64], share: float
) -> float:
    """Return what no more than a share of the images of any source falls below."""
    quantiles = [
        float(np.quantile(values[sources == source], share))
        for source in np.unique(sources)
        if (sources == source).sum() >= _ENOUGH
    ]
    return min(quantiles, default=float(np.quantile(values, share)))


def _with_what_helps(
    rule: Abstention,
    calibration: Calibration,
    outputs: Sequence[NetworkOutput],
    probability: Probabilities,
    labels: Labels,
    sources: NDArray[np.int64],
    lesions: NDArray[np.str_],
) -> Abstention:
    """Return a rule without the warnings that do not tell wrong calls from right ones.

    A warning stays if calls are wrong more often where it is raised, beyond chance, at two sources
    at least. Whether a picture shows a lesion at all, and whether a dermatoscope took it, is not a
    matter of error among lesions: these two stay.
    """
    wrong = probability.argmax(axis=1) != labels
    shares = [agreement(o, calibration) for o in outputs]
    agreed = np.array([1.0 if share is None else share for share in shares])
    raised = {
        "uncertain_below": probability.max(axis=1) < rule.uncertain_below,
        "unstable_below": agreed < (rule.unstable_below or 0.0),
    }
    for name, rows in raised.items():
        measured = []
        for source in np.unique(sources):
            own = sources == source
            found = warned(name, rows[own], wrong[own], lesions[own], resamples=500)
            if found.difference is not None:
                measured.append(found.difference.low > 0.0)
        # Raised on next to none or on all, it cannot be measured, and stays.
        if measured and sum(measured) < min(_SOURCES_THAT_CLEAR, len(measured)):
            off = 0.0 if name == "uncertain_below" else None
            rule = msgspec.structs.replace(rule, **{name: off})
    return rule
