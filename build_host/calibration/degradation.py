"""Quality limits from where a model's accuracy falls on images degraded by known amounts."""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Final, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray
from rich.progress import track
from sklearn.isotonic import IsotonicRegression

from build_host.calibration.fits import NO_LIMITS
from build_host.datasets.dataset import Dataset
from build_host.datasets.sources import at_full_size
from build_host.evaluation import corruptions
from build_host.evaluation.metrics import accuracy, with_intervals
from device.frame import frame_now
from device.imaging.preprocessing import crop_field
from device.imaging.quality import QualityLimits, measure_quality
from device.inference.analyzer import Analyzer
from device.models.bundle import Bundle
from device.models.manifest import Interval

Pixels = NDArray[np.uint8]
Corrupt = Callable[[Pixels, float, np.random.Generator], Pixels]

MAX_REFUSED: Final = 0.005
"""No limit refuses more than this share of the undegraded images of any group (`groups_of`),
rounded up to a whole image: they are good enough, and the eight limits together are to refuse few
of them. Were no image of a small group refused, its one worst picture would switch a limit off."""

_FEW: Final = 50
"""Images of which a group has as many or more: of fewer, one image would set the limit."""


@dataclass(frozen=True, slots=True)
class Degradation:
    """A known way of degrading an image, and the quality measure that is to notice it.

    Attributes
    ----------
    name
        With the unit of the amount.
    mildest, worst
        The range of amounts to try.
    corrupt
        Returns the degraded image; images are uint8, (height, width, 3), RGB.
    measure
        The attribute of `device.imaging.quality.Quality`, or None where none measures it.
    bad
        Whether low or high values of the measure are bad.
    limit
        The field of `QualityLimits` that is derived.
    """

    name: str
    mildest: float
    worst: float
    corrupt: Corrupt
    measure: str | None
    bad: Literal["low", "high"] = "low"
    limit: str = ""


class Level(msgspec.Struct, frozen=True):
    """The accuracy at one amount.

    Attributes
    ----------
    measured
        Median of the quality measure.
    refused
        Share of the images that the curve's limit refuses.
    """

    amount: float
    accuracy: Interval
    measured: float | None
    refused: float


class Curve(msgspec.Struct, frozen=True):
    """The accuracy under one degradation.

    Attributes
    ----------
    limit, value
        The field of the bundle's quality limits, and its derived value.
    reason
        How the value was derived: ``accuracy falls``, ``images as they are`` (accuracy falls only
        where undegraded images are too) or ``worst tried`` (it never falls).
    """

    name: str
    levels: list[Level]
    limit: str
    value: float | None
    reason: str


class Study(msgspec.Struct, frozen=True):
    """The results, on images of the validation fold.

    Attributes
    ----------
    undegraded
        Accuracy on the images as they are.
    tolerance
        The loss of accuracy that is more than chance: half the width of that interval.
    refused
        Share of undegraded images that the limits refuse, all together, by group (`groups_of`); the
        first is of all.
    """

    model: str
    images: int
    lesions: int
    undegraded: Interval
    tolerance: float
    curves: list[Curve]
    refused: dict[str, float]
    limits: QualityLimits


DEGRADATIONS: Final = (
    Degradation(
        "blur, sigma in sides", 0.005, 0.1,
        lambda pixels, amount, _: corruptions.gaussian_blur(pixels, amount),
        "focus", "low", "focus_min",
    ),
    Degradation(
        "light, factor down", 0.85, 0.1,
        lambda pixels, amount, _: corruptions.brightness(pixels, amount),
        "exposure", "low", "exposure_min",
    ),
    Degradation(
        "light, factor up", 1.15, 2.5,
        lambda pixels, amount, _: corruptions.brightness(pixels, amount),
        "exposure", "high", "exposure_max",
    ),
    Degradation("noise, grey levels", 5.0, 80.0, corruptions.gaussian_noise, None),
    Degradation("glare, share", 0.01, 0.4, corruptions.glare, "glare", "high", "glare_max"),
    Degradation(
        "dark part, share", 0.02, 0.6, corruptions.dark_side, "coverage", "low", "coverage_min"
    ),
    Degradation(
        "shift, half sides", 0.1, 1.0, corruptions.shift, "off_centre", "high", "off_centre_max"
    ),
    Degradation(
        "fading, share", 0.2, 0.98,
        lambda pixels, amount, _: corruptions.fade(pixels, amount),
        "contrast", "low", "contrast_min",
    ),
    Degradation(
        "motion, sides", 0.01, 0.25, corruptions.motion_blur, "motion", "high", "motion_max"
    ),
)  # fmt: skip


