from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray

from build_host.datasets.dataset import Dataset, ImageRecord
from build_host.evaluation.assessment import Assessment
from build_host.evaluation.evaluation import Evaluation
from build_host.evaluation.metrics import accuracy, balanced_accuracy, malignant_auc
from build_host.evaluation.predictions import Predictions, predict
from build_host.evaluation.sources import SourceEvaluation, evaluate_sources, warned
from build_host.reporting.console import assessment_tables
from build_host.reporting.model_card import render_card
from build_host.results import read_result, write_result
from device.diagnoses import CODES, MALIGNANT
from device.frame import frame_now
from device.inference.analyzer import Analyzer
from device.models.bundle import Bundle, load_bundle
from tests.build_host import drawn
from tests.device.bundles import one_network
from tests.device.models.case_mixes import SHARES, with_case_mixes
from tests.device.models.two_networks import shipped_bundle, sign_two_networks, two_networks

RESAMPLES = 20
MORE_NV = {"clinic-a": 35, "clinic-b": 12}
OTHERS = 12


def records_of(source: str) -> list[ImageRecord]:
    """Return images of a source, two of each lesion; some tell the skin's tone."""
    counts = {dx: MORE_NV[source] if dx == "nv" else OTHERS for dx in CODES}
    return [
        ImageRecord(
            image_id=f"{source}/{dx}/{n}",
            lesion_id=f"{source}/{dx}/{n // 2}",
            dx=dx,
            source=source,
            skin_tone=("2" if n % 2 else "4" if n % 12 == 0 else "3") if source[-1] == "b" else "",
        )
        for dx, count in counts.items()
        for n in range(count)
    ]


def read(record: ImageRecord) -> NDArray[np.uint8]:
    source, dx, n = record.image_id.split("/")
    return np.asarray(drawn.picture(dx, int(n) + 1000 * (source[-1] == "b")))


@pytest.fixture(scope="module")
def folds() -> Dataset:
    """Drawn lesions of two clinics, mixed."""
    both = [r for source in MORE_NV for r in records_of(source)]
    order = np.random.default_rng(0).permutation(len(both))
    return Dataset("drawings", tuple(both[i] for i in order), read)


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """A bundle of two networks, each read for two practices; the larger one is for captures."""
    folder = tmp_path_factory.mktemp("mixed")
    live, captured = shipped_bundle("paper-28"), one_network(shipped_bundle("multicentre"))
    manifest = with_case_mixes(two_networks(live, captured))
    return load_bundle(folder, (sign_two_networks(folder, manifest, live, captured),))


@pytest.fixture(scope="module")
def found(mixed: Bundle, folds: Dataset) -> list[SourceEvaluation]:
    return evaluate_sources(mixed, folds, RESAMPLES)


def rows_of(folds: Dataset, source: str) -> Dataset:
    return folds.subset(np.flatnonzero([r.source == source for r in folds.records]))


@pytest.fixture(scope="module")
def predicted(mixed: Bundle, folds: Dataset) -> dict[tuple[str, str], Predictions]:
    analyzer = Analyzer(mixed)
    return {
        (source, network): predict(analyzer, rows_of(folds, source), True, averaged)
        for source in MORE_NV
        for network, averaged in (("live", False), ("captured", True))
    }


def labels_of(predictions: Predictions) -> NDArray[np.int64]:
    return np.array([CODES.index(r.dx) for r in predictions.records])


def test_every_network_is_measured_on_every_source(
    found: list[SourceEvaluation], folds: Dataset
) -> None:
    named = [(row.source, row.network) for row in found]
    first, second = folds.sources
    assert named == [(s, n) for s in (first, second) for n in ("live", "captured")]
    for row in found:
        own = rows_of(folds, row.source)
        assert row.images == len(own) == MORE_NV[row.source] + 6 * OTHERS
        assert row.lesions == len(set(own.lesions))
        for figure in row.figures.values():
            assert 0.0 <= figure.low <= figure.high <= 1.0


def test_bundle_of_one_network_has_one_row_a_source(folds: Dataset) -> None:
    rows = evaluate_sources(shipped_bundle("paper-28"), folds, 5)
    assert [(row.source, row.network) for row in rows] == [
        (source, "live") for source in folds.sources
    ]


