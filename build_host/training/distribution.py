"""Training on several machines at once, where the data outgrow one.

Every machine runs the same command on the same data, with its own ``TF_CONFIG``
(https://www.tensorflow.org/guide/distributed_training): the addresses of all workers and its own
place among them. The run's folder is one that all of them see. Each batch is divided among the
workers; their gradients are summed, so all hold the same weights at every step.
"""

import json
import os
from pathlib import Path
from typing import Any, Final

from build_host.keras import tf
from build_host.training.config import FitConfig
from device.errors import ConfigError

_VARIABLE: Final = "TF_CONFIG"


def strategy_for(settings: FitConfig) -> tf.distribute.Strategy:
    """Return the strategy in whose scope the network is to be built.

    For several workers it waits until all of them are there.

    Raises
    ------
    device.errors.ConfigError
        If several workers are asked for and ``TF_CONFIG`` does not name them.
    """
    if settings.distribution == "none":
        return tf.distribute.get_strategy()
    workers, place = _cluster()
    if settings.batch % len(workers):
        raise ConfigError(
            f"fit.batch: {settings.batch} cannot be divided among {len(workers)} workers"
        )
    if not 0 <= place < len(workers):
        raise ConfigError(f"{_VARIABLE}: there is no worker {place} among {len(workers)}")
    return tf.distribute.MultiWorkerMirroredStrategy()


def _cluster() -> tuple[list[str], int]:
    try:
        told = json.loads(os.environ[_VARIABLE])
        return list(told["cluster"]["worker"]), int(told["task"]["index"])
    except (KeyError, TypeError, ValueError):
        raise ConfigError(
            f"fit.distribution: multi-worker needs {_VARIABLE} in the environment of every worker, "
            'such as {"cluster": {"worker": ["10.0.0.1:12345", "10.0.0.2:12345"]}, '
            '"task": {"type": "worker", "index": 0}}'
        ) from None


def own_folder(run: Path, strategy: tf.distribute.Strategy) -> Path:
    """Return where this worker writes: the run's folder for the first, one inside it for others.

    Every worker takes part in reading the weights out, so every worker writes them; only what the
    first one writes counts.
    """
    resolver: Any = strategy.cluster_resolver
    if resolver is None or resolver.task_id == 0:
        return run
    folder = run / f"worker-{resolver.task_id}"
    folder.mkdir(exist_ok=True)
    return folder


def divided(data: tf.data.Dataset) -> tf.data.Dataset:
    """Return batches that workers divide among themselves image by image."""
    options = tf.data.Options()
    options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.DATA
    return data.with_options(options)
