"""Is what looks most alike also the same? The index of similar cases against the classifier."""

import msgspec
import numpy as np
from numpy.typing import NDArray

from build_host.datasets.dataset import Dataset
from build_host.evaluation.inference import network_outputs
from build_host.evaluation.metrics import RESAMPLES, Metric, macro_auc, with_intervals
from device.diagnoses import CODES
from device.inference.calibration import probabilities
from device.inference.network import NetworkOutput
from device.inference.similar_cases import SimilarCases
from device.models.bundle import Bundle
from device.models.manifest import Interval


class Retrieval(msgspec.Struct, frozen=True):
    """The sixteen most similar cases as a classifier, and the network itself.

    Attributes
    ----------
    similar_macro_auc
        Of the shares of the diagnoses among them.
    network_macro_auc
        Of the network's probabilities.
    """

    source: str
    images: int
    similar_macro_auc: Interval
    network_macro_auc: Interval


def embed_lesions(
    bundle: Bundle, dataset: Dataset
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Return an embedding of each lesion, the mean over its images, and its diagnosis.

    Parameters
    ----------
    bundle
        Whose live network has an embedding: a draft of the network of captured pictures.

    Returns
    -------
    numpy.ndarray
        float32, (lesions, dimensions).
    numpy.ndarray
        Index into `device.diagnoses.CODES`: int64, (lesions,).
    """
    outputs = network_outputs(bundle, dataset)
    vectors = np.array([o.embedding for o in outputs], np.float32)
    vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)
    _, first, group = np.unique(dataset.lesions, return_index=True, return_inverse=True)
    sums = np.zeros((len(first), vectors.shape[1]), np.float32)
    np.add.at(sums, group, vectors)
    return sums, dataset.labels[first]


def measure_retrieval(
    cases: SimilarCases,
    bundle: Bundle,
    dataset: Dataset,
    outputs: list[NetworkOutput],
    resamples: int = RESAMPLES,
) -> list[Retrieval]:
    """Measure an index on each source of a dataset that has several diagnoses.

    Parameters
    ----------
    outputs
        Of the bundle's live network, one for each image.
    """
    calibration = bundle.manifest.live.calibration
    network = probabilities(np.array([o.logits for o in outputs]), calibration)
    nearest = [cases.nearest(o.embedding) for o in outputs if o.embedding is not None]
    shares = np.array([[codes.count(code) / len(codes) for code in CODES] for codes in nearest])
    found = []
    for i, source in enumerate(dataset.sources):
        own = dataset.source_indices == i
        labels, lesions = dataset.labels[own], dataset.lesions[own]
        metric: dict[str, Metric] = {"auc": macro_auc}
        similar = with_intervals(labels, shares[own], lesions, metric, resamples)
        asked = with_intervals(labels, network[own], lesions, metric, resamples)
        # A source with a single diagnosis has nothing to tell apart.
        if similar and asked:
            found.append(Retrieval(source, int(own.sum()), similar["auc"], asked["auc"]))
    return found