def test_figures_are_of_what_the_device_finds_with_its_case_mix(
    found: list[SourceEvaluation], predicted: dict[tuple[str, str], Predictions]
) -> None:
    for row in found:
        own = predicted[row.source, row.network]
        labels = labels_of(own)
        assert row.figures["accuracy"].value == accuracy(labels, own.probabilities)
        assert row.coverage == own.covered.mean()
        assert row.mean_set_size == own.set_sizes.mean()
        even = own.probabilities / np.array(SHARES["screening"])
        assert row.figures["balanced_accuracy_as_if_equally_common"].value == balanced_accuracy(
            labels, even
        )
        at_home = even * np.bincount(labels, minlength=7)
        assert row.figures["balanced_accuracy_of_its_own_mix"].value == balanced_accuracy(
            labels, at_home
        )
        assert row.figures["malignant_auc_of_its_own_mix"].value == malignant_auc(
            labels, at_home / at_home.sum(axis=1, keepdims=True)
        )
    of_a = [row.figures["accuracy"].value for row in found if row.source == "clinic-a"]
    assert of_a[0] != of_a[1]


def test_captured_network_is_measured_as_a_burst_is_analyzed(
    mixed: Bundle, found: list[SourceEvaluation], folds: Dataset
) -> None:
    analyzer, own = Analyzer(mixed), rows_of(folds, "clinic-b")
    right = [
        analyzer.analyze_burst([frame_now(read(r), 0, "file")])[1].leading == r.dx
        for r in own.records
    ]
    (row,) = (r for r in found if (r.source, r.network) == ("clinic-b", "captured"))
    assert row.figures["accuracy"].value == pytest.approx(np.mean(right))


def test_what_is_apart_from_the_practice_does_not_depend_on_it(
    mixed: Bundle, found: list[SourceEvaluation], folds: Dataset
) -> None:
    clinic_b = rows_of(folds, "clinic-b")
    rows = evaluate_sources(mixed.with_case_mix("referral"), clinic_b, RESAMPLES)
    before = [row for row in found if row.source == "clinic-b"]
    for one, other in zip(before, rows, strict=True):
        assert one.network == other.network
        for name in (
            "balanced_accuracy_as_if_equally_common",
            "balanced_accuracy_of_its_own_mix",
            "malignant_auc_of_its_own_mix",
            "expected_calibration_error",
        ):
            assert one.figures[name].value == pytest.approx(other.figures[name].value, abs=1e-6)
        assert one.figures["accuracy"] != other.figures["accuracy"]


def test_bundle_that_names_no_practice_is_taken_to_assume_the_sources_own_mix(
    folds: Dataset,
) -> None:
    bundle = shipped_bundle("paper-28")
    own = rows_of(folds, "clinic-a")
    (row,) = evaluate_sources(bundle, own, 5)
    predictions = predict(Analyzer(bundle), own, quiet=True)
    labels = labels_of(predictions)
    expected = balanced_accuracy(labels, predictions.probabilities)
    assert row.figures["balanced_accuracy_of_its_own_mix"].value == expected
    even = predictions.probabilities / np.bincount(labels, minlength=7)
    assert row.figures["balanced_accuracy_as_if_equally_common"].value == balanced_accuracy(
        labels, even
    )


def test_diagnoses_of_few_images_get_no_figure(
    found: list[SourceEvaluation], predicted: dict[tuple[str, str], Predictions]
) -> None:
    for row in found:
        if row.source == "clinic-b":
            assert row.coverage_by_diagnosis == {}
            continue
        own = predicted[row.source, row.network]
        is_nv = np.array([r.dx == "nv" for r in own.records])
        assert row.coverage_by_diagnosis == {"nv": own.covered[is_nv].mean()}


