import warnings
from itertools import product

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import (
    balanced_accuracy_score,
    brier_score_loss,
    confusion_matrix,
    f1_score,
    precision_recall_fscore_support,
    precision_score,
    recall_score,
    roc_auc_score,
    roc_curve,
)

from build_host.evaluation import metrics
from device.diagnoses import CODES

MEL = CODES.index("mel")
MALIGNANT = [CODES.index(code) for code in ("akiec", "bcc", "mel")]


@st.composite
def predictions(draw, size: int = 60) -> tuple[np.ndarray, np.ndarray]:
    """Labels with every diagnosis, and probabilities of which some are alike."""
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    count = draw(st.integers(14, size))
    labels = np.concatenate([np.tile(np.arange(7), 2), random.integers(0, 7, count - 14)])
    random.shuffle(labels)
    logits = random.normal(0, 1.5, (count, 7))
    logits[np.arange(count), labels] += draw(st.sampled_from([0.0, 1.0, 3.0]))
    if draw(st.booleans()):
        logits = np.round(logits)
    powers = np.exp(logits)
    return labels, powers / powers.sum(axis=1, keepdims=True)


def concordance(truth: np.ndarray, score: np.ndarray) -> float:
    """Return the share of pairs in the right order; a tie counts one half."""
    pairs = list(product(score[truth], score[~truth]))
    return float(np.mean([1.0 if a > b else 0.5 if a == b else 0.0 for a, b in pairs]))


def rates(truth: np.ndarray, score: np.ndarray) -> list[tuple[float, float]]:
    """Return sensitivity and specificity at every threshold that there is."""
    found = []
    for threshold in (*np.unique(score), np.inf):
        flagged = score >= threshold
        found.append((float(flagged[truth].mean()), float((~flagged[~truth]).mean())))
    return found


@given(predictions())
@settings(max_examples=40)
def test_accuracies_are_what_counting_gives(made) -> None:
    labels, probabilities = made
    called = probabilities.argmax(axis=1)
    right = [int(a == b) for a, b in zip(called, labels, strict=True)]
    assert metrics.accuracy(labels, probabilities) == pytest.approx(sum(right) / len(right))
    recalls = [np.mean([c == i for c in called[labels == i]]) for i in range(7)]
    assert metrics.balanced_accuracy(labels, probabilities) == pytest.approx(np.mean(recalls))
    assert metrics.balanced_accuracy(labels, probabilities) == pytest.approx(
        balanced_accuracy_score(labels, called)
    )


@given(predictions(30))
@settings(max_examples=30)
def test_areas_are_the_share_of_pairs_in_the_right_order(made) -> None:
    labels, probabilities = made
    assert metrics.macro_auc(labels, probabilities) == pytest.approx(
        np.mean([concordance(labels == i, probabilities[:, i]) for i in range(7)])
    )
    assert metrics.macro_auc(labels, probabilities) == pytest.approx(
        roc_auc_score(labels, probabilities, multi_class="ovr", average="macro")
    )
    assert metrics.melanoma_auc(labels, probabilities) == pytest.approx(
        concordance(labels == MEL, probabilities[:, MEL])
    )
    malignant = np.isin(labels, MALIGNANT)
    # Summed as the device sums, so that ties stay ties.
    score = probabilities[:, MALIGNANT].sum(axis=1)
    assert metrics.malignant_auc(labels, probabilities) == pytest.approx(
        concordance(malignant, score)
    )


@given(predictions(), st.sampled_from([0.5, 0.9, 0.95, 1.0]))
@settings(max_examples=40)
def test_melanoma_rates_are_the_best_that_any_threshold_gives(made, asked) -> None:
    labels, probabilities = made
    found = rates(labels == MEL, probabilities[:, MEL])
    assert metrics.melanoma_sensitivity_at(asked)(labels, probabilities) == pytest.approx(
        max(sensitivity for sensitivity, specificity in found if specificity >= asked - 1e-9)
    )
    assert metrics.melanoma_specificity_at(asked)(labels, probabilities) == pytest.approx(
        max(specificity for sensitivity, specificity in found if sensitivity >= asked - 1e-9)
    )


@given(predictions())
@settings(max_examples=40)
def test_the_brier_score_is_the_summed_squared_distance(made) -> None:
    labels, probabilities = made
    by_hand = np.mean(
        [
            sum((p - (i == label)) ** 2 for i, p in enumerate(row))
            for label, row in zip(labels, probabilities, strict=True)
        ]
    )
    score = metrics.brier_score(labels, probabilities)
    assert score == pytest.approx(by_hand)
    assert score == pytest.approx(
        brier_score_loss(labels, probabilities, labels=range(7), scale_by_half=False)
    )
    assert 0.0 <= score <= 2.0


