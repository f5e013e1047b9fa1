import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from device.errors import ConfigError
from tests.build_host.conftest import Done

pytestmark = pytest.mark.tensorflow

CLI = "import sys; from build_host.cli import main; sys.exit(main())"


def free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    for open_socket in sockets:
        open_socket.bind(("127.0.0.1", 0))
    ports = [open_socket.getsockname()[1] for open_socket in sockets]
    for open_socket in sockets:
        open_socket.close()
    return ports


def weights(path: Path) -> dict[str, np.ndarray]:
    found: dict[str, np.ndarray] = {}
    with h5py.File(path) as file:
        file.visititems(
            lambda name, item: (
                found.__setitem__(name, item[()]) if isinstance(item, h5py.Dataset) else None
            )
        )
    return found


@pytest.fixture
def config(tmp_path: Path, write_config: Callable[..., Path]) -> Path:
    path = write_config(tmp_path, epochs=2, side=16)
    path.write_text(path.read_text().replace("[fit]", '[fit]\ndistribution = "multi-worker"'))
    return path


SILENT_SECONDS = 300.0
"""Workers of which none says a word for so long wait for one another for ever."""


def let_finish(workers: list[subprocess.Popen[bytes]], outputs: list[Path]) -> None:
    """Wait as long as there is progress, however slow the machine is."""
    said, since = -1, time.monotonic()
    while any(worker.poll() is None for worker in workers):
        assert not any(worker.poll() for worker in workers), [path.read_text() for path in outputs]
        if (now := sum(path.stat().st_size for path in outputs)) != said:
            said, since = now, time.monotonic()
        assert time.monotonic() - since < SILENT_SECONDS, [path.read_text() for path in outputs]
        time.sleep(0.1)


def test_two_workers_hold_the_same_weights_and_the_first_writes_the_run(
    ham10000: Path, tmp_path: Path, config: Path
) -> None:
    addresses = [f"127.0.0.1:{port}" for port in free_ports(2)]
    command = [sys.executable, "-c", CLI, "train", "--ham10000", str(ham10000)]
    command += ["--config", str(config), "--out", str(tmp_path / "runs")]
    outputs = [tmp_path / f"worker-{index}.txt" for index in range(2)]
    workers = []
    try:
        for index, output in enumerate(outputs):
            cluster = {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": index}}
            with output.open("wb") as written:
                environment = os.environ | {"TF_CONFIG": json.dumps(cluster)}
                workers.append(
                    subprocess.Popen(command, env=environment, stdout=written, stderr=written)
                )
        let_finish(workers, outputs)
    finally:
        for worker in workers:
            worker.kill()
            worker.wait()
    printed = [output.read_text() for output in outputs]
    assert [worker.returncode for worker in workers] == [0, 0], printed
    (run,) = (tmp_path / "runs").glob("drawn-28-*")
    first, second = weights(run / "weights.h5"), weights(run / "worker-1" / "weights.h5")
    assert first.keys() == second.keys()
    for name, value in first.items():
        np.testing.assert_array_equal(value, second[name])
    history = json.loads((run / "history.json").read_bytes())
    assert len(history) == 2
    assert history == json.loads((run / "worker-1" / "history.json").read_bytes())


@pytest.mark.parametrize("told", [None, "", "{}", '{"cluster": {"worker": "x"}}'])
def test_workers_without_a_cluster_are_told_what_to_set(
    monkeypatch: pytest.MonkeyPatch,
    ham10000: Path,
    tmp_path: Path,
    config: Path,
    command: Callable[..., Done],
    told: str | None,
) -> None:
    monkeypatch.delenv("TF_CONFIG", raising=False)
    if told is not None:
        monkeypatch.setenv("TF_CONFIG", told)
    done = command("train", "--ham10000", ham10000, "--config", config, "--out", tmp_path / "runs")
    assert done.status == 2
    assert "TF_CONFIG" in done.err


def test_a_batch_that_cannot_be_divided_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    from build_host.training.config import FitConfig
    from build_host.training.distribution import strategy_for

    cluster = {"cluster": {"worker": ["a:1", "b:1", "c:1"]}, "task": {"index": 0}}
    monkeypatch.setenv("TF_CONFIG", json.dumps(cluster))
    with pytest.raises(ConfigError, match="128 cannot be divided among 3"):
        strategy_for(FitConfig(distribution="multi-worker", batch=128))


def test_teachers_are_not_asked_by_several_workers() -> None:
    from build_host.training.config import AugmentationConfig, DistillationConfig, FitConfig

    taught = DistillationConfig(teachers=("teacher.toml",))
    with pytest.raises(ValueError, match="one machine"):
        FitConfig(
            distribution="multi-worker", augmentation=AugmentationConfig(), distillation=taught
        )


def test_a_running_average_is_not_kept_by_several_workers() -> None:
    from build_host.training.config import FitConfig

    with pytest.raises(ValueError, match="one machine"):
        FitConfig(distribution="multi-worker", average=0.99)
