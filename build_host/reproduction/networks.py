"""Training the networks of a reproduction, and running their files with LiteRT."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

from build_host.bundle.draft import draft, provenance
from build_host.calibration.fits import NO_LIMITS
from build_host.datasets.dataset import Dataset
from build_host.datasets.image_cache import load_examples
from build_host.datasets.split import Split
from build_host.evaluation.tflite_file import predict_logits
from build_host.reproduction.context import Context
from build_host.run_folder import RunFolder
from build_host.training.config import FitConfig
from device.models.bundle import Bundle


def build_seeded_network(context: Context) -> Any:
    """Return the paper's network, untrained, its initial weights drawn from the seed."""
    from build_host.keras import keras
    from build_host.training.architectures import paper_network

    keras.utils.set_random_seed(context.config.seed)
    return paper_network((context.config.input.height, context.config.input.width, 3))


def train(
    context: Context,
    folder: RunFolder,
    model: Any,
    settings: FitConfig,
    dataset: Dataset,
    split: Split,
) -> Any:
    """Train a network on a dataset and return it; resumes where it was stopped."""
    from build_host.training.fit import fit

    spec = context.config.input
    examples = load_examples(dataset, split, spec, settings.frame_size, context.cache)
    fit(context.run_config(settings), model, examples, folder, context.console)
    return model


def uncalibrated_bundle(context: Context, model: bytes) -> Bundle:
    """Return an unsigned bundle around a ``.tflite`` file, without calibration or limits."""
    config = context.config
    origin = provenance(context.dataset, config.seed, config.digest)
    return draft(
        config.name, config.version, config.input, config.saliency, model, NO_LIMITS, origin
    )


def base_bundle(context: Context) -> Bundle:
    """Return the base network's float32 file as an uncalibrated bundle."""
    return uncalibrated_bundle(context, context.tflite_file("base", "float32").read_bytes())


def predict(
    bundle: Bundle, images: NDArray[np.uint8], rows: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Return the uncalibrated probabilities of some images: float64, (n, 7).

    Parameters
    ----------
    images
        As in `build_host.evaluation.tflite_file.predict_logits`.
    rows
        Which of them: int64, (n,).
    """
    logits = predict_logits(bundle, images, rows).astype(np.float64)
    return np.asarray(softmax(logits, axis=1))


def predict_with_float_file(
    context: Context, model: Any, images: NDArray[np.uint8], rows: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Return what `predict` does for a Keras network, converted to a float32 file first."""
    from build_host.compression.quantization import to_float32

    return predict(uncalibrated_bundle(context, to_float32(model)), images, rows)
