"""Weight clustering: the weights of a layer share a few values (arXiv:1510.00149)."""

from typing import Any, Final

import numpy as np

from build_host.compression.pruning import copy_model
from build_host.keras import keras

_WEIGHTS_PER_CLUSTER: Final = 8


def clustered(model: keras.Model, clusters: int, preserve_sparsity: bool) -> keras.Model:
    """Return a copy of a model whose weights are clustered as it is trained.

    Parameters
    ----------
    clusters
        Distinct values in each layer.
    preserve_sparsity
        Preserve the zeros of a pruned model.
    """
    import tensorflow_model_optimization as tfmot
    from tensorflow_model_optimization.python.core.clustering.keras.experimental import cluster

    def with_clusters(layer: Any) -> Any:
        if not isinstance(layer, keras.layers.Conv2D | keras.layers.Dense):
            return layer
        # Layers with hardly more weights than clusters have nothing to share.
        if np.count_nonzero(layer.kernel) < _WEIGHTS_PER_CLUSTER * clusters:
            return layer
        return cluster.cluster_weights(
            layer,
            number_of_clusters=clusters,
            cluster_centroids_init=tfmot.clustering.keras.CentroidInitialization.KMEANS_PLUS_PLUS,
            preserve_sparsity=preserve_sparsity,
        )

    return keras.models.clone_model(copy_model(model), clone_function=with_clusters)


def stripped(model: keras.Model) -> keras.Model:
    """Return a trained `clustered` model without its wrappers."""
    import tensorflow_model_optimization as tfmot

    return tfmot.clustering.keras.strip_clustering(model)