def test_skin_tones_of_many_images_are_told_where_the_source_tells_them(
    found: list[SourceEvaluation], predicted: dict[tuple[str, str], Predictions]
) -> None:
    for row in found:
        if row.source == "clinic-a":
            assert row.by_skin_tone == {}
            continue
        own = predicted[row.source, row.network]
        tones = np.array([r.skin_tone for r in own.records])
        assert (tones == "4").any()
        assert list(row.by_skin_tone) == ["2", "3"]
        for tone, told in row.by_skin_tone.items():
            rows = tones == tone
            assert told["images"] == rows.sum() >= 30
            even = own.probabilities[rows] / np.array(SHARES["screening"])
            figure = told["balanced"]
            assert not isinstance(figure, int)
            assert figure.value == balanced_accuracy(labels_of(own)[rows], even)


def test_every_warning_that_is_raised_is_told(
    found: list[SourceEvaluation], predicted: dict[tuple[str, str], Predictions]
) -> None:
    for row in found:
        own = predicted[row.source, row.network]
        wrong = own.probabilities.argmax(axis=1) != labels_of(own)
        names = sorted({reason for reasons in own.warnings for reason in reasons})
        assert [w.warning for w in row.warnings] == names
        for told in row.warnings:
            raised = np.array([told.warning in reasons for reasons in own.warnings])
            assert told.share == raised.mean()
            assert told.error_raised == wrong[raised].mean()
    # In a screening practice of these manifests everything is uncertain.
    (certain,) = (w for w in found[0].warnings if w.warning == "uncertain")
    assert (certain.share, certain.difference) == (1.0, None)


def test_share_of_each_group_is_told_for_each_recommendation(folds: Dataset) -> None:
    bundle = shipped_bundle("paper-28")
    for row in evaluate_sources(bundle, folds, 5):
        made = {r.recommendation: r for r in row.recommendations}
        assert list(made) == ["refer", "not-excluded", "no-sign", ""]
        predictions = predict(Analyzer(bundle), rows_of(folds, row.source), True)
        labels = labels_of(predictions)
        for name, shares in made.items():
            said = np.array([(r or "") == name for r in predictions.recommendations])
            assert shares.melanomas == pytest.approx(said[labels == CODES.index("mel")].mean())
            assert shares.naevi == pytest.approx(said[labels == CODES.index("nv")].mean())
            rest = np.isin(labels, [CODES.index(c) for c in ("akiec", "bcc")])
            assert shares.other_malignant == pytest.approx(said[rest].mean())
            rest = np.isin(labels, [CODES.index(c) for c in ("bkl", "df", "vasc")])
            assert shares.other_benign == pytest.approx(said[rest].mean())
        for group in ("melanomas", "other_malignant", "naevi", "other_benign"):
            assert sum(getattr(r, group) for r in made.values()) == pytest.approx(1.0)


def test_rows_are_written_and_read(found: list[SourceEvaluation]) -> None:
    written = msgspec.json.encode(found)
    assert msgspec.json.decode(written, type=list[SourceEvaluation]) == found


def test_without_the_averaging_a_capture_is_of_one_view(
    mixed: Bundle, folds: Dataset, found: list[SourceEvaluation], tmp_path: Path
) -> None:
    captured = mixed.manifest.captured
    assert captured is not None
    assert captured.test_time_augmentation == "dihedral"
    once = msgspec.structs.replace(captured, test_time_augmentation="none")
    manifest = msgspec.structs.replace(mixed.manifest, captured=once)
    rows = evaluate_sources(
        replace(mixed, manifest=manifest), rows_of(folds, "clinic-b"), RESAMPLES
    )
    before = [row for row in found if row.source == "clinic-b"]
    assert rows[0].figures == before[0].figures
    assert (
        rows[1].figures["expected_calibration_error"]
        != (before[1].figures["expected_calibration_error"])
    )


