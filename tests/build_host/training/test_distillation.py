import contextlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from build_host.errors import DataError
from build_host.run_folder import RunFolder
from device.diagnoses import Code
from device.inference.runtimes import installed_runtime
from device.models.bundle import load_bundle
from tests.build_host.conftest import Done

pytestmark = pytest.mark.tensorflow

TEACHER = """
name = "drawn-teacher"
version = "0.1.0"
seed = 3
architecture = "paper"

[input]
height = 32
width = 32
geometry = "center-square"

[fit]
epochs = 1
batch = 32
balance = "power"
prior_adjustment = 0.5

[fit.augmentation]
source_height = 150
source_width = 200

[saliency]
method = "occlusion"
"""

SECOND = TEACHER.replace("drawn-teacher", "second-teacher").replace("seed = 3", "seed = 5")

STUDENT = """
name = "drawn-student"
version = "0.1.0"
seed = 4
architecture = "slim-mobilenet"
start = "imagenet"
head = 48
head_sparsity = 0.5
representative = 10

[input]
height = 64
width = 64
geometry = "center-square"
scale = 0.00784313725490196
offset = -1.0

[fit]
epochs = 3
batch = 32
learning_rate = 1e-3
balance = "power"
prior_adjustment = 1.0
mixup = 0.2
keep = "last"

[fit.augmentation]
source_height = 150
source_width = 200

[fit.distillation]
teachers = ["teacher.toml", "second.toml"]
views = 2
share = 0.75

[saliency]
method = "class-activation-map"
captured_method = "rise"
masks = 20
"""


@pytest.fixture(scope="module")
def configs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("configs")
    (folder / "teacher.toml").write_text(TEACHER)
    (folder / "second.toml").write_text(SECOND)
    (folder / "student.toml").write_text(STUDENT)
    return folder


@pytest.fixture(scope="module")
def taught(configs: Path, ham10000: Path, pretrained: Path, command: Callable[..., Done]) -> Path:
    """Return the student's run."""
    runs = configs / "runs"
    for name in ("teacher", "second", "student"):
        done = command(
            "train", "--ham10000", ham10000, "--config", configs / f"{name}.toml", "--out", runs,
            "--pretrained", pretrained,
        )  # fmt: skip
        assert done.status == 0, done.err
    (folder,) = runs.glob("drawn-student-*")
    return folder


def predictions(run: Path) -> list[Path]:
    """Return the folders of the two teachers' predictions, in their order."""
    names = (run / "distillation-targets.txt").read_text().split()
    folders = [run.parent / name for name in names]
    assert sorted(folders) == sorted(run.parent.glob("predictions-*"))
    return folders


def test_a_teacher_that_is_not_trained_is_named(
    configs: Path, ham10000: Path, tmp_path: Path, command: Callable[..., Done]
) -> None:
    done = command(
        "train", "--ham10000", ham10000, "--config", configs / "student.toml", "--out", tmp_path
    )
    assert done.status == 2
    assert f"dermascope-build train --config {configs / 'teacher.toml'}" in done.err


def test_predictions_are_the_teachers_own_for_the_very_same_images(
    taught: Path, configs: Path, ham10000: Path
) -> None:
    from build_host.datasets.sources import DataFolders
    from build_host.pipeline.workspace import find_teachers, open_run, training_data
    from build_host.training import augmentation
    from build_host.training.architectures import build_network
    from build_host.training.distillation_targets import draw_view, predictions_path, read_epoch
    from build_host.training.input_pipeline import epoch_priors

    config = open_run(RunFolder(taught)).config
    dataset, split = training_data(config, DataFolders({"ham10000": ham10000}))
    from build_host.datasets.image_cache import load_examples

    examples = load_examples(dataset, split, config.input, (150, 200), taught.parent / "cache")
    teacher, _ = find_teachers(config, configs, taught.parent)
    own, other = predictions(taught)
    network = build_network(teacher.config)
    network.load_weights(teacher.folder.weights)
    rows, parameters = draw_view(config, examples, 1)
    first = np.load(predictions_path(own, 1))
    assert set(rows) <= set(split.train)
    # The noise is drawn batch by batch: the teacher's batches were of 32.
    pixels = augmentation.augment(
        examples.frames[rows[:32]], parameters[:32], 32, 32, True, np.array([0, 0], np.int64)
    )
    logits = network(pixels / 255.0).numpy().astype(float)
    (prior,) = epoch_priors(teacher.config.fit, examples.labels, examples.sources, split.train)
    logits -= 0.5 * np.log(prior)
    powers = np.exp(logits)
    np.testing.assert_allclose(first[:32], powers / powers.sum(axis=1, keepdims=True), atol=1e-4)
    # The views begin again after two epochs; a target weighs the diagnosis and both predictions.
    again, epoch = read_epoch(config, examples, [own, other], 3)
    np.testing.assert_array_equal(again, rows)
    np.testing.assert_array_equal(epoch.parameters, parameters)
    second = np.load(predictions_path(other, 1))
    (prior,) = epoch_priors(config.fit, examples.labels, examples.sources, split.train)
    both = (first + second) / 2 * prior
    truth = np.eye(7)[examples.labels[rows]]
    wanted = 0.75 * both / both.sum(axis=1, keepdims=True) + 0.25 * truth
    np.testing.assert_allclose(epoch.targets, wanted, atol=1e-6)


