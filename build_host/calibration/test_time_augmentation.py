"""Does averaging over flips and rotations help?  Decided on the validation fold."""

import numpy as np
from numpy.typing import NDArray
from rich.progress import track

from build_host.datasets.dataset import Dataset
from build_host.evaluation.inference import mean_logits_over_views
from build_host.evaluation.metrics import Labels, mean_over_lesions
from device.inference.calibration import probabilities
from device.inference.network import Network
from device.models.bundle import Bundle
from device.models.network_spec import Calibration, TestTimeAugmentation


def choose_averaging(
    bundle: Bundle,
    dataset: Dataset,
    logits: NDArray[np.float32],
    calibration: Calibration,
    quiet: bool = False,
) -> TestTimeAugmentation:
    """Return ``dihedral`` where averaging lowers the cross-entropy significantly, else ``none``.

    Parameters
    ----------
    logits
        Of the dataset's images in one pass: float32, (n, 7).
    calibration
        As fitted to these logits.
    """
    spec = bundle.manifest.live.input
    if spec.height != spec.width:
        return "none"
    network = Network(bundle, bundle.manifest.live)
    averaged = np.array(
        [
            mean_logits_over_views(network, spec, dataset.read(record))
            for record in track(dataset.records, "Averaging over views", disable=quiet)
        ]
    )
    labels = dataset.labels
    gain = _losses(logits, labels, calibration) - _losses(averaged, labels, calibration)
    return "dihedral" if mean_over_lesions(gain, dataset.lesions).low > 0.0 else "none"


def _losses(
    logits: NDArray[np.float32], labels: Labels, calibration: Calibration
) -> NDArray[np.float64]:
    own = probabilities(logits, calibration)[np.arange(len(labels)), labels]
    return -np.log(np.maximum(own, 1e-12))