def study_degradation(
    bundle: Bundle,
    validation: Dataset,
    everyday: Dataset,
    levels: int,
    quiet: bool = False,
    seed: int = 0,
) -> Study:
    """Return where a model's accuracy falls, and the quality limits that follow.

    Every image is compared with itself: the loss is 1 where the degraded image turns a right
    prediction wrong. Isotonic regression of the loss on the quality measure finds the value from
    which on the loss is more than `Study.tolerance`.

    Parameters
    ----------
    bundle
        The model, run by the device's own Analyzer.
    validation
        Images that the model was not trained on, and that its card's figures are not of; they are
        degraded, and are of full size.
    everyday
        More of them, of every source and of any size: none of their groups may be refused.
    levels
        Amounts of each degradation, in geometric progression: accuracy falls among the mild ones.
    quiet
        No progress bar.
    """
    unlimited = msgspec.structs.replace(bundle.manifest, quality=NO_LIMITS)
    analyzer = Analyzer(replace(bundle, manifest=unlimited))
    images = [validation.read(record) for record in validation.records]
    labels, lesions = validation.labels, validation.lesions
    as_they_are = _measure(bundle, everyday, quiet)
    groups, sharp = groups_of(everyday), _at_full_size(everyday)
    steps = range(len(DEGRADATIONS) * levels)
    progress = iter(track(steps, "Degrading images", disable=quiet))
    clean = _analyze(analyzer, images, [0.0] * len(images))
    undegraded = with_intervals(labels, clean.probabilities, lesions, {"accuracy": accuracy})
    tolerance = (undegraded["accuracy"].high - undegraded["accuracy"].low) / 2
    right = clean.probabilities.argmax(axis=1) == labels
    curves: list[Curve] = []
    for kind in DEGRADATIONS:
        random = np.random.default_rng(seed)
        figures: list[tuple[float, Interval]] = []
        values, losses = [clean.values_of(kind.measure)], [np.zeros(len(images))]
        for amount in np.geomspace(kind.mildest, kind.worst, levels):
            next(progress)
            degraded = (kind.corrupt(pixels, float(amount), random) for pixels in images)
            motion = float(amount) if kind.measure == "motion" else 0.0
            analyzed = _analyze(analyzer, degraded, [motion] * len(images))
            figure = with_intervals(labels, analyzed.probabilities, lesions, {"accuracy": accuracy})
            figures.append((float(amount), figure["accuracy"]))
            values.append(analyzed.values_of(kind.measure))
            losses.append(right * 1.0 - (analyzed.probabilities.argmax(axis=1) == labels))
        value, reason = None, "no measure"
        if kind.measure:
            measured = as_they_are[kind.measure]
            # In what is reduced further than to the working side, nothing is in focus.
            judged = sharp if kind.measure == "focus" else np.ones(len(everyday), bool)
            floors = [measured[rows & judged] for rows in groups.values()]
            floors = [group for group in floors if len(group) >= _FEW] or [values[0]]
            value, reason = find_limit(
                np.concatenate(values), np.concatenate(losses), floors, kind.bad, tolerance
            )
        results = [
            Level(
                amount,
                figure,
                float(np.median(own)) if kind.measure else None,
                float(_beyond(own, value, kind.bad).mean()),
            )
            for (amount, figure), own in zip(figures, values[1:], strict=True)
        ]
        curves.append(Curve(kind.name, results, kind.limit, value, reason))
    next(progress, None)
    limits = msgspec.structs.replace(
        NO_LIMITS,
        derived_from=f"where accuracy falls by more than {tolerance:.3f} on {len(images)} "
        f"{validation.name} validation images, degraded at {levels} levels",
        **{curve.limit: curve.value for curve in curves if curve.value is not None},
    )
    return Study(
        model=bundle.manifest.model_id,
        images=len(images),
        lesions=len(set(lesions)),
        undegraded=undegraded["accuracy"],
        tolerance=tolerance,
        curves=curves,
        refused=_share_refused(as_they_are, limits, groups, sharp),
        limits=limits,
    )


def find_limit(
    values: NDArray[np.float64],
    losses: NDArray[np.float64],
    undegraded: Iterable[NDArray[np.float64]],
    bad: Literal["low", "high"],
    tolerance: float,
) -> tuple[float, str]:
    """Return the measured value beyond which more than `tolerance` is lost, and how it was found.

    Parameters
    ----------
    values, losses
        Of every image at every level: float64, (n,).
    undegraded
        The values of groups of undegraded images: float64, (m,) each.
    bad
        Whether low or high values are bad.
    """
    sign = -1.0 if bad == "low" else 1.0
    badness = sign * values
    expected_loss = IsotonicRegression(increasing=True).fit(badness, losses).predict(badness)
    too_bad = badness[expected_loss > tolerance]
    reason = "accuracy falls"
    if len(too_bad):
        # Between the first value that loses too much and the last that does not.
        first = float(too_bad.min())
        before = badness[badness < first]
        found = (first + float(before.max())) / 2 if len(before) else first
    else:
        found, reason = float(badness.max()), "worst tried"
    floor = max(float(np.quantile(sign * group, 1.0 - MAX_REFUSED)) for group in undegraded)
    if found < floor:
        found, reason = floor, "images as they are"
    # Rounded to the lenient side.
    return max(0.0, sign * math.ceil(found * 1000) / 1000), reason


