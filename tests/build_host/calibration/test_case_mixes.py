from collections.abc import Sequence

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from build_host.calibration.case_mixes import (
    CASE_MIXES,
    Likelihood,
    fit_case_mix,
    fit_likelihood,
    source_weights,
)
from build_host.calibration.fits import (
    fit_abstention,
    fit_calibration,
    fit_conformal,
    fit_operating_points,
)
from device.diagnoses import CODES, MALIGNANT
from device.inference.calibration import agreement, malignancy, probabilities
from device.inference.network import NetworkOutput
from device.models.network_spec import Calibration, CaseMix

Rows = NDArray[np.int64]
MIXES = ((0.03, 0.05, 0.11, 0.02, 0.11, 0.65, 0.03), (0.25, 0.3, 0.1, 0.05, 0.2, 0.05, 0.05))
"""Of the two sources."""

TEMPERATURE = 2.5
BIAS = np.array([0.5, -0.5, 0.2, -1.0, 0.0, 1.5, -0.7])
EVEN = (1 / 7,) * 7
PLAIN = Calibration(temperature=1.0, bias=(0.0,) * 7, fitted_on="")

seeds = st.integers(0, 2**32 - 1)


def pictures(
    seed: int, counts: Sequence[int], clear: Sequence[float] = (1.6, 1.6)
) -> tuple[NDArray[np.float32], Rows, Rows]:
    """Return logits, labels and sources of pictures of two sources, each with its own mix.

    A picture is a point about the corner of its diagnosis; what it says is the same at every
    source: ``softmax(logits / TEMPERATURE + BIAS)``, where all diagnoses are as common.

    Parameters
    ----------
    clear
        How far the corners lie from the middle, at each source.
    """
    random = np.random.default_rng(seed)
    sources = np.repeat([0, 1], counts)
    labels = np.concatenate(
        [random.choice(7, n, p=mix) for n, mix in zip(counts, MIXES, strict=True)]
    )
    far = np.array(clear)[sources][:, None]
    points = far * np.eye(7)[labels] + random.normal(0, 1, (len(labels), 7))
    logits = TEMPERATURE * (far * points - BIAS)
    return logits.astype(np.float32), labels, sources


def as_if_even(probability: NDArray[np.float64], labels: Rows) -> NDArray[np.float64]:
    """Return how far mean probability and frequency lie apart where each diagnosis is as common."""
    weights = 1.0 / np.bincount(labels, minlength=7)[labels] / 7
    return weights @ probability - 1 / 7


def test_temperature_and_biases_of_two_sources_with_other_mixes_are_found() -> None:
    logits, labels, sources = pictures(3, (40_000, 10_000))
    found = fit_likelihood(logits, labels, sources)
    assert found.temperature == pytest.approx(TEMPERATURE, rel=0.04)
    assert found.bias == pytest.approx(BIAS - BIAS.mean(), abs=0.1)
    assert found.bias.mean() == pytest.approx(0.0, abs=1e-9)
    # What ignores the mixes takes them for what the pictures say.
    pooled = fit_calibration(logits, labels)
    assert np.abs(pooled.bias - (BIAS - BIAS.mean())).max() > 0.5


@given(seeds)
@settings(max_examples=8)
def test_what_a_picture_says_is_calibrated_at_either_source(seed: int) -> None:
    likelihood = fit_likelihood(*pictures(seed, (12_000, 3000)))
    fresh, labels, sources = pictures(seed + 1, (30_000, 30_000))
    even = probabilities(fresh, likelihood.under(EVEN, ""))
    for source in (0, 1):
        own = sources == source
        assert np.abs(as_if_even(even[own], labels[own])).max() < 0.03
        # And with the mix of the source, as the diagnoses come.
        at_home = probabilities(fresh[own], likelihood.under(MIXES[source], ""))
        shares = np.bincount(labels[own], minlength=7) / own.sum()
        assert np.abs(at_home.mean(axis=0) - shares).max() < 0.03
        confidence, right = at_home.max(axis=1), at_home.argmax(axis=1) == labels[own]
        for least, most in ((0.0, 0.6), (0.6, 0.8), (0.8, 0.95), (0.95, 1.0)):
            rows = (confidence > least) & (confidence <= most)
            assert right[rows].mean() == pytest.approx(confidence[rows].mean(), abs=0.04)


