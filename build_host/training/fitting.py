"""Fitting a network: resumable after every epoch."""

import shutil
from pathlib import Path
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from sklearn.metrics import balanced_accuracy_score

from build_host.datasets.split import Split
from build_host.keras import keras, tf
from build_host.training.architectures import build
from build_host.training.config import PlateauConfig, RunConfig
from build_host.training.feed import balanced_indices, batches, steps_per_epoch

WEIGHTS: Final = "weights.h5"
HISTORY: Final = "history.json"


class Epoch(msgspec.Struct, frozen=True):
    """What one epoch gave; the losses are mean cross-entropies."""

    learning_rate: float
    loss: float
    accuracy: float
    validation_loss: float
    validation_accuracy: float
    validation_balanced_accuracy: float


def fit(
    config: RunConfig,
    images: NDArray[np.uint8],
    labels: NDArray[np.int64],
    split: Split,
    run: Path,
    console: Console,
) -> keras.Model:
    """Fit the run's network and return it with the weights that the run keeps.

    After every epoch the weights, the optimizer's state and the history are on disk; a run that
    was killed goes on after the last whole epoch.

    Parameters
    ----------
    images
        uint8, (n, height, width, 3): see `build_host.datasets.tensors.resized_images`.
    labels
        int64, (n,).
    split
        The test part is not looked at.
    run
        The run's folder: ``weights.h5``, ``history.json`` and ``checkpoint/`` are written to it.
    """
    keras.utils.set_random_seed(config.seed)
    model = build(config)
    optimizer = keras.optimizers.Adam(config.fit.learning_rate)
    model.compile(
        optimizer,
        keras.losses.CategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    optimizer.build(model.trainable_variables)
    checkpoint = tf.train.Checkpoint(model=model, optimizer=optimizer)
    manager = tf.train.CheckpointManager(checkpoint, str(run / "checkpoint"), max_to_keep=2)
    history = _restore(run, checkpoint, manager)
    shown = balanced_indices(labels, split.train, config.fit.balance, config.seed)
    if history:
        console.print(f"Going on after epoch {len(history)} of {config.fit.epochs}")
    columns = (
        TextColumn("Epoch {task.fields[epoch]:>3}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("loss {task.fields[loss]:.3f}"),
    )
    steps = steps_per_epoch(config.fit, len(shown))
    with Progress(*columns, console=console) as progress:
        for number in range(len(history), config.fit.epochs):
            task = progress.add_task("", total=steps, epoch=number + 1, loss=float("nan"))
            rate = learning_rate(history, config.fit.learning_rate, config.fit.plateau)
            optimizer.learning_rate.assign(rate)
            order_seed = config.seed + number
            data = batches(images, labels, shown, config.input, config.fit.batch, order_seed)
            fitted = model.fit(data, verbose=0, callbacks=[_Bar(progress, task)])
            epoch = _judge(config, model, images, labels, split, rate, fitted.history)
            progress.remove_task(task)
            history.append(epoch)
            _save(run, config, model, manager, history)
            console.print(
                f"Epoch {number + 1:>3}/{config.fit.epochs}  rate {rate:.1e}  "
                f"loss {epoch.loss:.3f}  validation: loss {epoch.validation_loss:.3f}, "
                f"accuracy {epoch.validation_accuracy:.3f}, "
                f"balanced {epoch.validation_balanced_accuracy:.3f}"
            )
    model.load_weights(run / WEIGHTS)
    return model


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
        if waited >= plateau.patience:
            rate, waited = max(rate * plateau.factor, plateau.floor), 0
    return rate


def read_history(run: Path) -> list[Epoch]:
    """Return what the epochs of a run gave so far."""
    path = run / HISTORY
    return msgspec.json.decode(path.read_bytes(), type=list[Epoch]) if path.exists() else []


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
    images: NDArray[np.uint8],
    labels: NDArray[np.int64],
    split: Split,
    rate: float,
    fitted: dict[str, list[float]],
) -> Epoch:
    data = batches(images, labels, split.validation, config.input, config.fit.batch)
    logits = model.predict(data, verbose=0)
    truth = labels[split.validation]
    log_norm = np.logaddexp.reduce(logits.astype(np.float64), axis=1)
    chosen = logits.argmax(axis=1)
    return Epoch(
        learning_rate=rate,
        loss=float(fitted["loss"][0]),
        accuracy=float(fitted["accuracy"][0]),
        validation_loss=float((log_norm - logits[np.arange(len(truth)), truth]).mean()),
        validation_accuracy=float((chosen == truth).mean()),
        validation_balanced_accuracy=float(balanced_accuracy_score(truth, chosen)),
    )


def _save(
    run: Path,
    config: RunConfig,
    model: keras.Model,
    manager: tf.train.CheckpointManager,
    history: list[Epoch],
) -> None:
    scores = [e.validation_balanced_accuracy for e in history]
    if config.fit.keep == "last" or scores[-1] >= max(scores):
        # Keras tells the format by the ending.
        part = run / f"part-{WEIGHTS}"
        model.save_weights(part)
        part.replace(run / WEIGHTS)
    manager.save(checkpoint_number=len(history))
    part = run / f"part-{HISTORY}"
    part.write_bytes(msgspec.json.format(msgspec.json.encode(history)))
    part.replace(run / HISTORY)


def _restore(
    run: Path, checkpoint: tf.train.Checkpoint, manager: tf.train.CheckpointManager
) -> list[Epoch]:
    history = read_history(run)
    # The history is written last, so the checkpoint of its last epoch is whole.
    wanted = run / "checkpoint" / f"ckpt-{len(history)}"
    if str(wanted) not in manager.checkpoints:
        shutil.rmtree(run / "checkpoint", ignore_errors=True)
        return []
    checkpoint.restore(str(wanted)).assert_existing_objects_matched()
    return history
