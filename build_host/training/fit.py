"""Fitting a network: resumable after every epoch."""

import contextlib
import math
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from sklearn.metrics import balanced_accuracy_score

from build_host.datasets.image_cache import Examples
from build_host.keras import keras, tf
from build_host.training.config import FitConfig, PlateauConfig, RunConfig
from build_host.training.distillation_targets import read_lesson
from build_host.training.distribution import divided, own_folder
from build_host.training.history import Epoch, read_history, write_history
from build_host.training.input_pipeline import batches, shown_indices, shown_prior, steps_per_epoch
from device.diagnoses import CODES

WEIGHTS: Final = "weights.h5"


def fit(
    config: RunConfig,
    model: keras.Model,
    examples: Examples,
    run: Path,
    console: Console,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    lessons: Sequence[Path] = (),
) -> list[Epoch]:
    """Fit a network and leave it with the weights that the run keeps.

    After every epoch the weights, the optimizer's state and the history are on disk; a run that
    was killed goes on after the last whole epoch.

    Parameters
    ----------
    model
        Changed in place; built in the scope of the strategy that is to fit it.
    run
        The run's folder: ``weights.h5``, ``history.json`` and ``checkpoint/`` are written to it.
    callbacks
        Keras callbacks, such as those of pruning.
    lessons
        For each teacher of the run, the folder of what it said: see
        `build_host.training.distillation_targets`.
    """
    settings = config.fit
    strategy = model.distribute_strategy
    own = own_folder(run, strategy)
    prior = shown_prior(settings, examples.labels, examples.split.train)
    with strategy.scope():
        optimizer = _optimizer(settings)
        # Named "accuracy", it would be made in the first step, and Keras trace every step twice.
        accuracy = keras.metrics.CategoricalAccuracy("accuracy")
        model.compile(optimizer, _loss(settings, prior), metrics=[accuracy])
        optimizer.build(model.trainable_variables)
    # What only one worker judges must not wait for the others.
    alone = model if settings.distribution == "none" else keras.models.clone_model(model)
    average = RunningAverage(model, settings.average) if settings.average else None
    tracked = {"average": average.checkpoint} if average else {}
    checkpoint = tf.train.Checkpoint(model=model, optimizer=optimizer, **tracked)
    history = _restore(run, checkpoint)
    manager = tf.train.CheckpointManager(checkpoint, str(own / "checkpoint"), max_to_keep=2)
    if history and len(history) < settings.epochs:
        console.print(f"Going on after epoch {len(history)} of {settings.epochs}")
    shown = len(shown_indices(settings, examples.labels, examples.split.train, config.seed))
    steps = steps_per_epoch(settings, shown)
    with Progress(*_COLUMNS, console=console) as progress:
        for number in range(len(history), settings.epochs):
            task = progress.add_task("", total=steps, epoch=number + 1, loss=float("nan"))
            rate = _Rate(settings, history, steps)
            extra = [average] if average else []
            fitted = model.fit(
                divided(_epoch_data(config, examples, number, lessons)),
                verbose=0,
                callbacks=[rate, *callbacks, *extra, _Bar(progress, task)],
            )
            with average.in_place() if average else contextlib.nullcontext():
                if alone is not model:
                    alone.set_weights(model.get_weights())
                epoch = _judge(config, alone, examples, rate.last, fitted.history)
                history.append(epoch)
                _keep(own, settings, alone, history)
            manager.save(checkpoint_number=len(history))
            write_history(own, history)
            progress.remove_task(task)
            console.print(
                f"Epoch {number + 1:>3}/{settings.epochs}  rate {rate.last:.1e}  "
                f"loss {epoch.loss:.3f}  validation: loss {epoch.validation_loss:.3f}, "
                f"accuracy {epoch.validation_accuracy:.3f}, "
                f"balanced {epoch.validation_balanced_accuracy:.3f}"
            )
    model.load_weights(run / WEIGHTS)
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