def test_small_source_counts_as_much_as_a_large_one() -> None:
    logits, labels, sources = pictures(5, (1500, 1500))
    # With another camera, what the network says of a picture is too strong by half.
    logits[sources == 1] *= 1.5
    one = fit_likelihood(logits, labels, sources)
    assert TEMPERATURE * 1.1 < one.temperature < 1.5 * TEMPERATURE / 1.1
    many = np.concatenate([np.tile(np.flatnonzero(sources == 0), 20), np.flatnonzero(sources == 1)])
    other = fit_likelihood(logits[many], labels[many], sources[many])
    # The smoothing of the mixes is all that is left of the number.
    assert other.temperature == pytest.approx(one.temperature, rel=0.01)


def test_case_mix_is_multiplied_to_what_the_picture_says() -> None:
    logits, labels, sources = pictures(6, (2000, 2000))
    likelihood = fit_likelihood(logits, labels, sources)
    even = probabilities(logits, likelihood.under(EVEN, ""))
    for shares in CASE_MIXES.values():
        calibration = likelihood.under(shares, "these")
        assert calibration.fitted_on == "these"
        assert sum(calibration.bias) == pytest.approx(0.0, abs=1e-5)
        expected = even * np.array(shares)
        expected /= expected.sum(axis=1, keepdims=True)
        np.testing.assert_allclose(probabilities(logits, calibration), expected, atol=1e-5)
    never = likelihood.under((0.0, *[1 / 6] * 6), "")
    assert probabilities(logits, never)[:, 0].max() < 0.05
    assert np.isfinite(never.bias).all()


def test_case_mixes_are_shares_of_a_screening_practice_and_of_a_clinic() -> None:
    assert list(CASE_MIXES) == ["screening", "referral"]
    malignant = [CODES.index(code) for code in MALIGNANT]
    for name, about in (("screening", 0.19), ("referral", 0.5)):
        assert sum(CASE_MIXES[name]) == pytest.approx(1.0)
        assert sum(CASE_MIXES[name][i] for i in malignant) == pytest.approx(about)


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 6)), min_size=1, max_size=400))
def test_weights_sum_to_one_within_each_diagnosis(images: list[tuple[int, int]]) -> None:
    sources, labels = np.array(images).T
    weights = source_weights(labels, sources)
    assert (weights > 0).all()
    for i in set(labels):
        assert weights[labels == i].sum() == pytest.approx(1.0)


def test_every_source_counts_as_much_within_a_diagnosis_unless_it_has_few_of_it() -> None:
    labels = np.array([0] * 900 + [0] * 30 + [1] * 60 + [1] * 3 + [2] * 5)
    sources = np.array([0] * 900 + [1] * 30 + [0] * 60 + [1] * 3 + [1] * 5)
    weights = source_weights(labels, sources)

    def of(label: int, source: int) -> float:
        return float(weights[(labels == label) & (sources == source)].sum())

    assert of(0, 0) == pytest.approx(0.5)
    assert of(0, 1) == pytest.approx(0.5)
    # Each of three counts as one of thirty beside the whole of the other source.
    assert of(1, 1) == pytest.approx(0.1 / 1.1)
    assert weights[(labels == 1) & (sources == 1)].max() == pytest.approx(1 / 30 / 1.1)
    assert of(2, 1) == pytest.approx(1.0)


