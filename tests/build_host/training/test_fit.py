import dataclasses
import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import pytest
from rich.console import Console

from build_host.datasets.image_cache import Examples
from build_host.datasets.split import Split
from build_host.run_folder import RunFolder
from build_host.training.config import (
    AugmentationConfig,
    PlateauConfig,
    RunConfig,
    read_run_config,
)
from tests.build_host.conftest import Done, Stage

pytestmark = pytest.mark.tensorflow

ROOT = Path(__file__).parents[3]


def history_of(run: Path) -> list[dict[str, float]]:
    path = run / "history.json"
    return json.loads(path.read_bytes()) if path.exists() else []


def made_up_examples(side: int = 16) -> Examples:
    """Three images of each diagnosis for each part, each diagnosis of its own grey."""
    random = np.random.default_rng(0)
    labels = np.tile(np.arange(7), 9)
    images = (labels * 30)[:, None, None, None] + random.integers(0, 40, (63, side, side, 3))
    parts = np.split(np.arange(63), 3)
    pixels = images.astype(np.uint8)
    return Examples(pixels, pixels, labels, np.zeros(63, np.int64), Split(*parts))


def small_run(tmp_path: Path, write_config: Callable[..., Path], **fit: object) -> RunConfig:
    config = read_run_config(write_config(tmp_path, side=16))
    changes = {"epochs": 2, "batch": 16, "balance": "none"} | fit
    return msgspec.structs.replace(config, fit=msgspec.structs.replace(config.fit, **changes))


def tiny_network():
    from build_host.keras import keras

    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((16, 16, 3)),
            layers.AveragePooling2D(4),
            layers.Flatten(),
            layers.Dense(24, activation="relu"),
            layers.BatchNormalization(momentum=0.5),
            layers.Dropout(0.1),
            layers.Dense(7),
        ]
    )


def fitted(config: RunConfig, examples: Examples, run: Path):
    from build_host.keras import keras
    from build_host.training.fit import fit

    keras.utils.set_random_seed(config.seed)
    model = tiny_network()
    return model, fit(config, model, examples, RunFolder(run), Console(quiet=True))


def scores(model, config: RunConfig, examples: Examples) -> tuple[float, float, float]:
    """Return loss, accuracy and balanced accuracy on the validation part, by hand."""
    from device.imaging.preprocessing import scale_pixels

    rows = examples.split.validation
    logits = model.predict(scale_pixels(examples.images[rows], config.input), verbose=0).astype(
        float
    )
    truth, called = examples.labels[rows], logits.argmax(axis=1)
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    own = (powers / powers.sum(axis=1, keepdims=True))[np.arange(len(rows)), truth]
    recalls = [(called[truth == c] == c).mean() for c in range(7)]
    return float(-np.log(own).mean()), float((called == truth).mean()), float(np.mean(recalls))


def optimizer_steps(run: Path, epoch: int) -> int:
    from build_host.keras import tf

    reader = tf.train.load_checkpoint(str(run / "checkpoint" / f"ckpt-{epoch}"))
    (name,) = (n for n in reader.get_variable_to_shape_map() if "optimizer/_iterations" in n)
    return int(reader.get_tensor(name))


@pytest.mark.parametrize("keep", ["best-balanced-accuracy", "last"])
@pytest.mark.parametrize("average", [0.0, 0.5])
def test_the_history_says_what_was_and_the_kept_weights_are_the_asked_ones(
    tmp_path: Path, write_config: Callable[..., Path], keep: str, average: float
) -> None:
    examples = made_up_examples()
    # The more is learned, the worse it gets: the best epoch is not the last.
    labels = examples.labels.copy()
    validation = examples.split.validation
    labels[validation] = (labels[validation] + 1) % 7
    contrary = dataclasses.replace(examples, labels=labels)
    config = small_run(
        tmp_path, write_config, epochs=8, batch=4, keep=keep, average=average, learning_rate=0.02
    )
    model, history = fitted(config, contrary, tmp_path / "run")
    assert len(history) == 8
    assert [msgspec.to_builtins(e) for e in history] == history_of(tmp_path / "run")
    best = [e.validation_balanced_accuracy for e in history]
    assert max(best) > best[-1]
    # Of equal ones the later is kept.
    kept = history[-1] if keep == "last" else history[7 - int(np.argmax(best[::-1]))]
    loss, accuracy, balanced = scores(model, config, contrary)
    assert balanced == pytest.approx(kept.validation_balanced_accuracy)
    assert accuracy == pytest.approx(kept.validation_accuracy)
    assert loss == pytest.approx(kept.validation_loss, rel=1e-3)


