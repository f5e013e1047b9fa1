"""Running a bundle's network on images of any size, prepared as the device prepares them.

What the build host needs of a network beyond the findings of the device's own Analyzer.
"""

import numpy as np
from numpy.typing import NDArray
from rich.progress import track

from build_host.datasets.dataset import Dataset
from device.imaging.preprocessing import InputSpec, dihedral_views, resize_to_input
from device.inference import calibration
from device.inference.analyzer import mean_over_views
from device.inference.network import Network, NetworkOutput
from device.models.bundle import Bundle


def network_output(network: Network, spec: InputSpec, pixels: NDArray[np.uint8]) -> NetworkOutput:
    """Return all outputs of a network for one image.

    Parameters
    ----------
    spec
        The network's input.
    pixels
        An image of any size: uint8, (height, width, 3), RGB.
    """
    return network.run(resize_to_input(pixels, spec))


def network_outputs(
    bundle: Bundle, dataset: Dataset, quiet: bool = False, averaged: bool = False
) -> list[NetworkOutput]:
    """Return all outputs of a bundle's live network for every image of a dataset.

    Parameters
    ----------
    averaged
        With the mean logits over the eight flips and rotations of each, as of a captured picture.
    """
    network, spec = Network(bundle, bundle.manifest.live), bundle.manifest.live.input
    records = track(dataset.records, "Running the network", disable=quiet)
    if not averaged:
        return [network_output(network, spec, dataset.read(r)) for r in records]
    return [
        mean_over_views(network, dihedral_views(resize_to_input(dataset.read(r), spec)))
        for r in records
    ]


def mean_logits_over_views(
    network: Network, spec: InputSpec, pixels: NDArray[np.uint8]
) -> NDArray[np.float32]:
    """Return the mean logits over the eight flips and rotations of the input: float32, (7,).

    Parameters
    ----------
    spec, pixels
        As in `network_output`; the input must be square.
    """
    views = dihedral_views(resize_to_input(pixels, spec))
    logits = np.stack([network.run(view).logits for view in views])
    return np.asarray(logits.mean(axis=0, dtype=np.float32))


def in_distribution_score(network: Network, pixels: NDArray[np.uint8]) -> float:
    """Return a network's score of how much an image is like the training images.

    Parameters
    ----------
    pixels
        As in `network_output`.
    """
    spec = network.spec
    output = network_output(network, spec.input, pixels)
    probability = calibration.probabilities(output.logits, spec.calibration)
    return calibration.in_distribution_score(output, probability, spec.abstention)