@given(seeds, st.floats(1e-3, 1e3), st.integers(20, 300))
@settings(max_examples=20)
def test_equal_weights_are_no_weights(seed: int, weight: float, count: int) -> None:
    logits, labels, _ = pictures(seed, (count, count))
    labels[:7] = range(7)
    weights = np.full(len(labels), weight)
    plain = fit_conformal(logits, labels, PLAIN)
    assert fit_conformal(logits, labels, PLAIN, weights) == plain
    # Sums of which are exact.
    weights = np.full(len(labels), 2.0 ** round(np.log2(weight)))
    for one, other in zip(
        fit_operating_points(logits, labels, PLAIN, weights),
        fit_operating_points(logits, labels, PLAIN),
        strict=True,
    ):
        assert one.sensitivity == pytest.approx(other.sensitivity)
        assert one.specificity == pytest.approx(other.specificity)


def test_sets_cover_nine_of_ten_of_every_diagnosis_under_the_weights() -> None:
    """At one source the pictures say more than at the other, which has fewer."""
    clear = (2.2, 1.0)
    logits, labels, sources = pictures(11, (30_000, 12_000), clear)
    fresh, truth, places = pictures(12, (60_000, 60_000), clear)
    likelihood = fit_likelihood(logits, labels, sources)
    calibration = likelihood.under(CASE_MIXES["screening"], "")
    own = probabilities(fresh, calibration)[np.arange(len(truth)), truth]
    weights = source_weights(truth, places)

    def covered(thresholds: Sequence[float]) -> NDArray[np.float64]:
        held = own >= np.array(thresholds)[truth]
        return np.bincount(truth, weights * held, 7)

    evenly = source_weights(labels, sources)
    found = fit_conformal(logits, labels, calibration, evenly, "both")
    assert found.fitted_on == "both"
    np.testing.assert_allclose(covered(found.thresholds), 0.90, atol=0.025)
    # Without weights the commoner source's naevi would have it all.
    pooled = fit_conformal(logits, labels, calibration)
    assert covered(pooled.thresholds)[CODES.index("nv")] < 0.87


def test_operating_point_has_its_sensitivity_under_the_weights() -> None:
    logits, labels, sources = pictures(13, (4000, 2000), (2.2, 1.0))
    weights = source_weights(labels, sources) * np.array(CASE_MIXES["referral"])[labels]
    points = fit_operating_points(logits, labels, PLAIN, weights, "both")
    rows = probabilities(logits, PLAIN)
    for point in points:
        is_mel, mel = point.score == "mel", CODES.index("mel")
        truth = labels == mel if is_mel else np.isin(labels, [0, 1, mel])
        score = rows[:, mel] if is_mel else malignancy(rows)
        flagged = score >= point.threshold
        sensitivity = weights[truth & flagged].sum() / weights[truth].sum()
        specificity = weights[~truth & ~flagged].sum() / weights[~truth].sum()
        assert point.sensitivity == pytest.approx(sensitivity)
        assert point.specificity == pytest.approx(specificity)
        asked = float(point.name[-4:])
        reached = specificity if "specificity" in point.name else sensitivity
        assert asked <= reached < asked + 0.02
        assert point.fitted_on == "both"


def answers(
    logits: NDArray[np.float32],
    odd: NDArray[np.bool_] | None = None,
    taken: NDArray[np.float64] | None = None,
    split: NDArray[np.bool_] | None = None,
) -> list[NetworkOutput]:
    """Return what a network gives for pictures.

    Parameters
    ----------
    odd
        Whose features are far from those of training images; without, it gives no features.
    taken
        Log-odds that a dermatoscope took each.
    split
        Whose views disagree, though their mean is the same: of the eight, five call five other
        diagnoses. Without, each picture has one view.
    """
    outputs = []
    for i, row in enumerate(logits):
        features = views = None
        if odd is not None:
            features = np.full(4, 9.0 if odd[i] else 1.0 + i / 1e5, np.float32)
        if split is not None:
            turns = np.zeros((8, 7), np.float32)
            if split[i]:
                others = np.delete(np.arange(7), row.argmax())[:5]
                turns[np.arange(5), others] = 5 * np.ptp(row) + 5
            views = row + turns - turns.mean(axis=0)
        outputs.append(
            NetworkOutput(
                row, None, features, views=views,
                dermoscopic=None if taken is None else float(taken[i]),
            )
        )  # fmt: skip
    return outputs


