import gzip
import hashlib
import warnings
from collections import Counter
from dataclasses import replace

import msgspec
import numpy as np
import pytest

from build_host.datasets.dataset import ImageRecord
from build_host.evaluation import metrics
from build_host.evaluation.evaluation import Evaluation, evaluate
from build_host.evaluation.predictions import Predictions
from device.diagnoses import CODES
from device.inference.recommendation import Recommendation

MODEL = b"model" * 1000


def made_up() -> Predictions:
    count = 280
    random = np.random.default_rng(2)
    labels = np.arange(count) % 7
    probabilities = random.dirichlet(np.ones(7), count)
    probabilities[np.arange(count), labels] += 0.4
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    records = tuple(
        ImageRecord(
            image_id=f"I{n}",
            lesion_id=f"L{n // 2}",
            dx=CODES[label],
            dx_type="histo" if n % 3 else "",
            age=None if n % 5 == 0 else float(40 + n % 20),
            sex="female" if n < 200 else "male" if n < 260 else "unknown",
            localization="back" if n < 251 else "ear",
        )
        for n, label in enumerate(labels)
    )
    return Predictions(
        records=records,
        probabilities=probabilities,
        covered=random.random(count) < 0.9,
        set_sizes=random.integers(1, 8, count),
        # The model abstains on every dermatofibroma, though it takes others for one.
        accepted=(random.random(count) < 0.7) & (labels != CODES.index("df")),
    )


@pytest.fixture(scope="module")
def predictions() -> Predictions:
    return made_up()


@pytest.fixture(scope="module")
def judged(predictions: Predictions) -> tuple[Evaluation, list[str]]:
    """Return the evaluation, and the warnings that it showed."""
    with warnings.catch_warnings(record=True) as shown:
        warnings.simplefilter("always")
        found = evaluate(predictions, "model 1.0.0", MODEL, "the protocol")
    return found, [str(w.message) for w in shown]


@pytest.fixture(scope="module")
def result(judged: tuple[Evaluation, list[str]]) -> Evaluation:
    return judged[0]


@pytest.fixture(scope="module")
def labels(predictions: Predictions) -> np.ndarray:
    return np.array([CODES.index(r.dx) for r in predictions.records])


def test_it_names_the_model_the_protocol_and_what_was_seen(result: Evaluation) -> None:
    assert (result.model, result.protocol) == ("model 1.0.0", "the protocol")
    assert (result.images, result.lesions) == (280, 140)
    assert result.model_sha256 == hashlib.sha256(MODEL).hexdigest()


def test_figures_tables_and_confusion_are_those_of_the_metrics(
    result: Evaluation, predictions: Predictions, labels: np.ndarray
) -> None:
    assert list(result.figures) == list(metrics.METRICS)
    for name, metric in metrics.METRICS.items():
        assert result.figures[name].value == metric(labels, predictions.probabilities)
    lesions = np.array([r.lesion_id for r in predictions.records])
    assert result.per_class == metrics.per_class(labels, predictions.probabilities, lesions)
    assert result.confusion == metrics.confusion(labels, predictions.probabilities)


def test_intervals_are_drawn_over_lesions(
    result: Evaluation, predictions: Predictions, labels: np.ndarray
) -> None:
    lesions = np.array([r.lesion_id for r in predictions.records])
    chosen = {"accuracy": metrics.accuracy}
    expected = metrics.with_intervals(labels, predictions.probabilities, lesions, chosen)
    assert result.figures["accuracy"] == expected["accuracy"]
    few = evaluate(predictions, "model 1.0.0", MODEL, "the protocol", resamples=3)
    drawn_thrice = metrics.with_intervals(
        labels, predictions.probabilities, lesions, chosen, resamples=3
    )
    assert few.figures["accuracy"] == drawn_thrice["accuracy"]
    assert few.per_class != result.per_class


