"""What the epochs of a run gave, readable without TensorFlow."""

from pathlib import Path
from typing import Final

import msgspec

from build_host.results import write_result

HISTORY: Final = "history.json"


class Epoch(msgspec.Struct, frozen=True):
    """What one epoch gave; the losses are mean cross-entropies."""

    learning_rate: float
    loss: float
    accuracy: float
    validation_loss: float
    validation_accuracy: float
    validation_balanced_accuracy: float


def read_history(run: Path) -> list[Epoch]:
    """Return what the epochs of a run gave so far."""
    path = run / HISTORY
    if not path.exists():
        return []
    # JSON has no word for what a run that diverged gives.
    rows = msgspec.json.decode(path.read_bytes(), type=list[dict[str, float | None]])
    whole = [{k: float("nan") if v is None else v for k, v in row.items()} for row in rows]
    return msgspec.convert(whole, list[Epoch])


def write_history(run: Path, history: list[Epoch]) -> None:
    """Write the history in one step: a reader finds the old one or the new one."""
    write_result(run / HISTORY, history)
