"""Does it help to average over flips and rotations?  Asked of the validation fold."""

import numpy as np
from numpy.typing import NDArray
from rich.progress import track

from build_host.datasets.dataset import Dataset
from build_host.evaluation.metrics import Labels, mean_over_lesions
from device.inference.analyzer import Analyzer
from device.inference.calibration import probabilities
from device.inference.manifest import Averaging, Calibration


def choose_averaging(
    analyzer: Analyzer,
    dataset: Dataset,
    plain: NDArray[np.float32],
    calibration: Calibration,
    quiet: bool = False,
) -> Averaging:
    """Return ``dihedral`` where it lowers the cross-entropy beyond chance, else ``none``.

    Parameters
    ----------
    plain
        Logits of the dataset's images as they are: float32, (n, 7).
    """
    spec = analyzer.manifest.input
    if spec.height != spec.width:
        return "none"
    records = track(dataset.records, "Averaging", disable=quiet)
    averaged = np.array([analyzer.averaged_logits(dataset.read(r)) for r in records])
    labels = dataset.labels
    gain = _loss(plain, labels, calibration) - _loss(averaged, labels, calibration)
    return "dihedral" if mean_over_lesions(gain, dataset.lesions).low > 0.0 else "none"


def _loss(
    logits: NDArray[np.float32], labels: Labels, calibration: Calibration
) -> NDArray[np.float64]:
    own = probabilities(logits, calibration)[np.arange(len(labels)), labels]
    return -np.log(np.maximum(own, 1e-12))
