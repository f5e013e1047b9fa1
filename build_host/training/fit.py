"""Training a network: the loop over epochs, resumable after each of them."""

import contextlib
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import numpy as np
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)
from sklearn.metrics import balanced_accuracy_score

from build_host.datasets.image_cache import Examples
from build_host.files import replacing
from build_host.keras import keras, tf
from build_host.run_folder import RunFolder
from build_host.training.config import FitConfig, RunConfig
from build_host.training.distillation_targets import read_epoch
from build_host.training.distribution import shard, worker_folder
from build_host.training.estimate import describe_device, describe_duration
from build_host.training.history import Epoch, read_history, write_history
from build_host.training.input_pipeline import (
    batches,
    epoch_indices,
    epoch_priors,
    steps_per_epoch,
)
from build_host.training.learning_rate import LearningRateSchedule
from build_host.training.weight_average import WeightAverage
from device.diagnoses import CODES


def fit(
    config: RunConfig,
    model: keras.Model,
    examples: Examples,
    folder: RunFolder,
    console: Console,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    predictions: Sequence[Path] = (),
) -> list[Epoch]:
    """Train a network and leave it with the weights that the run saves.

    After every epoch the weights, the optimizer's state and the history are on disk; a run that
    was killed resumes after its last complete epoch.

    Parameters
    ----------
    model
        Changed in place; built in the scope of the strategy that is to train it.
    folder
        Weights, history and checkpoints are written to it.
    callbacks
        Keras callbacks, such as those of pruning.
    predictions
        For each teacher of the run, the folder of its predictions: see
        `build_host.training.distillation_targets`.

    Returns
    -------
    list of Epoch
        Those before a resumption included.
    """
    settings = config.fit
    strategy = model.distribute_strategy
    own = worker_folder(folder, strategy)
    with strategy.scope():
        optimizer = _optimizer(settings)
        # Given by its name, Keras creates the metric in the first step and traces every step twice.
        accuracy = keras.metrics.MeanMetricWrapper(_accuracy, "accuracy")
        model.compile(optimizer, _loss(settings), metrics=[accuracy])
        optimizer.build(model.trainable_variables)
    # Validation by a single worker must not wait for the others.
    unshared = model if settings.distribution == "none" else keras.models.clone_model(model)
    average = WeightAverage(model, settings.average) if settings.average else None
    tracked = {"average": average.checkpoint} if average else {}
    checkpoint = tf.train.Checkpoint(model=model, optimizer=optimizer, **tracked)
    history = _restore(folder, checkpoint)
    manager = tf.train.CheckpointManager(checkpoint, str(own.checkpoints), max_to_keep=2)
    if history and len(history) < settings.epochs:
        console.print(f"Resuming after epoch {len(history)} of {settings.epochs}")
    images = len(epoch_indices(settings, examples.labels, examples.split.train, config.seed))
    steps = steps_per_epoch(settings, images)
    left = steps * (settings.epochs - len(history))
    if left > 0:
        duration = describe_duration(model, settings.batch, left)
        console.print(f"{duration}, {describe_device()}", soft_wrap=True)
    with Progress(*_COLUMNS, console=console) as progress:
        for number in range(len(history), settings.epochs):
            task = progress.add_task("", total=steps, epoch=number + 1, loss=float("nan"))
            schedule = LearningRateSchedule(settings, history, steps)
            extra = [average] if average else []
            fitted = model.fit(
                shard(_epoch_data(config, examples, number, predictions)),
                verbose=0,
                callbacks=[schedule, *callbacks, *extra, _ProgressBar(progress, task)],
            )
            with average.in_place() if average else contextlib.nullcontext():
                if unshared is not model:
                    unshared.set_weights(model.get_weights())
                epoch = _validate(config, unshared, examples, schedule.last, fitted.history)
                history.append(epoch)
                _save_weights(own, settings, unshared, history)
            manager.save(checkpoint_number=len(history))
            write_history(own, history)
            progress.remove_task(task)
            console.print(
                f"Epoch {number + 1:>3}/{settings.epochs}  rate {schedule.last:.1e}  "
                f"loss {epoch.loss:.3f}  validation: loss {epoch.validation_loss:.3f}, "
                f"accuracy {epoch.validation_accuracy:.3f}, "
                f"balanced {epoch.validation_balanced_accuracy:.3f}"
            )
    model.load_weights(folder.weights)
    return history


