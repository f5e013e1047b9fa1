"""Distributed training on several machines, for data that outgrow one.

Every machine runs the same command on the same data, with its own ``TF_CONFIG``
(https://www.tensorflow.org/guide/distributed_training): the addresses of all workers and its own
index. They share the run's folder. Each batch is divided among the workers and their gradients
are summed, so that all have the same weights at every step.
"""

import json
import os
from typing import Any, Final

from build_host.keras import tf
from build_host.run_folder import RunFolder
from build_host.training.config import FitConfig
from device.errors import ConfigError

_VARIABLE: Final = "TF_CONFIG"


def strategy_for(settings: FitConfig) -> tf.distribute.Strategy:
    """Return the strategy in whose scope to build the network.

    With several workers it waits until all of them are up.

    Raises
    ------
    device.errors.ConfigError
        If ``multi-worker`` is set and ``TF_CONFIG`` does not name the workers, or the batch cannot
        be divided among them.
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
        config = json.loads(os.environ[_VARIABLE])
        return list(config["cluster"]["worker"]), int(config["task"]["index"])
    except (KeyError, TypeError, ValueError):
        raise ConfigError(
            f"fit.distribution: multi-worker needs {_VARIABLE} in the environment of every worker, "
            'such as {"cluster": {"worker": ["10.0.0.1:12345", "10.0.0.2:12345"]}, '
            '"task": {"type": "worker", "index": 0}}'
        ) from None


def worker_folder(run: RunFolder, strategy: tf.distribute.Strategy) -> RunFolder:
    """Return where this worker writes: the run's folder for the first, one inside it for others.

    Reading the weights out takes all workers, so all of them write; only what the first one
    writes counts.
    """
    resolver: Any = strategy.cluster_resolver
    return run.of_worker(0 if resolver is None else resolver.task_id)


def shard(data: tf.data.Dataset) -> tf.data.Dataset:
    """Return batches that are sharded among the workers image by image."""
    options = tf.data.Options()
    options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.DATA
    return data.with_options(options)