@given(st.integers(0, 2**32 - 1), st.integers(1, 80))
@settings(max_examples=40)
def test_the_calibration_error_is_the_mean_gap_over_bins_of_equal_mass(seed, count) -> None:
    random = np.random.default_rng(seed)
    labels = random.integers(0, 7, count)
    probabilities = random.dirichlet(np.ones(7), count)
    ranked = sorted(
        (row.max(), row.argmax() == label) for row, label in zip(probabilities, labels, strict=True)
    )
    small, larger = divmod(count, 15)
    total, start = 0.0, 0
    for number in range(15):
        size = small + (number < larger)
        part = ranked[start : start + size]
        total += abs(sum(c for c, _ in part) - sum(right for _, right in part))
        start += size
    error = metrics.expected_calibration_error(labels, probabilities)
    assert error == pytest.approx(total / count)
    assert 0.0 <= error <= 1.0


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=10)
def test_perfect_predictions_have_perfect_figures(seed) -> None:
    labels = np.random.default_rng(seed).permutation(np.repeat(np.arange(7), 5))
    probabilities = np.eye(7)[labels]
    for name, metric in metrics.METRICS.items():
        best = 0.0 if name in ("brier_score", "expected_calibration_error") else 1.0
        assert metric(labels, probabilities) == pytest.approx(best), name


def test_being_sure_and_always_wrong_is_the_worst_there_is() -> None:
    labels = np.repeat(np.arange(7), 5)
    probabilities = np.eye(7)[(labels + 1) % 7]
    assert metrics.accuracy(labels, probabilities) == 0.0
    assert metrics.brier_score(labels, probabilities) == pytest.approx(2.0)
    assert metrics.expected_calibration_error(labels, probabilities) == pytest.approx(1.0)


def test_predictions_that_are_as_sure_as_they_are_right_are_calibrated() -> None:
    random = np.random.default_rng(1)
    probabilities = random.dirichlet(np.full(7, 0.5), 30_000)
    labels = (random.random((30_000, 1)) > probabilities.cumsum(axis=1)).sum(axis=1)
    labels = np.minimum(labels, 6)
    assert metrics.expected_calibration_error(labels, probabilities) < 0.015
    sharpened = probabilities**2 / (probabilities**2).sum(axis=1, keepdims=True)
    assert metrics.expected_calibration_error(labels, sharpened) > 0.05


@given(predictions())
@settings(max_examples=30)
def test_weighted_and_single_scores_are_those_of_scikit_learn(made) -> None:
    labels, probabilities = made
    called = probabilities.argmax(axis=1)
    table = metrics.per_class(labels, probabilities, np.arange(len(labels)).astype(str), 30)
    assert list(table) == list(CODES)
    shares = np.bincount(labels, minlength=7) / len(labels)
    for name, score in (("precision", precision_score), ("recall", recall_score), ("f1", f1_score)):
        single = score(labels, called, labels=range(7), average=None, zero_division=0.0)
        for i, row in enumerate(table.values()):
            value = getattr(row, name).value
            if (labels == i).any() or name == "precision":
                assert value == pytest.approx(single[i])
            else:
                assert np.isnan(value)
        assert metrics.weighted(name)(labels, probabilities) == pytest.approx(single @ shares)
    for i, row in enumerate(table.values()):
        assert row.images == (labels == i).sum()
        assert row.auc.value == pytest.approx(
            concordance(labels == i, probabilities[:, i]), nan_ok=True
        )


@given(predictions(), st.integers(0, 2**32 - 1))
@settings(max_examples=100)
def test_figures_of_a_resample_are_those_of_scikit_learn_to_the_last_bit(made, seed) -> None:
    labels, probabilities = made
    # A resample repeats images and may lack a diagnosis, among the truths or among the calls.
    random = np.random.default_rng(seed)
    rows = random.choice(len(labels), random.integers(1, len(labels) + 1))
    labels, probabilities = labels[rows], probabilities[rows]
    called = probabilities.argmax(axis=1)
    expected = precision_recall_fscore_support(
        labels, called, average="weighted", zero_division=0.0
    )
    for name, value in zip(("precision", "recall", "f1"), expected[:3], strict=True):
        assert metrics.weighted(name)(labels, probabilities) == value
    single = recall_score(labels, called, labels=np.unique(labels), average=None)
    assert metrics.balanced_accuracy(labels, probabilities) == single.mean()
    truth = labels == MEL
    if truth.all() or not truth.any():
        assert np.isnan(metrics.melanoma_sensitivity_at(0.9)(labels, probabilities))
        assert np.isnan(metrics.melanoma_specificity_at(0.9)(labels, probabilities))
        return
    false, true, _ = roc_curve(truth, probabilities[:, MEL], drop_intermediate=False)
    for asked in (0.0, 0.5, 0.9, 0.95, 1.0):
        sensitivity = metrics.melanoma_sensitivity_at(asked)(labels, probabilities)
        assert sensitivity == true[false <= 1.0 - asked + 1e-12].max()
        specificity = metrics.melanoma_specificity_at(asked)(labels, probabilities)
        assert specificity == 1.0 - false[true >= asked - 1e-12].min()


