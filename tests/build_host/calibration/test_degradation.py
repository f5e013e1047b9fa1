from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import pytest

from build_host.calibration.degradation import (
    DEGRADATIONS,
    Degradation,
    Study,
    find_limit,
    groups_of,
)
from build_host.calibration.fits import NO_LIMITS
from build_host.datasets.dataset import Dataset, ImageRecord
from device.capture.demo import SCENES, demo_frame
from device.imaging.field_of_view import crop, find_field
from device.imaging.quality import measure_quality
from device.models.bundle import Bundle
from device.models.manifest import MODEL_FILE, Manifest
from tests.build_host.conftest import Done
from tests.device.models.two_networks import shipped_bundle

FRAME = demo_frame(SCENES[1]).pixels[::4, ::4]
MEASURED = [kind for kind in DEGRADATIONS if kind.measure not in (None, "motion")]


@pytest.fixture
def run(config_text: str, tmp_path: Path) -> Path:
    """Return a run's folder as it is after compression, around a shipped model."""
    bundle = shipped_bundle("paper-28")
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "run.toml").write_text(config_text)
    (folder / MODEL_FILE).write_bytes(bundle.live_model)
    (folder / "draft.json").write_bytes(msgspec.json.encode(bundle.manifest))
    return folder


@pytest.fixture
def config_text(write_config: Callable[..., Path], tmp_path: Path) -> str:
    return write_config(tmp_path).read_text()


@pytest.mark.parametrize("kind", DEGRADATIONS, ids=lambda k: k.name)
def test_a_degraded_image_is_an_image_and_leaves_the_first_one_alone(kind: Degradation) -> None:
    before = FRAME.copy()
    for amount in (kind.mildest, kind.worst):
        degraded = kind.corrupt(FRAME, amount, np.random.default_rng(0))
        assert degraded.shape == FRAME.shape
        assert degraded.dtype == np.uint8
        assert (degraded != FRAME).any()
    np.testing.assert_array_equal(FRAME, before)


@pytest.mark.parametrize("kind", MEASURED, ids=lambda k: k.name)
def test_each_measure_notices_what_it_is_there_for(kind: Degradation) -> None:
    values = []
    for amount in (kind.mildest, kind.worst):
        degraded = kind.corrupt(FRAME, amount, np.random.default_rng(0))
        quality = measure_quality(crop(degraded, find_field(degraded)), NO_LIMITS)
        values.append(getattr(quality, str(kind.measure)))
    assert (values[1] < values[0]) == (kind.bad == "low")


@pytest.mark.parametrize("bad", ["low", "high"])
def test_limit_lies_where_the_loss_begins(bad: str) -> None:
    random = np.random.default_rng(0)
    values = random.uniform(0, 10, 4000)
    degraded = values < 3 if bad == "low" else values > 7
    losses = (random.random(4000) < np.where(degraded, 0.5, 0.0)) * 1.0
    undegraded = values[~degraded]
    found, reason = find_limit(values, losses, [undegraded], bad, 0.1)
    assert found == pytest.approx(3.0 if bad == "low" else 7.0, abs=0.1)
    assert reason == "accuracy falls"


def test_where_accuracy_never_falls_the_worst_that_was_tried_is_the_limit() -> None:
    values = np.linspace(2.0, 9.0, 100)
    assert find_limit(values, np.zeros(100), [values[50:]], "low", 0.05) == (2.0, "worst tried")
    assert find_limit(values, np.zeros(100), [values[:50]], "high", 0.05) == (9.0, "worst tried")


def test_limit_refuses_hardly_an_image_as_it_is() -> None:
    values = np.linspace(0.0, 10.0, 1000)
    losses = np.ones(1000)
    bright, dark = np.linspace(5.0, 10.0, 200), np.linspace(3.0, 8.0, 60)
    found, reason = find_limit(values, losses, [bright, dark], "low", 0.05)
    assert reason == "images as they are"
    # Of no group: what is dark by itself is not refused for the sake of the others.
    assert (dark < found).mean() <= 0.02
    assert found > 2.9


def test_groups_are_the_sources_diagnoses_and_skin_tones_of_many_images() -> None:
    records = tuple(
        ImageRecord(f"{i}", f"{i}", "nv" if i < 60 else "mel", source="A" if i < 55 else "B",
                    skin_tone="2" if i % 2 else "")
        for i in range(110)
    )  # fmt: skip
    groups = groups_of(Dataset("drawn", records, lambda record: FRAME))
    assert {name: int(rows.sum()) for name, rows in groups.items()} == {
        "all": 110, "A": 55, "B": 55, "mel": 50, "nv": 60, "skin tone 2": 55,
    }  # fmt: skip


