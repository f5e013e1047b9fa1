"""What a training run will take, and on what it runs: told before it starts."""

import os
import time
from statistics import median
from typing import Final

from build_host.keras import keras, tf

_WORTH_MEASURING: Final = 1000
_RUNS: Final = 3


def describe_device() -> str:
    """Return in a few words what TensorFlow computes on, and if it is no GPU, why."""
    names = [
        tf.config.experimental.get_device_details(gpu).get("device_name", gpu.name)
        for gpu in tf.config.list_physical_devices("GPU")
    ]
    if names:
        return f"on {', '.join(names)}"
    built = tf.sysconfig.get_build_info().get("is_cuda_build", False)
    why = "it finds none" if built else "it was built without support for one"
    cores = len(os.sched_getaffinity(0))
    return f"on the processor ({cores} cores); TensorFlow uses no GPU: {why}"


def describe_duration(model: keras.Model, batch: int, steps: int) -> str:
    """Return in a few words how long training will take, measured on a copy of the network.

    Parameters
    ----------
    batch
        Images in a batch.
    steps
        Batches that are left to train on; a few hundred are not worth measuring.
    """
    if steps < _WORTH_MEASURING:
        return f"{steps:,} steps"
    hours = steps * _seconds_per_step(model, batch) / 3600
    taken = f"{hours:.1f} hours" if hours >= 1.0 else f"{60 * hours:.0f} minutes"
    return f"{steps:,} steps, about {taken}"


def _seconds_per_step(model: keras.Model, batch: int) -> float:
    copy = keras.models.clone_model(model)
    pixels = tf.zeros((batch, *model.input_shape[1:]))

    def gradients() -> tf.Tensor:
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(copy(pixels, training=True))
        return tf.add_n([tf.reduce_sum(g) for g in tape.gradient(loss, copy.trainable_variables)])

    step = tf.function(gradients)
    step()
    times = []
    for _ in range(_RUNS):
        start = time.perf_counter()
        step().numpy()
        times.append(time.perf_counter() - start)
    return median(times)