def test_adamw_shrinks_kernels_and_leaves_biases_and_norms_alone(
    tmp_path: Path, write_config: Callable[..., Path]
) -> None:
    from build_host.keras import keras

    config = small_run(
        tmp_path, write_config, epochs=1, optimizer="adamw", weight_decay=100.0, learning_rate=1e-3
    )
    keras.utils.set_random_seed(config.seed)
    before = {weight.name: weight.numpy() for weight in tiny_network().trainable_variables}
    model, _ = fitted(config, made_up_examples(), tmp_path / "run")
    # Two steps, each of which takes off a tenth, and adds no more than a step's length.
    for weight, was in zip(model.trainable_variables, before.values(), strict=True):
        kept = 0.9**2 if "kernel" in weight.name else 1.0
        np.testing.assert_allclose(weight.numpy(), kept * was, atol=3e-3)


def test_a_step_is_traced_once_for_all_epochs(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, write_config: Callable[..., Path]
) -> None:
    from build_host.keras import keras

    step, traced = keras.Model.train_step, []
    monkeypatch.setattr(
        keras.Model, "train_step", lambda model, data: traced.append(model) or step(model, data)
    )
    fitted(small_run(tmp_path, write_config), made_up_examples(), tmp_path / "run")
    assert len(traced) == 1


def test_the_test_part_is_not_looked_at(tmp_path: Path, write_config: Callable[..., Path]) -> None:
    examples = made_up_examples()
    # Looked up, such a label would be out of range.
    labels = examples.labels.copy()
    labels[examples.split.test] = 10**6
    blind = dataclasses.replace(examples, labels=labels)
    _, history = fitted(small_run(tmp_path, write_config, epochs=1), blind, tmp_path / "run")
    assert len(history) == 1


