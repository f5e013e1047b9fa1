"""The peers that the paper's related work names, under the same split.

A classical baseline on hand-made features, a light AlexNet, and a lightweight ensemble.
"""

from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray
from rich.progress import track
from skimage.feature import graycomatrix, graycoprops
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from build_host.datasets.dataset import Dataset
from device.diagnoses import CODES
from device.imaging.field import cut, find_field
from device.imaging.lesion import ABCD_COLOURS, measure, outline, working_image

_LEVELS: Final = 32
_DISTANCES: Final = (1, 3)
_ANGLES: Final = (0.0, np.pi / 4, np.pi / 2, 3 * np.pi / 4)
_PROPERTIES: Final = ("contrast", "dissimilarity", "homogeneity", "energy", "correlation", "ASM")


def hand_made_features(dataset: Dataset) -> NDArray[np.float64]:
    """Return ABCD measures, colour statistics and co-occurrence texture: float64, (n, features).

    Grey-level co-occurrence: Haralick et al. 1973, doi:10.1109/TSMC.1973.4309314.
    """
    return np.array([_features(dataset.read(r)) for r in track(dataset.records, "Features")])


def _features(pixels: NDArray[np.uint8]) -> NDArray[np.float64]:
    field = cut(pixels, find_field(pixels))
    small = working_image(field)
    lesion = outline(field)
    abcd = np.zeros(5 + len(ABCD_COLOURS))
    inside = np.ones(small.shape[:2], bool)
    if lesion is not None:
        found = measure(field, lesion)
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
    """Return a support vector machine on standardized features, its classes weighted evenly."""
    machine = SVC(C=10.0, gamma="scale", class_weight="balanced", random_state=seed)
    return make_pipeline(StandardScaler(), machine).fit(features, labels)


def classical_probabilities(
    machine: Pipeline, features: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the softmax of the machine's one-against-the-rest scores: float64, (n, 7)."""
    scores = machine.decision_function(features)
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def light_alexnet(shape: tuple[int, int, int]) -> Any:
    """Return AlexNet's five convolutions and three dense layers, a tenth as wide.

    Krizhevsky et al. 2012; strides and pooling fitted to a 28 x 28 image.
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
    """Return one network that gives the mean of its members' logits."""
    from build_host.keras import keras

    image = keras.Input(members[0].input_shape[1:], name="image")
    for number, member in enumerate(members):
        member._name = f"member-{number}"
    logits = keras.layers.Average(name="logits")([member(image) for member in members])
    return keras.Model(image, logits, name="ensemble")