@given(predictions())
@settings(max_examples=30)
def test_rows_of_the_confusion_are_the_truth(made) -> None:
    labels, probabilities = made
    table = metrics.confusion(labels, probabilities)
    called = probabilities.argmax(axis=1)
    assert table == confusion_matrix(labels, called, labels=range(7)).tolist()
    assert [sum(row) for row in table] == np.bincount(labels, minlength=7).tolist()
    assert all(type(n) is int for row in table for n in row)


def test_a_diagnosis_without_images_has_no_area() -> None:
    labels = np.array([0, 1, 2])
    table = metrics.per_class(labels, np.full((3, 7), 1 / 7), np.array(["a", "b", "c"]), 50)
    assert list(table) == ["akiec", "bcc", "bkl"]
    assert table["akiec"].auc.value == 0.5
    # The mean is over those that have one.
    assert metrics.macro_auc(labels, np.full((3, 7), 1 / 7)) == 0.5


def test_the_intervals_of_a_diagnosis_hold_its_figures() -> None:
    random = np.random.default_rng(4)
    labels = random.integers(0, 7, 400)
    probabilities = random.dirichlet(np.ones(7), 400)
    probabilities[np.arange(400), labels] += 0.3
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    for row in metrics.per_class(labels, probabilities, np.arange(400).astype(str), 200).values():
        for figure in (row.precision, row.recall, row.f1, row.auc):
            assert figure.low < figure.value < figure.high


def test_every_figure_that_the_protocol_asks_for_is_there() -> None:
    assert {
        "accuracy",
        "balanced_accuracy",
        "macro_auc",
        "malignant_auc",
        "melanoma_sensitivity_at_0.90_specificity",
        "melanoma_sensitivity_at_0.95_specificity",
        "melanoma_specificity_at_0.95_sensitivity",
        "precision_weighted",
        "recall_weighted",
        "f1_weighted",
        "brier_score",
        "expected_calibration_error",
    } <= set(metrics.METRICS)


def large_sample(lesions: int, each: int = 1) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    random = np.random.default_rng(11)
    labels = random.integers(0, 7, lesions)
    logits = random.normal(0, 1.5, (lesions, 7))
    logits[np.arange(lesions), labels] += 1.5
    powers = np.exp(logits)
    probabilities = powers / powers.sum(axis=1, keepdims=True)
    names = np.array([f"HAM_{n:07d}" for n in range(lesions)])
    return tuple(np.repeat(a, each, axis=0) for a in (labels, probabilities, names))


def test_intervals_hold_the_value_of_the_whole_sample() -> None:
    labels, probabilities, lesions = large_sample(600)
    figures = metrics.with_intervals(labels, probabilities, lesions, resamples=80)
    assert list(figures) == list(metrics.METRICS)
    for name, figure in figures.items():
        assert figure.value == metrics.METRICS[name](labels, probabilities), name
        assert figure.low < figure.high, name
        assert figure.low <= figure.value <= figure.high, name


def test_the_interval_of_a_calibration_error_holds_what_such_samples_have() -> None:
    random = np.random.default_rng(5)
    chosen = {"ece": metrics.expected_calibration_error}
    found = []
    for _ in range(30):
        probabilities = random.dirichlet(np.full(7, 0.4), 500)
        labels = (random.random((500, 1)) > probabilities.cumsum(axis=1)).sum(axis=1).clip(0, 6)
        lesions = np.arange(500).astype(str)
        found.append(metrics.with_intervals(labels, probabilities, lesions, chosen, 100)["ece"])
    usual = np.mean([figure.value for figure in found])
    held = [figure.low <= usual <= figure.high for figure in found]
    assert np.mean(held) >= 0.8
    assert all(0 <= figure.low <= figure.value <= figure.high for figure in found)


def test_an_interval_is_as_wide_as_theory_says() -> None:
    labels, probabilities, lesions = large_sample(900)
    figures = metrics.with_intervals(
        labels, probabilities, lesions, {"accuracy": metrics.accuracy}, resamples=2000
    )
    figure = figures["accuracy"]
    theory = 2 * 1.96 * np.sqrt(figure.value * (1 - figure.value) / 900)
    assert figure.high - figure.low == pytest.approx(theory, rel=0.15)