def test_predictions_belong_to_one_teacher_and_to_what_it_was_distilled_from(
    taught: Path, configs: Path, ham10000: Path, tmp_path: Path
) -> None:
    from build_host.datasets.sources import DataFolders
    from build_host.pipeline.workspace import (
        Run,
        find_teachers,
        open_run,
        prediction_folders,
        training_data,
    )

    config = open_run(RunFolder(taught)).config
    dataset, split = training_data(config, DataFolders({"ham10000": ham10000}))
    one, two = find_teachers(config, configs, taught.parent)
    own, other = (folder.name for folder in predictions(taught))

    def named(run: str, *teachers: Run) -> list[str]:
        started = Run(RunFolder(tmp_path / run), config)
        return [f.name for f in prediction_folders(started, teachers, dataset, split)]

    assert named("alone", one) == [own]
    assert named("turned", two, one) == [other, own]
    # A run does not change its teachers when it is resumed.
    assert named("alone", one) == [own]
    with pytest.raises(DataError, match="other teachers"):
        named("alone", two)
    # Other training images are other views.
    fewer = replace(split, train=split.train[1:])
    (of_fewer,) = prediction_folders(
        Run(RunFolder(tmp_path / "few"), config), (one,), dataset, fewer
    )
    assert of_fewer.name != own
    # A teacher of the same settings that learned from others is another teacher.
    (tmp_path / "pupil").mkdir()
    pupil = Run(RunFolder(tmp_path / "pupil"), one.config)
    assert named("untaught", pupil) == [own]
    pupil.folder.distillation_targets.write_text("predictions-0\npredictions-1")
    (first,) = named("taught", pupil)
    pupil.folder.distillation_targets.write_text("predictions-0\npredictions-2")
    (second,) = named("taught-otherwise", pupil)
    assert len({own, first, second}) == 3


def test_predictions_are_made_once(
    taught: Path,
    configs: Path,
    ham10000: Path,
    pretrained: Path,
    command: Callable[..., Done],
) -> None:
    before = {p: p.stat().st_mtime_ns for p in taught.parent.rglob("view-*.npy")}
    assert len(before) == 4
    done = command(
        "train", "--ham10000", ham10000, "--config", configs / "student.toml",
        "--out", taught.parent, "--pretrained", pretrained,
    )  # fmt: skip
    assert done.status == 0, done.err
    assert {p: p.stat().st_mtime_ns for p in taught.parent.rglob("view-*.npy")} == before


def test_the_student_ships_with_its_map_and_the_device_shows_it(
    taught: Path,
    ham10000: Path,
    trusted_key: str,
    command: Callable[..., Done],
    tmp_path: Path,
) -> None:
    from device.frame import frame_now
    from device.inference.analyzer import Analyzer

    for name in ("compress", "evaluate"):
        done = command(name, "--ham10000", ham10000, taught)
        assert done.status == 0, done.err
    done = command("bundle", taught, "--models", tmp_path)
    assert done.status == 0, done.err
    bundle = load_bundle(tmp_path / "drawn-student", [trusted_key])
    picture = np.random.default_rng(0).integers(0, 256, (150, 200, 3)).astype(np.uint8)
    finding = Analyzer(bundle).analyze(frame_now(picture, 0, "test"))
    assert finding.saliency is not None
    assert finding.saliency.method == "class-activation-map"
    assert finding.saliency.values.shape == (4, 4)
    assert bundle.manifest.live.abstention.score == "distance"
    assert bundle.manifest.live.outputs.whitened is not None
    captured = Analyzer(bundle).explain(frame_now(picture, 0, "test"), Code.MEL, as_captured=True)
    assert captured.method == "rise"
    for model in (bundle.live_model, (taught / "float.tflite").read_bytes()):
        (head,) = [w for w in weights_of(model) if w.shape == (48, 1, 1, 112)]
        assert (head == 0).mean() >= 0.5
        assert (head != 0).any(axis=(1, 2, 3)).all()


def weights_of(model: bytes) -> list[np.ndarray]:
    interpreter = installed_runtime().load(model, 1)
    read = []
    for details in interpreter.get_tensor_details():
        # What the network computes cannot be read before it has run.
        with contextlib.suppress(ValueError):
            read.append(interpreter.get_tensor(details["index"]))
    return read


def test_extra_images_are_asked_for_by_name(
    configs: Path, ham10000: Path, tmp_path: Path, command: Callable[..., Done]
) -> None:
    path = tmp_path / "more.toml"
    path.write_text(TEACHER.replace("seed = 3", 'seed = 3\nsources = ["ham10000", "isic-2017"]'))
    done = command("train", "--ham10000", ham10000, "--config", path, "--out", tmp_path)
    assert done.status == 2
    assert "--isic2017" in done.err


def test_extra_images_are_trained_on_and_neither_validate_nor_test(
    ham10000: Path, tmp_path: Path
) -> None:
    from build_host.datasets.sources import DataFolders
    from build_host.pipeline.workspace import training_data
    from build_host.training.config import read_run_config
    from tests.build_host.datasets.test_isic2017 import made

    path = tmp_path / "more.toml"
    path.write_text(TEACHER.replace("seed = 3", 'seed = 3\nsources = ["ham10000", "isic-2017"]'))
    dataset, split = training_data(
        read_run_config(path), DataFolders({"ham10000": ham10000, "isic-2017": made(tmp_path)})
    )
    added = {i for i, r in enumerate(dataset.records) if r.image_id < "ISIC_0024306"}
    assert len(added) == 2
    assert added <= set(split.train)
    assert not added & {*split.validation, *split.test}
    with pytest.raises(DataError, match="isic2017"):
        training_data(read_run_config(path), DataFolders({"ham10000": ham10000}))
