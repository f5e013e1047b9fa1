import msgspec
import pytest

from build_host.compression.config import RewindingConfig
from build_host.compression.pruning import share_kept
from build_host.evaluation.tflite_file import FileSize
from build_host.reproduction.measurement import relative_to_first, smallest_without_loss
from build_host.reproduction.results import MeasuredFile
from device.models.manifest import Interval

pytestmark = pytest.mark.tensorflow


def row(name: str, kind: str, size: int, zipped: int, accuracy: float, validation: float):
    figure = Interval(value=accuracy, low=accuracy, high=accuracy)
    return MeasuredFile(
        name=name,
        kind=kind,
        size=FileSize(size, zipped),
        figures={"accuracy": figure, "balanced_accuracy": figure},
        validation_balanced_accuracy=validation,
        efficiency=0.0,
        accuracy_loss=0.0,
        size_reduction=0.0,
        sparsity={},
        latency_ratio=1.0,
    )


ROWS = [
    row("base", "h5 with optimizer", 4 << 20, 4 << 20, 0.80, 0.60),
    row("base", "float32", 2 << 20, 2 << 20, 0.80, 0.60),
    row("base", "int8", 1 << 20, 900_000, 0.79, 0.598),
    row("pruned", "int8", 1 << 20, 150_000, 0.76, 0.591),
    row("rewound", "int8", 1 << 20, 140_000, 0.90, 0.589),
    row("pruned", "float16", 1 << 20, 1_000, 0.76, 0.60),
]


def test_a_row_is_compared_with_the_first() -> None:
    rows = relative_to_first(ROWS)
    pruned = rows[3]
    assert pruned.accuracy_loss == pytest.approx(0.04)
    assert pruned.size_reduction == pytest.approx(0.75)
    assert pruned.efficiency == pytest.approx(0.76)
    assert rows[0].accuracy_loss == rows[0].size_reduction == 0.0


def test_the_chosen_file_is_the_smallest_within_a_point_on_the_validation_fold() -> None:
    assert smallest_without_loss(ROWS) is ROWS[3]
    # What a file reaches on the test fold decides nothing.
    better = msgspec.structs.replace(ROWS[4], validation_balanced_accuracy=0.5901)
    assert smallest_without_loss([*ROWS[:4], better]) is better


def test_without_a_good_int8_file_the_base_is_kept() -> None:
    assert smallest_without_loss([ROWS[0], ROWS[1], ROWS[4]]) is ROWS[1]


def test_rounds_keep_a_geometric_share_and_end_at_the_final_one() -> None:
    config = RewindingConfig(rounds=3, final_sparsity=0.95)
    shares = [share_kept(config, n) for n in (1, 2, 3)]
    assert shares[-1] == pytest.approx(0.05)
    assert shares[1] / shares[0] == pytest.approx(shares[2] / shares[1])