def test_many_images_of_one_lesion_are_no_more_evidence_than_one() -> None:
    labels, probabilities, lesions = large_sample(40, each=30)
    chosen = {"accuracy": metrics.accuracy}

    def width(these: np.ndarray) -> float:
        figure = metrics.with_intervals(labels, probabilities, these, chosen, 400)["accuracy"]
        return figure.high - figure.low

    singles = np.array([f"L{n}" for n in range(len(labels))])
    # Theory: the square root of 30.
    assert width(lesions) > 4 * width(singles)


@given(st.lists(st.integers(1, 6), min_size=1, max_size=12), st.integers(0, 2**32 - 1))
@settings(max_examples=30)
def test_every_resample_is_made_of_as_many_whole_lesions(file_size, seed) -> None:
    random = np.random.default_rng(seed)
    lesions = random.permutation(np.repeat(np.arange(len(file_size)), file_size))
    labels = np.arange(len(lesions)) % 7
    # Carries each row's number through, in place of a probability.
    numbered = np.zeros((len(lesions), 7))
    numbered[:, 0] = np.arange(len(lesions))
    drawn: list[np.ndarray] = []

    def remember(_: np.ndarray, rows: np.ndarray) -> float:
        drawn.append(rows[:, 0].astype(int))
        return 0.0

    metrics.with_intervals(
        labels, numbered, lesions.astype(str), {"rows": remember}, resamples=20, seed=seed
    )
    for rows in drawn:
        counts = np.bincount(rows, minlength=len(lesions))
        times = [set(counts[lesions == lesion].tolist()) for lesion in range(len(file_size))]
        assert all(len(t) == 1 for t in times)
        assert sum(t.pop() for t in times) == len(file_size)


def test_the_seed_decides_the_resamples() -> None:
    labels, probabilities, lesions = large_sample(100)
    chosen = {"brier_score": metrics.brier_score}
    one, same, other = (
        metrics.with_intervals(labels, probabilities, lesions, chosen, 50, seed=seed)
        for seed in (1, 1, 2)
    )
    assert one == same
    assert one["brier_score"].low != other["brier_score"].low


def test_a_resample_that_lacks_a_diagnosis_neither_fails_nor_warns() -> None:
    # Two lesions of each: one resample in nine has no melanoma, two in three lack something.
    labels = np.repeat(np.arange(7), 2)
    probabilities = np.random.default_rng(0).dirichlet(np.ones(7), 14)
    lesions = np.array([f"L{n}" for n in range(14)])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figures = metrics.with_intervals(labels, probabilities, lesions, resamples=100)
    for name, figure in figures.items():
        assert np.isfinite([figure.value, figure.low, figure.high]).all(), name


def test_calls_as_if_equally_common_undo_what_the_frequencies_did() -> None:
    labels = np.array([5] * 80 + [4] * 20)
    said = np.full((100, 7), 1e-6)
    # Twice as likely as its frequency says, yet never the likeliest.
    said[:, 5], said[:, 4] = 0.9, 0.1
    said[80:, 5], said[80:, 4] = 0.6, 0.4
    assert metrics.balanced_accuracy(labels, said) == 0.5
    assert metrics.balanced_accuracy_even(labels, said) == 1.0


def test_a_diagnosis_that_does_not_occur_has_no_figures() -> None:
    labels = np.array([4, 5, 5, 4])
    said = np.eye(7)[labels]
    found = metrics.per_class(labels, said, np.array(list("abcd")), 10)
    assert list(found) == ["mel", "nv"]


def test_what_images_do_not_define_is_left_out() -> None:
    random = np.random.default_rng(0)
    probabilities = random.dirichlet(np.ones(7), 40)
    lesions = np.arange(40).astype(str)
    benign = np.full(40, CODES.index("nv"))
    benign[::2] = CODES.index("bkl")
    found = metrics.with_intervals(benign, probabilities, lesions, resamples=20)
    assert set(metrics.METRICS) - set(found) == {
        "malignant_auc", "melanoma_auc", "melanoma_sensitivity_at_0.90_specificity",
        "melanoma_sensitivity_at_0.95_specificity", "melanoma_specificity_at_0.95_sensitivity",
    }  # fmt: skip
    for figure in found.values():
        assert np.isfinite(msgspec.structs.astuple(figure)).all()
    # With one diagnosis alone no area is defined; nothing warns of an empty mean.
    alone = np.full(40, CODES.index("nv"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = metrics.with_intervals(alone, probabilities, lesions, resamples=20)
        (row,) = metrics.per_class(alone, probabilities, lesions, 20).values()
    assert "macro_auc" not in found
    assert "accuracy" in found
    assert row.auc is None
    assert np.isfinite(msgspec.structs.astuple(row.recall)).all()