@dataclass(frozen=True, slots=True, eq=False)
class _Analyzed:
    """The analyzer's findings: probabilities, float64, (n, 7), and values by quality measure."""

    probabilities: NDArray[np.float64]
    measures: dict[str, NDArray[np.float64]]

    def values_of(self, measure: str | None) -> NDArray[np.float64]:
        if measure is None:
            return np.zeros(len(self.probabilities))
        return self.measures[measure]


def _analyze(analyzer: Analyzer, images: Iterable[Pixels], motions: list[float]) -> _Analyzed:
    findings = [
        analyzer.analyze(frame_now(pixels, i, "study"), motion)
        for i, (pixels, motion) in enumerate(zip(images, motions, strict=True))
    ]
    names = [kind.measure for kind in DEGRADATIONS if kind.measure]
    return _Analyzed(
        np.array([f.probabilities for f in findings]),
        {name: np.array([getattr(f.quality, name) for f in findings]) for name in names},
    )


def groups_of(dataset: Dataset) -> dict[str, NDArray[np.bool_]]:
    """Return which images are of which group of fifty or more; that of all images first.

    Sources, diagnoses and classes of skin tone: none is to be refused more often than others for
    what it looks like. Neighbouring classes of skin tone that have fewer are one group, from the
    darkest on, since those have the fewest images and need the care most.
    """
    found = {"all": np.ones(len(dataset), bool)}
    for names in ([r.source for r in dataset.records], [str(r.dx) for r in dataset.records]):
        for name in sorted(set(names) - {""}):
            rows = np.array([own == name for own in names])
            if rows.sum() >= _FEW:
                found[name] = rows
    tones = np.array([r.skin_tone for r in dataset.records])
    for pooled in _pooled_tones(tones):
        found[f"skin tone {_span(pooled)}"] = np.isin(tones, pooled)
    return found


def _pooled_tones(tones: NDArray[np.str_]) -> list[list[str]]:
    """Return the classes of skin tone, neighbours together where either has too few images."""
    counts = {tone: int((tones == tone).sum()) for tone in sorted(set(tones.tolist()) - {""})}
    pools: list[list[str]] = []
    pool: list[str] = []
    for tone in counts:
        pool.append(tone)
        if sum(counts[own] for own in pool) >= _FEW:
            pools.append(pool)
            pool = []
    if pool and pools:
        # The lightest are too few: they go with the class before them.
        pools[-1] += pool
    return pools


def _span(tones: list[str]) -> str:
    return tones[0] if len(tones) == 1 else f"{tones[0]} to {tones[-1]}"


def _at_full_size(dataset: Dataset) -> NDArray[np.bool_]:
    """Return which images are of a source whose focus can be measured: bool, (n,)."""
    large = set(at_full_size(dataset).sources)
    return np.array([r.source in large for r in dataset.records])


def _measure(bundle: Bundle, dataset: Dataset, quiet: bool) -> dict[str, NDArray[np.float64]]:
    """Return the quality measures of a dataset's images, each float64, (n,)."""
    spec = bundle.manifest.live.input
    side = max(spec.height, spec.width)
    measured = [
        measure_quality(crop_field(dataset.read(record), side).pixels, NO_LIMITS, 0.0)
        for record in track(dataset.records, "Measuring images", disable=quiet)
    ]
    names = [kind.measure for kind in DEGRADATIONS if kind.measure]
    return {name: np.array([getattr(q, name) for q in measured], np.float64) for name in names}


def _beyond(
    values: NDArray[np.float64], limit: float | None, bad: Literal["low", "high"]
) -> NDArray[np.bool_]:
    if limit is None:
        return np.zeros(len(values), bool)
    return values < limit if bad == "low" else values > limit


def _share_refused(
    measured: dict[str, NDArray[np.float64]],
    limits: QualityLimits,
    groups: dict[str, NDArray[np.bool_]],
    sharp: NDArray[np.bool_],
) -> dict[str, float]:
    refused = np.zeros(len(sharp), bool)
    for kind in DEGRADATIONS:
        if kind.measure:
            beyond = _beyond(measured[kind.measure], getattr(limits, kind.limit), kind.bad)
            refused |= beyond & (sharp | (kind.measure != "focus"))
    return {name: float(refused[rows].mean()) for name, rows in groups.items()}