def toned(*counts: int) -> Dataset:
    """Return a dataset with so many images of each class of skin tone, the darkest first."""
    tones = [str(tone) for tone, count in enumerate(counts) for _ in range(count)]
    records = tuple(
        ImageRecord(f"{i}", f"{i}", "nv", source="A", skin_tone=tone)
        for i, tone in enumerate(tones)
    )
    return Dataset("drawn", records, lambda record: FRAME)


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        # MILK10k's validation fold: none of the darkest two classes has fifty.
        ((0, 9, 45, 500, 200, 60), {"1 to 2": 54, "3": 500, "4": 200, "5": 60}),
        # Only as many as are needed are pooled, and those that have enough stand alone.
        ((60, 9, 45, 50), {"0": 60, "1 to 2": 54, "3": 50}),
        # The lightest, too few, go with the class before them.
        ((9, 50, 80, 3), {"0 to 1": 59, "2 to 3": 83}),
        ((20, 20), {}),
    ],
)
def test_dark_skin_has_a_group_although_its_classes_are_small(
    counts: tuple[int, ...], expected: dict[str, int]
) -> None:
    groups = groups_of(toned(*counts))
    found = {n: int(rows.sum()) for n, rows in groups.items() if n.startswith("skin tone")}
    assert found == {f"skin tone {name}": count for name, count in expected.items()}


@pytest.mark.parametrize("bad", ["low", "high"])
@pytest.mark.parametrize("size", [50, 54, 200, 201, 400, 999])
def test_limit_refuses_one_in_two_hundred_of_a_group_or_one_image(bad: str, size: int) -> None:
    random = np.random.default_rng(size)
    values = random.normal(50.0, 5.0, 5000)
    group = random.normal(30.0 if bad == "low" else 70.0, 5.0, size)
    found, _ = find_limit(values, np.ones(5000), [values, group], bad, 0.05)
    refused = (group < found).sum() if bad == "low" else (group > found).sum()
    assert refused <= max(1, np.ceil(size / 200))


def test_a_runs_limits_become_those_of_the_study(
    command: Callable[..., Done], run: Path, ham10000: Path
) -> None:
    done = command("quality-limits", run, "--ham10000", ham10000, "--images", 14, "--levels", 3)
    assert done.status == 0, done.err
    study = msgspec.json.decode((run / "quality.json").read_bytes(), type=Study)
    draft = msgspec.json.decode((run / "draft.json").read_bytes(), type=Manifest)
    assert draft.quality == study.limits
    assert draft.quality != NO_LIMITS
    assert "14 HAM10000 validation images" in draft.quality.derived_from
    assert next(iter(study.refused)) == "all"
    assert [c.name for c in study.curves] == [kind.name for kind in DEGRADATIONS]
    for curve, kind in zip(study.curves, DEGRADATIONS, strict=True):
        mild, middle, worst = (level.amount for level in curve.levels)
        assert (mild, worst) == pytest.approx((kind.mildest, kind.worst))
        # Where the accuracy of a sharp picture is lost lies near the mild end.
        assert middle / mild == pytest.approx(worst / middle)
    assert (run / "quality.png").read_bytes().startswith(b"\x89PNG")
    for curve in study.curves:
        assert curve.name in done.out
        assert curve.value is None or getattr(study.limits, curve.limit) == curve.value


def test_a_signed_bundle_is_studied_and_left_as_it_is(
    command: Callable[..., Done], ham10000: Path, tmp_path: Path
) -> None:
    bundle = shipped_bundle("paper-28")
    before = sorted(p.name for p in bundle.folder.iterdir())
    arguments = ("--images", 7, "--levels", 1, "--out", tmp_path / "out")
    done = command("quality-limits", bundle.folder, "--ham10000", ham10000, *arguments)
    assert done.status == 0, done.err
    assert (tmp_path / "out" / "quality.json").is_file()
    assert sorted(p.name for p in bundle.folder.iterdir()) == before


@pytest.mark.parametrize("number", ["0", "-3", "many"])
def test_a_number_of_images_that_is_none_is_refused(
    command: Callable[..., Done], bundle: Bundle, ham10000: Path, number: str
) -> None:
    done = command("quality-limits", bundle.folder, "--ham10000", ham10000, "--images", number)
    assert done.status == 2
    assert "--images" in done.err