class Practice:
    """Pictures of two sources, and what is fitted to them for a screening practice."""

    def __init__(self, seed: int = 21) -> None:
        self.logits, self.labels, self.sources = pictures(seed, (3000, 2000), (2.0, 2.0))
        self.likelihood = fit_likelihood(self.logits, self.labels, self.sources)
        self.calibration = self.likelihood.under(CASE_MIXES["screening"], "drawings")
        called = probabilities(self.logits, self.calibration).argmax(axis=1)
        self.wrong = called != self.labels
        self.lesions = np.array([f"l{i // 2}" for i in range(len(self.labels))])

    def some(self, among: NDArray[np.bool_], share: float) -> NDArray[np.bool_]:
        """Return a share of each source's pictures, of those `among` which there are enough."""
        random, chosen = np.random.default_rng(0), np.zeros(len(self.labels), bool)
        for source in (0, 1):
            own = self.sources == source
            rows = random.permutation(np.flatnonzero(own & among))
            chosen[rows[: int(share * own.sum())]] = True
        return chosen

    def fitted(
        self, outputs: list[NetworkOutput], sources: Rows | None = None, name: str = "screening"
    ) -> CaseMix:
        return fit_case_mix(
            name, CASE_MIXES[name], outputs, self.labels,
            self.sources if sources is None else sources, self.lesions, self.likelihood, "drawings",
        )  # fmt: skip


@pytest.fixture(scope="module")
def practice() -> Practice:
    return Practice()


def test_case_mix_is_fitted_for_its_shares(practice: Practice) -> None:
    mix = practice.fitted(answers(practice.logits))
    assert (mix.name, mix.shares) == ("screening", CASE_MIXES["screening"])
    assert mix.calibration == practice.calibration
    weights = source_weights(practice.labels, practice.sources)
    assert mix.conformal == fit_conformal(
        practice.logits, practice.labels, practice.calibration, weights, "drawings"
    )
    as_seen = weights * np.array(CASE_MIXES["screening"])[practice.labels]
    assert mix.operating_points == fit_operating_points(
        practice.logits, practice.labels, practice.calibration, as_seen, "drawings"
    )
    assert as_seen.sum() == pytest.approx(1.0)
    assert mix.abstention.fitted_on == "drawings"
    assert msgspec.json.decode(msgspec.json.encode(mix), type=CaseMix) == mix


def test_referral_is_fitted_for_other_shares_from_the_same_pictures(practice: Practice) -> None:
    screening, referral = (
        practice.fitted(answers(practice.logits), name=name) for name in CASE_MIXES
    )
    few, many = (
        malignancy(probabilities(practice.logits, m.calibration)) for m in (screening, referral)
    )
    assert (many >= few).all()
    # The thresholds follow: the same pictures are flagged, though all their figures are higher.
    for one, other in zip(screening.operating_points, referral.operating_points, strict=True):
        assert other.threshold != one.threshold


def test_network_that_is_unsure_where_it_errs_keeps_that_warning(practice: Practice) -> None:
    rule = practice.fitted(answers(practice.logits)).abstention
    probability = probabilities(practice.logits, practice.calibration)
    unsure = probability.max(axis=1) < rule.uncertain_below
    assert 0.3 < rule.uncertain_below < 0.9
    assert practice.wrong[unsure].mean() > practice.wrong[~unsure].mean() + 0.2
    # Of what it gives no views or output for, there is no warning.
    assert rule.not_dermoscopic_below is None
    assert rule.unstable_below is None


