"""The baselines that the paper's related work names, under the same split.

A classical one on hand-made features, a light AlexNet, and a lightweight ensemble.
"""

from typing import Any, Final

import cv2
import joblib
import numpy as np
from numpy.typing import NDArray
from rich.progress import track
from scipy.special import softmax
from skimage.feature import graycomatrix, graycoprops
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from build_host.datasets.dataset import Dataset
from build_host.evaluation.tflite_file import file_size
from build_host.files import replacing
from build_host.reproduction.context import Context
from build_host.reproduction.measurement import Measurer
from build_host.reproduction.networks import train
from build_host.reproduction.results import MeasuredFile
from device.diagnoses import CODES
from device.imaging.abcd import ABCD_COLOURS, measure_abcd
from device.imaging.field_of_view import crop, find_field
from device.imaging.lesion import segment_lesion, working_image

_LEVELS: Final = 32
_DISTANCES: Final = (1, 3)
_ANGLES: Final = (0.0, np.pi / 4, np.pi / 2, 3 * np.pi / 4)
_PROPERTIES: Final = ("contrast", "dissimilarity", "homogeneity", "energy", "correlation", "ASM")


def hand_made_features(dataset: Dataset) -> NDArray[np.float64]:
    """Return ABCD measures, colour statistics and texture of every image: float64, (n, features).

    Grey-level co-occurrence: Haralick et al. 1973, doi:10.1109/TSMC.1973.4309314.
    """
    return np.array([_features(dataset.read(r)) for r in track(dataset.records, "Features")])


def _features(pixels: NDArray[np.uint8]) -> NDArray[np.float64]:
    field = crop(pixels, find_field(pixels))
    small = working_image(field)
    lesion = segment_lesion(field)
    abcd = np.zeros(5 + len(ABCD_COLOURS))
    inside = np.ones(small.shape[:2], bool)
    if lesion is not None:
        found = measure_abcd(field, lesion)
        inside = lesion
        abcd[:5] = (
            found.asymmetry_index,
            found.asymmetry,
            np.log(found.border_irregularity),
            found.diameter,
            found.area,
        )
        abcd[5:] = [name in found.colours for name in ABCD_COLOURS]
    lab = cv2.cvtColor(small.astype(np.float32) / 255.0, cv2.COLOR_RGB2LAB)
    skin = ~inside if (~inside).any() else inside
    colour = np.concatenate(
        [lab[inside].mean(axis=0), lab[inside].std(axis=0), lab[skin].mean(axis=0)]
    )
    grey = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY) // (256 // _LEVELS)
    matrix = graycomatrix(grey, _DISTANCES, _ANGLES, _LEVELS, symmetric=True, normed=True)
    texture = [graycoprops(matrix, name).mean(axis=1) for name in _PROPERTIES]
    return np.concatenate([abcd, colour, *texture]).astype(np.float64)


def fit_classical(features: NDArray[np.float64], labels: NDArray[np.int64], seed: int) -> Pipeline:
    """Return a support vector machine on standardized features, with balanced class weights.

    Parameters
    ----------
    features
        float64, (n, features).
    labels
        int64, (n,).
    """
    classifier = SVC(C=10.0, gamma="scale", class_weight="balanced", random_state=seed)
    return make_pipeline(StandardScaler(), classifier).fit(features, labels)