_COLUMNS: Final = (
    TextColumn("Epoch {task.fields[epoch]:>3}"),
    BarColumn(),
    MofNCompleteColumn(),
    TimeRemainingColumn(),
    TextColumn("loss {task.fields[loss]:.3f}"),
)


def _optimizer(settings: FitConfig) -> keras.optimizers.Optimizer:
    if settings.optimizer == "adam":
        return keras.optimizers.Adam(settings.learning_rate)
    optimizer = keras.optimizers.AdamW(
        settings.learning_rate, weight_decay=settings.weight_decay, clipnorm=5.0
    )
    optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    return optimizer


def _loss(settings: FitConfig) -> Callable[..., tf.Tensor]:
    smoothing = settings.label_smoothing

    def loss(given: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
        truth, adjustment = tf.split(given, 2, axis=1)
        smoothed = truth * (1.0 - smoothing) + smoothing / len(CODES)
        return tf.nn.softmax_cross_entropy_with_logits(smoothed, logits + adjustment)

    return loss


def _accuracy(given: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    return keras.metrics.categorical_accuracy(given[:, : len(CODES)], logits)


def _epoch_data(
    config: RunConfig, examples: Examples, epoch: int, predictions: Sequence[Path]
) -> tf.data.Dataset:
    settings = config.fit
    distillation = None
    if predictions:
        indices, distillation = read_epoch(config, examples, predictions, epoch)
    else:
        train = examples.split.train
        indices = epoch_indices(settings, examples.labels, train, config.seed, epoch)
    priors = epoch_priors(settings, examples.labels, examples.sources, examples.split.train)
    adjustment = settings.prior_adjustment * np.log(priors)
    return batches(
        examples.frames if settings.augmentation else examples.images,
        examples.labels,
        indices,
        config.input,
        settings.batch,
        config.seed + epoch,
        settings.augmentation,
        distillation,
        settings.mixup,
        adjustment[examples.sources[indices]].astype(np.float32),
    )


class _ProgressBar(keras.callbacks.Callback):  # type: ignore[misc]  # Keras is untyped
    """Advances the progress bar of an epoch."""

    def __init__(self, progress: Progress, task: TaskID) -> None:
        super().__init__()
        self._progress = progress
        self._task = task

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        loss = (logs or {}).get("loss", float("nan"))
        self._progress.update(self._task, completed=batch + 1, loss=loss)


def _validate(
    config: RunConfig,
    model: keras.Model,
    examples: Examples,
    rate: float,
    fitted: dict[str, list[float]],
) -> Epoch:
    rows = examples.split.validation
    data = batches(examples.images, examples.labels, rows, config.input, config.fit.batch)
    logits = model.predict(data, verbose=0).astype(np.float64)
    truth = examples.labels[rows]
    log_norm = np.logaddexp.reduce(logits, axis=1)
    predicted = logits.argmax(axis=1)
    return Epoch(
        learning_rate=rate,
        loss=float(fitted["loss"][0]),
        accuracy=float(fitted["accuracy"][0]),
        validation_loss=float((log_norm - logits[np.arange(len(truth)), truth]).mean()),
        validation_accuracy=float((predicted == truth).mean()),
        validation_balanced_accuracy=float(balanced_accuracy_score(truth, predicted)),
    )


def _save_weights(
    folder: RunFolder, settings: FitConfig, model: keras.Model, history: list[Epoch]
) -> None:
    scores = [e.validation_balanced_accuracy for e in history]
    if settings.keep == "last" or scores[-1] >= max(scores):
        with replacing(folder.weights) as part:
            model.save_weights(part)


def _restore(folder: RunFolder, checkpoint: tf.train.Checkpoint) -> list[Epoch]:
    history = read_history(folder)
    # The history is written last, so the checkpoint of its last epoch is complete.
    latest = folder.checkpoints / f"ckpt-{len(history)}"
    if not latest.with_name(f"{latest.name}.index").is_file():
        shutil.rmtree(folder.checkpoints, ignore_errors=True)
        return []
    checkpoint.restore(str(latest)).assert_existing_objects_matched()
    return history