def test_a_finished_run_is_not_fitted_again(
    tmp_path: Path, write_config: Callable[..., Path]
) -> None:
    config = small_run(tmp_path, write_config, epochs=1)
    run = tmp_path / "run"
    model, history = fitted(config, made_up_examples(), run)
    before = {p.name: p.read_bytes() for p in run.iterdir() if p.is_file()}
    again, same = fitted(config, made_up_examples(), run)
    assert same == history
    assert {p.name: p.read_bytes() for p in run.iterdir() if p.is_file()} == before
    for one, other in zip(model.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("average", [0.0, 0.9])
def test_an_epoch_that_was_saved_but_not_written_down_is_fitted_again_from_its_start(
    tmp_path: Path, write_config: Callable[..., Path], average: float
) -> None:
    config = small_run(tmp_path, write_config, epochs=3, average=average)
    run = tmp_path / "run"
    fitted(config, made_up_examples(), run)
    whole = history_of(run)
    # Killed between the checkpoint of epoch 3 and its line in the history.
    (run / "history.json").write_text(json.dumps(whole[:2]))
    _, history = fitted(config, made_up_examples(), run)
    assert [msgspec.to_builtins(e) for e in history[:2]] == whole[:2]
    assert len(history) == 3
    # 21 images in batches of 16: two steps an epoch, and none of them twice.
    assert optimizer_steps(run, 3) == 6


def test_without_its_checkpoint_a_run_starts_over(
    tmp_path: Path, write_config: Callable[..., Path]
) -> None:
    config = small_run(tmp_path, write_config)
    run = tmp_path / "run"
    fitted(config, made_up_examples(), run)
    shutil.rmtree(run / "checkpoint")
    _, history = fitted(config, made_up_examples(), run)
    assert len(history) == len(history_of(run)) == 2
    assert optimizer_steps(run, 2) == 4


def test_a_run_that_diverges_can_be_read_again(
    tmp_path: Path, write_config: Callable[..., Path]
) -> None:
    from build_host.training.history import read_history

    run = tmp_path / "run"
    config = small_run(tmp_path, write_config, epochs=1, learning_rate=1e30)
    with np.errstate(all="ignore"):
        _, history = fitted(config, made_up_examples(), run)
    assert not np.isfinite(history[0].validation_loss)
    again = read_history(RunFolder(run))
    assert len(again) == 1
    assert not np.isfinite(again[0].validation_loss)


def test_training_leaves_weights_and_the_history_of_every_epoch(trained: Stage) -> None:
    history = history_of(trained.folder)
    assert len(history) == 2
    assert (trained.folder / "weights.h5").stat().st_size > 1_000_000
    assert f"Run: {trained.folder}" in trained.printed
    for number, epoch in enumerate(history, start=1):
        assert f"Epoch   {number}/2" in trained.printed
        assert f"balanced {epoch['validation_balanced_accuracy']:.3f}" in trained.printed


def in_the_middle_of_epoch(number: int, act: Callable[[], object]) -> Callable[..., object]:
    """Return Keras's fit, acting in the second step of its `number`-th call: one is an epoch."""
    from build_host.keras import keras

    fit, calls = keras.Model.fit, []

    def changed(model, *given, callbacks, **named):
        calls.append(model)

        def at_a_step(step: int, logs: object) -> None:
            if (len(calls), step) == (number, 1):
                act()

        acting = keras.callbacks.LambdaCallback(on_batch_end=at_a_step)
        return fit(model, *given, callbacks=[*callbacks, acting], **named)

    return changed


KILLED = """
import os, signal, sys
from build_host.cli import main
from build_host.datasets import separation
from build_host.keras import keras
from tests.build_host.training.test_fit import in_the_middle_of_epoch

# As in conftest: the drawn lesions of a diagnosis are taken for one another.
separation.find_look_alikes = lambda *_: []
keras.Model.fit = in_the_middle_of_epoch(2, lambda: os.kill(os.getpid(), signal.SIGKILL))
sys.exit(main())
"""

EPOCHS = 4


def test_a_killed_run_goes_on_after_its_last_whole_epoch(
    ham10000: Path,
    tmp_path: Path,
    write_config: Callable[..., Path],
    command: Callable[..., Done],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from build_host.keras import keras

    config = write_config(tmp_path, epochs=EPOCHS, side=16)
    out = tmp_path / "runs"
    arguments = ["train", "--ham10000", str(ham10000), "--config", str(config), "--out", str(out)]

    killed = subprocess.run(
        [sys.executable, "-c", KILLED, *arguments],
        check=False,
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert killed.returncode == -signal.SIGKILL, killed.stdout + killed.stderr
    (run,) = out.glob("drawn-28-*")
    first = history_of(run)
    assert len(first) == 1

    # A shell that starts the tests in the background has all of them ignore an interrupt.
    handler = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with monkeypatch.context() as patch:
            interrupt = in_the_middle_of_epoch(2, lambda: signal.raise_signal(signal.SIGINT))
            patch.setattr(keras.Model, "fit", interrupt)
            stopped = command(*arguments)
    finally:
        signal.signal(signal.SIGINT, handler)
    assert stopped.status == 130, stopped.out + stopped.err
    assert stopped.err == "dermascope-build: stopped; the same command resumes from here\n"
    assert f"Resuming after epoch 1 of {EPOCHS}" in stopped.out
    assert f"Epoch   1/{EPOCHS}" not in stopped.out
    second = history_of(run)
    assert len(second) == 2
    assert second[:1] == first

    done = command(*arguments)
    assert done.status == 0, done.err
    assert f"Resuming after epoch 2 of {EPOCHS}" in done.out
    assert len(history_of(run)) == EPOCHS
    assert history_of(run)[:2] == second
    # 98 images in batches of 32, and no step of any epoch lost or taken twice.
    assert optimizer_steps(run, EPOCHS) == EPOCHS * 4


def test_two_runs_of_one_seed_give_the_same_bytes(
    tmp_path: Path, write_config: Callable[..., Path]
) -> None:
    config = small_run(tmp_path, write_config, augmentation=AugmentationConfig(blur=0.5))
    first, second = (
        fitted(config, made_up_examples(), tmp_path / name)[0].get_weights() for name in "ab"
    )
    assert [w.tobytes() for w in first] == [w.tobytes() for w in second]


def two_clinics() -> Examples:
    """Return pictures that tell nothing but the clinic, whose mixes of diagnoses differ.

    The first, with dark pictures, sees 60 naevi and 15 melanomas, and one of each other; the
    second, with bright ones, the reverse. The validation part has one of each.
    """
    mixes = np.ones((2, 7), int)
    mixes[0, [5, 4]] = mixes[1, [4, 5]] = 60, 15
    labels = np.tile(np.arange(7), 2).repeat(mixes.ravel())
    sources = np.array([0, 1]).repeat(mixes.sum(axis=1))
    random = np.random.default_rng(0)
    order = random.permutation(len(labels))
    labels, sources = np.append(labels[order], range(7)), np.append(sources[order], [0] * 7)
    grey = np.array([60, 190])[sources][:, None, None, None]
    images = (grey + random.integers(-20, 20, (len(labels), 16, 16, 3))).astype(np.uint8)
    rows = np.arange(len(labels))
    return Examples(images, images, labels, sources, Split(rows[:-7], rows[-7:], rows[-7:]))


@pytest.mark.parametrize("adjustment", [0.0, 0.5, 1.0])
def test_the_loss_tells_a_network_how_often_each_clinic_sees_a_diagnosis(
    tmp_path: Path, write_config: Callable[..., Path], adjustment: float
) -> None:
    from build_host.keras import keras
    from build_host.training.fit import fit
    from build_host.training.input_pipeline import epoch_priors

    config = small_run(
        tmp_path, write_config, epochs=1, learning_rate=1e-9, prior_adjustment=adjustment, batch=10
    )
    examples = two_clinics()
    # A network that says nothing: what is left is what it is told.
    silent = keras.Sequential(
        [
            keras.Input((16, 16, 3)),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(7, kernel_initializer="zeros"),
        ]
    )
    run = RunFolder(tmp_path / "run")
    (epoch,) = fit(config, silent, examples, run, Console(quiet=True))
    train = examples.split.train
    priors = epoch_priors(config.fit, examples.labels, examples.sources, train)
    told = priors**adjustment / (priors**adjustment).sum(axis=1, keepdims=True)
    expected = -np.log(told[examples.sources[train], examples.labels[train]]).mean()
    assert epoch.loss == pytest.approx(expected, rel=1e-4)
    # When it is used there is no clinic to tell it anything.
    assert epoch.validation_loss == pytest.approx(np.log(7), rel=1e-4)


@pytest.mark.parametrize("adjustment", [0.0, 1.0])
def test_a_network_that_is_told_the_mixes_has_no_use_for_guessing_the_clinic(
    tmp_path: Path, write_config: Callable[..., Path], adjustment: float
) -> None:
    from build_host.keras import keras
    from build_host.training.fit import fit
    from device.imaging.preprocessing import scale_pixels

    config = small_run(
        tmp_path,
        write_config,
        epochs=12,
        learning_rate=0.3,
        plateau=PlateauConfig(patience=20),
        prior_adjustment=adjustment,
        keep="last",
    )
    examples = two_clinics()
    keras.utils.set_random_seed(1)
    network = keras.Sequential(
        [
            keras.Input((16, 16, 3)),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(7),
        ]
    )
    fit(config, network, examples, RunFolder(tmp_path / "run"), Console(quiet=True))
    logits = network(scale_pixels(examples.images, config.input)).numpy()
    naevus = logits[:, 5] - logits[:, 4]
    dark, bright = (naevus[examples.sources == source].mean() for source in (0, 1))
    # Each clinic sees four times as many of one as of the other.
    if adjustment:
        assert abs(dark - bright) < 0.7
    else:
        assert dark - bright == pytest.approx(2 * np.log(4), abs=0.7)
