import gzip
import hashlib
import warnings
from collections import Counter
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest

from build_host.datasets.dataset import Collection, ImageRecord
from build_host.datasets.ham10000 import read_ham10000
from build_host.evaluation import metrics
from build_host.evaluation.predictions import (
    Evaluation,
    Predictions,
    evaluate,
    predict,
    raw_answers,
)
from device.capture.frame import frame_now
from device.diagnoses import CODES
from device.inference.analyzer import Analyzer
from device.inference.bundle import Bundle, load_bundle
from tests.build_host.conftest import Stage

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
        # No call is made on any dermatofibroma, though some are called that.
        called=(random.random(count) < 0.7) & (labels != CODES.index("df")),
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


@pytest.fixture(scope="module")
def drawn_bundle(bundled: Stage, trusted_key: str) -> Bundle:
    return load_bundle(bundled.folder, [trusted_key])


def some(folder: Path) -> Collection:
    return read_ham10000(folder).subset(np.arange(0, 176, 25))


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


def test_abstaining_is_judged_on_the_images_that_were_called(
    result: Evaluation, predictions: Predictions, labels: np.ndarray
) -> None:
    called = predictions.called
    right = predictions.probabilities.argmax(axis=1) == labels
    assert result.selective.coverage == pytest.approx(called.mean())
    assert result.selective.accuracy == pytest.approx(right[called].mean())
    recalls = [right[called & (labels == i)].mean() for i in range(7) if CODES[i] != "df"]
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


@pytest.mark.tensorflow
def test_predictions_are_the_instruments_own_findings(drawn_bundle: Bundle, ham10000: Path) -> None:
    collection = some(ham10000)
    predictions = predict(Analyzer(drawn_bundle), collection, quiet=True)
    assert predictions.records == collection.records
    analyzer = Analyzer(drawn_bundle)
    for i, record in enumerate(collection.records):
        finding = analyzer.analyze(frame_now(collection.read(record), 0, "file"))
        np.testing.assert_array_equal(predictions.probabilities[i], finding.probabilities)
        assert predictions.covered[i] == (record.dx in finding.prediction_set)
        assert predictions.set_sizes[i] == len(finding.prediction_set)


@pytest.mark.tensorflow
@pytest.mark.parametrize(
    ("dark_frames_pass", "sure_frames_pass", "called"),
    [(True, True, True), (True, False, False), (False, True, True), (False, False, False)],
)
def test_a_call_is_one_that_the_model_would_make_whatever_the_quality(
    drawn_bundle: Bundle,
    ham10000: Path,
    dark_frames_pass: bool,
    sure_frames_pass: bool,
    called: bool,
) -> None:
    manifest = drawn_bundle.manifest
    quality = msgspec.structs.replace(
        manifest.quality,
        focus_min=0.0,
        exposure_min=0.0 if dark_frames_pass else 1.0,
        exposure_max=1.0,
        glare_max=1.0,
        coverage_min=0.0,
    )
    abstention = msgspec.structs.replace(
        manifest.abstention,
        uncertain_below=0.0 if sure_frames_pass else 1.0,
        unfamiliar_below=None,
    )
    changed = msgspec.structs.replace(manifest, quality=quality, abstention=abstention)
    bundle = replace(drawn_bundle, manifest=changed)
    predictions = predict(Analyzer(bundle), some(ham10000), quiet=True)
    assert predictions.called.tolist() == [called] * len(predictions.records)


@pytest.mark.tensorflow
def test_raw_answers_are_those_before_calibration(drawn_bundle: Bundle, ham10000: Path) -> None:
    collection = some(ham10000)
    answers = raw_answers(Analyzer(drawn_bundle), collection, quiet=True)
    logits = np.array([a.logits for a in answers])
    assert logits.shape == (len(collection), 7)
    assert logits.dtype == np.float32
    analyzer = Analyzer(drawn_bundle)
    for row, record in zip(logits, collection.records, strict=True):
        np.testing.assert_array_equal(row, analyzer.logits(collection.read(record)))
    steps = logits / np.float32(drawn_bundle.manifest.outputs.logits.quantization_scale)
    np.testing.assert_allclose(steps, np.rint(steps), atol=1e-3)