def test_hardly_a_picture_of_any_source_is_taken_for_a_photograph(practice: Practice) -> None:
    random = np.random.default_rng(4)
    # The second source's are taken for photographs more easily.
    taken = random.normal(6.0, 1.0, len(practice.labels)) - 3.0 * practice.sources
    rule = practice.fitted(answers(practice.logits, taken=taken)).abstention
    assert rule.not_dermoscopic_below is not None
    below = taken < rule.not_dermoscopic_below
    for source, share in ((0, 0.0), (1, 0.015)):
        assert below[practice.sources == source].mean() == pytest.approx(share, abs=0.002)
    # It is not a matter of error: the warning stays though calls are no worse there.
    assert not practice.wrong[below].mean() > practice.wrong.mean() + 0.3


def test_source_of_few_pictures_sets_no_floor(practice: Practice) -> None:
    taken = np.random.default_rng(4).normal(6.0, 1.0, len(practice.labels))
    sources = practice.sources.copy()
    sources[:50] = 2
    taken[:50] = -40.0
    rule = practice.fitted(answers(practice.logits, taken=taken), sources).abstention
    assert rule.not_dermoscopic_below is not None
    assert rule.not_dermoscopic_below > 0.0


@pytest.mark.parametrize("errs", [True, False])
def test_one_picture_in_fifty_is_unfamiliar_whether_it_is_judged_well_or_not(
    practice: Practice, errs: bool
) -> None:
    # At one source, which has fewer pictures and counts as much: 1.5 in a hundred.
    among = practice.wrong if errs else ~practice.wrong
    odd = practice.some(among & (practice.sources == 1), 0.03)
    assert odd.sum() == 60
    outputs = answers(practice.logits, odd)
    rule = practice.fitted(outputs).abstention
    assert rule.score == "distance"
    assert rule.unfamiliar_below is not None
    far = np.array([-np.square(o.whitened).mean() < rule.unfamiliar_below for o in outputs])
    assert far[odd].all()
    shares = [far[practice.sources == source].mean() for source in (0, 1)]
    assert np.mean(shares) == pytest.approx(0.02, abs=0.002)


def test_warning_that_helps_at_one_source_alone_goes(practice: Practice) -> None:
    split = practice.some(practice.wrong, 0.03)
    by_chance = practice.some(~practice.wrong, 0.03)
    mixed = np.where(practice.sources == 0, split, by_chance)
    rule = practice.fitted(answers(practice.logits, split=mixed)).abstention
    assert rule.unstable_below is None
    # Where there is one source, it is enough there.
    alone = practice.fitted(answers(practice.logits, split=split), np.zeros_like(practice.sources))
    assert alone.abstention.unstable_below == 0.625


@pytest.mark.parametrize("errs", [True, False])
def test_unstable_stays_where_calls_of_it_are_wrong_and_goes_where_not(
    practice: Practice, errs: bool
) -> None:
    split = practice.some(practice.wrong if errs else ~practice.wrong, 0.03)
    outputs = answers(practice.logits, split=split)
    agreed = np.array([agreement(o, practice.calibration) for o in outputs])
    assert (agreed[~split] == 1.0).all()
    assert (agreed[split] < 0.625).all()
    rule = practice.fitted(outputs).abstention
    assert rule.unstable_below == (0.625 if errs else None)


def test_weights_move_the_confidence_that_is_enough() -> None:
    """Where the pictures that count more say less, the same confidence is less often right."""
    logits, labels, sources = pictures(31, (6000, 6000))
    random = np.random.default_rng(31)
    doubtful = (sources == 1) & (random.random(len(labels)) < 0.3)
    labels[doubtful] = random.integers(0, 7, doubtful.sum())
    calibration = Likelihood(TEMPERATURE, BIAS - BIAS.mean()).under(EVEN, "")
    outputs = answers(logits)

    def enough(*weight: float) -> float:
        rule = fit_abstention(outputs, labels, calibration, np.array(weight)[sources], "drawings")
        assert rule.fitted_on == "drawings"
        return rule.uncertain_below

    alike = fit_abstention(outputs, labels, calibration).uncertain_below
    assert enough(1.0, 1.0) == pytest.approx(alike)
    assert enough(0.05, 1.0) > alike + 0.03 > enough(1.0, 0.05) + 0.06