def classical_probabilities(model: Pipeline, features: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the softmax of the model's one-vs-rest scores: float64, (n, 7).

    Parameters
    ----------
    features
        float64, (n, features).
    """
    return np.asarray(softmax(model.decision_function(features), axis=1))


def light_alexnet(shape: tuple[int, int, int]) -> Any:
    """Return AlexNet's five convolutions and three dense layers, a tenth as wide.

    Krizhevsky et al. 2012; strides and pooling adapted to a 28 x 28 image.
    """
    from build_host.keras import keras

    layers = keras.layers
    image = keras.Input(shape, name="image")
    x = image
    for filters, kernel, pool in (
        (32, 5, True),
        (64, 3, True),
        (96, 3, False),
        (96, 3, False),
        (64, 3, True),
    ):
        x = layers.Conv2D(filters, kernel, padding="same", use_bias=False)(x)
        x = layers.BatchNormalization()(x)
        x = layers.ReLU()(x)
        if pool:
            x = layers.MaxPooling2D()(x)
    x = layers.Flatten()(x)
    for _ in range(2):
        x = layers.Dense(128, activation="relu")(x)
        x = layers.Dropout(0.5)(x)
    return keras.Model(image, layers.Dense(len(CODES), name="logits")(x), name="light-alexnet")


def small_network(shape: tuple[int, int, int], width: int) -> Any:
    """Return one member of the ensemble: depthwise separable convolutions (arXiv:1704.04861)."""
    from build_host.keras import keras

    layers = keras.layers
    image = keras.Input(shape, name="image")
    x = layers.Conv2D(width, 3, padding="same", use_bias=False)(image)
    x = layers.ReLU()(layers.BatchNormalization()(x))
    for filters, stride in ((2, 1), (2, 2), (4, 1), (4, 2), (8, 1)):
        x = layers.DepthwiseConv2D(3, stride, padding="same", use_bias=False)(x)
        x = layers.ReLU()(layers.BatchNormalization()(x))
        x = layers.Conv2D(width * filters, 1, use_bias=False)(x)
        x = layers.ReLU()(layers.BatchNormalization()(x))
    x = layers.Dropout(0.2)(layers.GlobalAveragePooling2D()(x))
    return keras.Model(image, layers.Dense(len(CODES), name="logits")(x), name=f"small-{width}")


def ensemble(members: list[Any]) -> Any:
    """Return one network whose logits are the mean of its members'."""
    from build_host.keras import keras

    image = keras.Input(members[0].input_shape[1:], name="image")
    for number, member in enumerate(members):
        member._name = f"member-{number}"
    logits = keras.layers.Average(name="logits")([member(image) for member in members])
    return keras.Model(image, logits, name="ensemble")


def measure_baselines(context: Context) -> list[MeasuredFile]:
    """Train every baseline, and return its row of the compression study's table."""
    from build_host.compression.quantization import to_int8
    from build_host.keras import keras

    config, split, dataset = context.config, context.split, context.dataset
    spec = config.input
    measurer = Measurer(context, context.tflite_file("base", "float32").read_bytes())
    if not context.features_file.is_file():
        with replacing(context.features_file) as part:
            np.save(part, hand_made_features(dataset))
    features = np.load(context.features_file)
    classical = fit_classical(features[split.train], dataset.labels[split.train], config.seed)
    with replacing(context.classical_model_file) as part:
        joblib.dump(classical, part)
    rows = [
        measurer.row(
            "classical: ABCD and texture, SVM",
            "scikit-learn",
            file_size(context.classical_model_file.read_bytes()),
            classical_probabilities(classical, features[split.validation]),
            classical_probabilities(classical, features[split.test]),
            sparsity={},
            ratio=0.0,
        )
    ]
    images = context.examples(config.fit).images
    representative = np.asarray(images[np.sort(split.train)[: config.representative]])
    shape = (spec.height, spec.width, 3)
    keras.utils.set_random_seed(config.seed)

    def trained(name: str, network: Any) -> Any:
        folder = context.training_folder(f"baselines/{name}")
        return train(context, folder, network, config.baseline_fit, dataset, split)

    alexnet = trained("light-alexnet", light_alexnet(shape))
    members = [
        trained(f"small-{width}", small_network(shape, width)) for width in config.ensemble_widths
    ]
    for name, model in (
        ("light AlexNet", alexnet),
        (f"ensemble of {len(members)} small networks", ensemble(members)),
    ):
        rows.append(measurer.measure(name, "int8", to_int8(model, representative, spec), {}))
    return rows
