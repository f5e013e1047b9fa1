"""Learning rate schedules, as functions of what was done so far: resuming changes nothing."""

import math

import numpy as np

from build_host.keras import keras
from build_host.training.config import FitConfig, PlateauConfig
from build_host.training.history import Epoch


def plateau_rate(history: list[Epoch], start: float, plateau: PlateauConfig) -> float:
    """Return the next epoch's rate, as Keras's ReduceLROnPlateau on the validation loss does."""
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


def cosine_rate(settings: FitConfig, epochs_done: float) -> float:
    """Return the rate of the cosine schedule after so many epochs, which may be a fraction."""
    if epochs_done < settings.warmup:
        return settings.learning_rate * epochs_done / settings.warmup
    left = settings.epochs - settings.warmup
    progress = min(1.0, (epochs_done - settings.warmup) / left) if left > 0 else 1.0
    return settings.learning_rate * 0.5 * (1.0 + math.cos(math.pi * progress))


class LearningRateSchedule(keras.callbacks.Callback):  # type: ignore[misc]  # Keras is untyped
    """Sets the learning rate of an epoch, or of each of its steps.

    Parameters
    ----------
    history
        The epochs before this one.
    steps
        Of an epoch.

    Attributes
    ----------
    last
        The rate that was set last.
    """

    def __init__(self, settings: FitConfig, history: list[Epoch], steps: int) -> None:
        super().__init__()
        self._settings = settings
        self._steps = steps
        self._done = len(history) * steps
        self.last = plateau_rate(history, settings.learning_rate, settings.plateau)

    def on_train_batch_begin(self, batch: int, logs: dict[str, float] | None = None) -> None:
        """Set the rate of the step that begins."""
        if self._settings.schedule == "cosine":
            self.last = cosine_rate(self._settings, (self._done + batch) / self._steps)
        if batch == 0 or self._settings.schedule == "cosine":
            self.model.optimizer.learning_rate.assign(self.last)
