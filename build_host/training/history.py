"""The training history of a run, readable without TensorFlow."""

import msgspec

from build_host.results import write_result
from build_host.run_folder import RunFolder


class Epoch(msgspec.Struct, frozen=True):
    """The figures of one epoch; the losses are mean cross-entropies."""

    learning_rate: float
    loss: float
    accuracy: float
    validation_loss: float
    validation_accuracy: float
    validation_balanced_accuracy: float


def read_history(folder: RunFolder) -> list[Epoch]:
    """Return the epochs that a run has finished so far."""
    if not folder.history.exists():
        return []
    # A run that diverged has NaNs, which JSON writes as null.
    content = folder.history.read_bytes()
    rows = msgspec.json.decode(content, type=list[dict[str, float | None]])
    whole = [{k: float("nan") if v is None else v for k, v in row.items()} for row in rows]
    return msgspec.convert(whole, list[Epoch])


def write_history(folder: RunFolder, history: list[Epoch]) -> None:
    """Write the epochs that a run has finished."""
    write_result(folder.history, history)