def test_selective_figures_are_of_the_images_without_abstention(
    result: Evaluation, predictions: Predictions, labels: np.ndarray
) -> None:
    accepted = predictions.accepted
    right = predictions.probabilities.argmax(axis=1) == labels
    assert result.selective.coverage == pytest.approx(accepted.mean())
    assert result.selective.accuracy == pytest.approx(right[accepted].mean())
    recalls = [right[accepted & (labels == i)].mean() for i in range(7) if CODES[i] != "df"]
    assert result.selective.balanced_accuracy == pytest.approx(np.mean(recalls))


def test_prediction_sets_are_judged_by_what_they_hold(
    result: Evaluation, predictions: Predictions, labels: np.ndarray
) -> None:
    assert result.conformal.coverage == pytest.approx(predictions.covered.mean())
    assert result.conformal.mean_set_size == pytest.approx(predictions.set_sizes.mean())
    for i, code in enumerate(CODES):
        own = predictions.covered[labels == i].mean()
        assert result.conformal.coverage_per_class[code] == pytest.approx(own)


def test_sizes_are_the_files_own(result: Evaluation) -> None:
    assert result.size.bytes == len(MODEL)
    assert result.size.gzip_bytes == len(gzip.compress(MODEL, 9, mtime=0))


def test_subgroups_are_counted_and_small_ones_left_out(
    result: Evaluation, predictions: Predictions
) -> None:
    groups = {
        kind: {value: row["images"] for value, row in values.items()}
        for kind, values in result.subgroups.items()
    }
    ages = Counter(
        "unknown" if r.age is None else "40 to 49" if r.age < 50 else "50 to 59"
        for r in predictions.records
    )
    # 20 of unknown sex and 29 ears are too few.
    assert groups == {
        "sex": {"female": 200, "male": 60},
        "age": dict(ages),
        "localization": {"back": 251},
        "dx_type": dict(Counter(r.dx_type or "unknown" for r in predictions.records)),
    }


def test_a_subgroups_figures_are_of_its_own_images(
    result: Evaluation, predictions: Predictions, labels: np.ndarray
) -> None:
    male = np.array([r.sex == "male" for r in predictions.records])
    figures = result.subgroups["sex"]["male"]
    own = labels[male], predictions.probabilities[male]
    assert figures["accuracy"].value == metrics.accuracy(*own)
    assert figures["malignant_auc"].value == metrics.malignant_auc(*own)


def test_it_survives_being_written_and_read(result: Evaluation) -> None:
    assert msgspec.json.decode(msgspec.json.encode(result), type=Evaluation) == result


def test_calls_that_lack_a_diagnosis_show_no_warning(
    judged: tuple[Evaluation, list[str]],
) -> None:
    assert judged[1] == []


def test_it_is_told_how_often_each_recommendation_is_made(predictions: Predictions) -> None:
    made = tuple(
        Recommendation.REFER if r.dx == "mel" else None if r.dx == "df" else Recommendation.NO_SIGN
        for r in predictions.records
    )
    recommending = replace(predictions, recommendations=made)
    figures = evaluate(recommending, "model 1.0.0", MODEL, "the protocol", resamples=20).figures
    told = {name: f.value for name, f in figures.items() if "_of_" in name}
    assert told == {
        "refer_of_melanomas": 1.0,
        "refer_of_malignant": pytest.approx(1 / 3),
        "refer_of_naevi": 0.0,
        "not-excluded_of_melanomas": 0.0,
        "not-excluded_of_malignant": 0.0,
        "not-excluded_of_naevi": 0.0,
        "no-sign_of_melanomas": 0.0,
        "no-sign_of_malignant": pytest.approx(2 / 3),
        "no-sign_of_naevi": 1.0,
    }
    assert figures["refer_of_malignant"].low < 1 / 3 < figures["refer_of_malignant"].high


def test_nothing_is_told_of_recommendations_that_a_bundle_cannot_make(
    judged: tuple[Evaluation, list[str]],
) -> None:
    assert not [name for name in judged[0].figures if "_of_" in name]