def _loss(settings: FitConfig, prior: NDArray[np.float64]) -> Callable[..., tf.Tensor]:
    adjustment = (settings.prior_adjustment * np.log(prior)).astype(np.float32)
    smoothing = settings.label_smoothing

    def loss(truth: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
        aim = truth * (1.0 - smoothing) + smoothing / len(CODES)
        return tf.nn.softmax_cross_entropy_with_logits(aim, logits + adjustment)

    return loss


def _epoch_data(
    config: RunConfig, examples: Examples, epoch: int, lessons: Sequence[Path]
) -> tf.data.Dataset:
    settings = config.fit
    lesson = None
    if lessons:
        shown, lesson = read_lesson(config, examples, lessons, epoch)
    else:
        shown = shown_indices(settings, examples.labels, examples.split.train, config.seed, epoch)
    return batches(
        examples.frames if settings.augmentation else examples.images,
        examples.labels,
        shown,
        config.input,
        settings.batch,
        config.seed + epoch,
        settings.augmentation,
        lesson,
        settings.mixup,
    )


class RunningAverage(keras.callbacks.Callback):
    """Keeps a running average of all weights, batch statistics included.

    Parameters
    ----------
    model
        Whose weights are averaged.
    decay
        Weight of the past at each step; less in the first steps, when the past is short.
    """

    def __init__(self, model: keras.Model, decay: float) -> None:
        super().__init__()
        self._weights = model.weights
        self._decay = decay
        self._steps = tf.Variable(0.0, trainable=False)
        self._average = [tf.Variable(w, trainable=False) for w in self._weights]
        self.checkpoint = tf.train.Checkpoint(steps=self._steps, average=self._average)
        self._update = tf.function(self._move)

    def _move(self) -> None:
        self._steps.assign_add(1.0)
        decay = tf.minimum(self._decay, (1.0 + self._steps) / (10.0 + self._steps))
        for average, weight in zip(self._average, self._weights, strict=True):
            average.assign_add((1.0 - decay) * (weight - average))

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        """Take the step's weights in."""
        self._update()

    @contextlib.contextmanager
    def in_place(self) -> Iterator[None]:
        """Put the average in the weights' place for a while."""
        raw = [w.numpy() for w in self._weights]
        for weight, average in zip(self._weights, self._average, strict=True):
            weight.assign(average)
        try:
            yield
        finally:
            for weight, value in zip(self._weights, raw, strict=True):
                weight.assign(value)


def learning_rate(history: list[Epoch], start: float, plateau: PlateauConfig) -> float:
    """Return the next epoch's rate, as Keras's ReduceLROnPlateau on the validation loss has it.

    A function of the history alone, so that a resumed run goes on as if never interrupted.
    """
    rate, best, waited = start, np.inf, 0
    for epoch in history:
        # Keras's own min_delta.
        if epoch.validation_loss < best - 1e-4:
            best, waited = epoch.validation_loss, 0
            continue
        waited += 1
        if waited >= plateau.patience and rate > plateau.floor:
            rate, waited = max(rate * plateau.factor, plateau.floor), 0
    return rate


class _Rate(keras.callbacks.Callback):
    """Sets the learning rate: of the epoch, or step by step along the cosine."""

    def __init__(self, settings: FitConfig, history: list[Epoch], steps: int) -> None:
        super().__init__()
        self._settings = settings
        self._steps = steps
        self._done = len(history) * steps
        self.last = learning_rate(history, settings.learning_rate, settings.plateau)

    def on_train_batch_begin(self, batch: int, logs: dict[str, float] | None = None) -> None:
        if self._settings.schedule == "cosine":
            self.last = cosine_rate(self._settings, (self._done + batch) / self._steps)
        if batch == 0 or self._settings.schedule == "cosine":
            self.model.optimizer.learning_rate.assign(self.last)


def cosine_rate(settings: FitConfig, epochs_done: float) -> float:
    """Return the rate of the cosine schedule after so many (parts of) epochs."""
    if epochs_done < settings.warmup:
        return settings.learning_rate * epochs_done / settings.warmup
    left = settings.epochs - settings.warmup
    along = min(1.0, (epochs_done - settings.warmup) / left) if left > 0 else 1.0
    return settings.learning_rate * 0.5 * (1.0 + math.cos(math.pi * along))


class _Bar(keras.callbacks.Callback):
    """Moves the progress bar."""

    def __init__(self, progress: Progress, task: object) -> None:
        super().__init__()
        self._progress = progress
        self._task = task

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        loss = (logs or {}).get("loss", float("nan"))
        self._progress.update(self._task, completed=batch + 1, loss=loss)


def _judge(
    config: RunConfig,
    model: keras.Model,
    examples: Examples,
    rate: float,
    fitted: dict[str, list[float]],
) -> Epoch:
    chosen = examples.split.validation
    data = batches(examples.images, examples.labels, chosen, config.input, config.fit.batch)
    logits = model.predict(data, verbose=0).astype(np.float64)
    truth = examples.labels[chosen]
    log_norm = np.logaddexp.reduce(logits, axis=1)
    called = logits.argmax(axis=1)
    return Epoch(
        learning_rate=rate,
        loss=float(fitted["loss"][0]),
        accuracy=float(fitted["accuracy"][0]),
        validation_loss=float((log_norm - logits[np.arange(len(truth)), truth]).mean()),
        validation_accuracy=float((called == truth).mean()),
        validation_balanced_accuracy=float(balanced_accuracy_score(truth, called)),
    )


def _keep(run: Path, settings: FitConfig, model: keras.Model, history: list[Epoch]) -> None:
    scores = [e.validation_balanced_accuracy for e in history]
    if settings.keep == "last" or scores[-1] >= max(scores):
        # Keras tells the format by the ending.
        part = run / f"part-{WEIGHTS}"
        model.save_weights(part)
        part.replace(run / WEIGHTS)


def _restore(run: Path, checkpoint: tf.train.Checkpoint) -> list[Epoch]:
    history = read_history(run)
    # The history is written last, so the checkpoint of its last epoch is whole.
    wanted = run / "checkpoint" / f"ckpt-{len(history)}"
    if not wanted.with_name(f"{wanted.name}.index").is_file():
        shutil.rmtree(run / "checkpoint", ignore_errors=True)
        return []
    checkpoint.restore(str(wanted)).assert_existing_objects_matched()
    return history
