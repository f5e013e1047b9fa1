"""The exponential moving average (EMA) of a network's weights."""

import contextlib
from collections.abc import Iterator

from build_host.keras import keras, tf


class WeightAverage(keras.callbacks.Callback):  # type: ignore[misc]  # Keras is untyped
    """Keeps the moving average of all weights, batch normalization statistics included.

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
        """Update the average with the step's weights."""
        self._update()

    @contextlib.contextmanager
    def in_place(self) -> Iterator[None]:
        """Give the model the averaged weights for the length of a ``with`` block."""
        raw = [w.numpy() for w in self._weights]
        for weight, average in zip(self._weights, self._average, strict=True):
            weight.assign(average)
        try:
            yield
        finally:
            for weight, value in zip(self._weights, raw, strict=True):
                weight.assign(value)