def warnings(*groups: tuple[int, int, int]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return which of some images are warned of, and which calls are wrong.

    Parameters
    ----------
    groups
        Each says whether its images are warned of, how many there are, and how many calls are
        wrong.
    """
    raised, wrong = [], []
    for warned_of, count, errors in groups:
        raised += [bool(warned_of)] * count
        wrong += [i < errors for i in range(count)]
    return np.array(raised), np.array(wrong)


def test_worth_of_a_warning_is_the_difference_of_two_shares() -> None:
    raised, wrong = warnings((1, 40, 20), (0, 160, 16))
    lesions = [str(i) for i in range(200)]
    told = warned("unfamiliar", raised, wrong, lesions)
    assert (told.warning, told.share) == ("unfamiliar", 0.2)
    assert (told.error_raised, told.error_not_raised) == (0.5, 0.1)
    assert told.difference is not None
    assert told.difference.value == pytest.approx(0.4)
    # The standard error of a difference of two shares, as a textbook has it.
    error = np.sqrt(0.5 * 0.5 / 40 + 0.1 * 0.9 / 160)
    assert told.difference.low == pytest.approx(0.4 - 1.96 * error, abs=0.03)
    assert told.difference.high == pytest.approx(0.4 + 1.96 * error, abs=0.03)
    assert warned("unfamiliar", raised, wrong, lesions) == told


def test_images_of_one_lesion_are_not_independent() -> None:
    raised, wrong = warnings((1, 40, 20), (0, 160, 16))
    apart = warned("x", raised, wrong, [str(i) for i in range(200)])
    together = warned("x", raised, wrong, [str(i // 10) for i in range(200)])
    assert apart.difference is not None
    assert together.difference is not None
    assert together.difference.value == apart.difference.value
    narrow, wide = (d.high - d.low for d in (apart.difference, together.difference))
    assert wide > 1.5 * narrow


def test_warning_that_is_raised_by_chance_is_worth_nothing() -> None:
    random = np.random.default_rng(2)
    raised, wrong = random.random(600) < 0.2, random.random(600) < 0.3
    told = warned("x", raised, wrong, np.arange(600).astype(str))
    assert told.difference is not None
    assert told.difference.low < 0.0 < told.difference.high


@pytest.mark.parametrize(("count", "told"), [(0, False), (9, False), (10, True)])
def test_warning_on_few_images_has_no_difference(count: int, told: bool) -> None:
    raised, wrong = warnings((1, count, count // 2), (0, 50, 5))
    found = warned("x", raised, wrong, [str(i) for i in range(len(raised))])
    assert (found.difference is not None) == told
    assert found.share == count / (50 + count)
    assert found.error_raised == (count // 2 / count if count else 0.0)
    assert found.error_not_raised == 0.1


def test_warning_on_every_image_has_no_difference() -> None:
    raised, wrong = warnings((1, 50, 10))
    found = warned("x", raised, wrong, [str(i) for i in range(50)])
    assert (found.share, found.error_raised, found.error_not_raised) == (1.0, 0.2, 0.0)
    assert found.difference is None


def test_source_that_lacks_a_diagnosis_is_written_and_read_back(
    mixed: Bundle, folds: Dataset, made_evaluation: Evaluation, tmp_path: Path
) -> None:
    """One clinic has no melanoma, the other tones of skin that are all benign or all malignant."""
    second = sorted(folds.sources)[1]
    records = tuple(
        replace(r, skin_tone="3" if r.dx in MALIGNANT else "2") if r.source == second else r
        for r in folds.records
        if r.source == second or r.dx != "mel"
    )
    rows = evaluate_sources(mixed, replace(folds, records=records), 5)
    without = next(r for r in rows if r.source != second)
    whole = next(r for r in rows if r.source == second)
    assert set(whole.figures) - set(without.figures) == {
        "melanoma_auc",
        "melanoma_sensitivity_at_0.90_specificity",
    }
    assert set(whole.by_skin_tone["2"]) == {"images", "balanced"}
    assert set(whole.by_skin_tone["3"]) == {"images", "balanced"}
    assessment = Assessment(evaluations=[made_evaluation], surest=[], sources=rows)
    path = tmp_path / "metrics.json"
    write_result(path, assessment)
    assert read_result(path, Assessment) == assessment
    card = render_card(mixed.manifest, assessment)
    (row,) = [line for line in card.splitlines() if line.startswith("| melanoma AUC |")][:1]
    cells = [cell.strip() for cell in row.strip("|").split("|")][1:]
    assert [cell == "-" for cell in cells] == [r.source != second for r in rows]
    assert f"| 2 | {whole.by_skin_tone['2']['images']} | - |" in card
    tables = list(assessment_tables(assessment))
    assert any(table.title == "The test fold of each source" for table in tables)
