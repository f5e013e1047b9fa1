"""A classifier whose logits are the spatial means of a map of the seven diagnoses.

Class activation map: Zhou et al. 2016, arXiv:1512.04150.
"""

from typing import Any, Final

from build_host.keras import keras
from device.diagnoses import CODES

layers = keras.layers

CLASS_ACTIVATION_MAP: Final = "class-activation-map"


def with_class_map(image: Any, coarse: Any, fine: Any, dropout: float) -> keras.Model:
    """Return a network that classifies by two layers of features: scaled image in, logits out.

    Parameters
    ----------
    image
        The network's input.
    coarse
        Its last features, (batch, rows, columns, channels).
    fine
        Earlier features at twice the resolution.
    dropout
        Share of the coarse features that is dropped in training.
    """
    dropped = layers.Dropout(dropout, name="drop-coarse")(coarse)
    x = layers.Conv2D(len(CODES), 1, name="coarse-map")(dropped)
    x = layers.UpSampling2D(2, interpolation="nearest", name="coarse-map-enlarged")(x)
    detail = layers.Conv2D(len(CODES), 1, use_bias=False, name="fine-map")(fine)
    x = layers.Add(name=CLASS_ACTIVATION_MAP)([x, detail])
    return keras.Model(image, layers.GlobalAveragePooling2D(name="logits")(x))
