"""MobileNetV2 of any width, and a form of it that costs a fraction of the time.

Sandler et al. 2018, arXiv:1801.04381. More than 40 % of the network's time goes into its first
three blocks, which see the picture at half its size. The slim form sees it at a quarter from its
first block on: the stride of the second block stands in the first one's depthwise convolution, so
every layer keeps its ImageNet weights. The classifier is a map of seven channels whose mean are
the logits (Zhou et al. 2016, arXiv:1512.04150): what the screen shows is what was added up.
"""

from pathlib import Path
from typing import Any, Final

import numpy as np

from build_host.keras import keras
from device.diagnoses import CODES
from device.errors import DataError

layers = keras.layers

MAP: Final = "class-activation-map"
COARSE: Final = "block_16_project_BN"
"""The layer before the head: its features tell best how strange an image is."""
HEAD: Final = "Conv_1"
_HEAD_NORM: Final = "Conv_1_bn"
WEIGHTS: Final = "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_{width}_224_no_top.h5"

_FIRST: Final = 32
_BLOCKS: Final = (
    # number, channels at full width, stride
    (0, 16, 1), (1, 24, 2), (2, 24, 1), (3, 32, 2), (4, 32, 1), (5, 32, 1), (6, 64, 2), (7, 64, 1),
    (8, 64, 1), (9, 64, 1), (10, 96, 1), (11, 96, 1), (12, 96, 1), (13, 160, 2), (14, 160, 1),
    (15, 160, 1), (16, 320, 1),
)  # fmt: skip
_EXPANSION: Final = 6
_FINE: Final = 12
"""The last block at a sixteenth of the picture's size."""

_SLIM_LEAVES_OUT: Final = (2, 5, 9)


def mobilenet(shape: tuple[int, int, int], width: float = 0.35, head: int = 0) -> keras.Model:
    """Return the whole backbone with the classifying map: scaled image in, logits out.

    Parameters
    ----------
    width
        Of every layer, in parts of the original.
    head
        Channels of the last convolution, 1,280 in the original; 0 to leave it out.
    """
    return _network(shape, width, head, (), (1, 2))


def slim_mobilenet(shape: tuple[int, int, int], width: float = 0.35, head: int = 0) -> keras.Model:
    """Return the slim form: scaled image in, logits out; `width` and `head` as in `mobilenet`."""
    return _network(shape, width, head, _SLIM_LEAVES_OUT, (2, 1))


def load_imagenet(model: keras.Model, folder: Path | None, width: float = 0.35) -> None:
    """Fill the layers that a network shares with MobileNetV2 with its ImageNet weights.

    Parameters
    ----------
    folder
        Holds the file that Keras downloads, by its name; None has Keras download it.
    width
        Of the network.

    Raises
    ------
    device.errors.DataError
        If the folder does not hold it.
    """
    name = WEIGHTS.format(width=width)
    weights = "imagenet"
    if folder is not None:
        weights = str(folder / name)
        if not (folder / name).is_file():
            raise DataError(f"{weights}: no such file; without --pretrained Keras downloads it")
    try:
        # Of all the files that Keras has, the one named above.
        source = keras.applications.MobileNetV2(
            (224, 224, 3), alpha=width, include_top=False, weights=weights
        )
    except Exception as error:  # Keras raises no narrower one when a download fails
        reason = " ".join(str(error).split())
        raise DataError(
            f"{name}: cannot be read or downloaded ({reason}); name its folder with --pretrained"
        ) from None
    known = {layer.name: layer.get_weights() for layer in source.layers}
    head = {layer.name: layer for layer in model.layers}.get(HEAD)
    if head is not None:
        # Of its channels those that batch normalization weighs most.
        gamma = known[_HEAD_NORM][0]
        kept = np.sort(np.argsort(-np.abs(gamma), kind="stable")[: head.filters])
        for name in (HEAD, _HEAD_NORM):
            known[name] = [values[..., kept] for values in known[name]]
    for layer in model.layers:
        if layer.name in known:
            layer.set_weights(known[layer.name])


def _network(
    shape: tuple[int, int, int],
    width: float,
    head: int,
    left_out: tuple[int, ...],
    first_strides: tuple[int, int],
) -> keras.Model:
    """Return a network; `first_strides` are those of its first two blocks."""
    image = keras.Input(shape, name="image")
    x = _convolution(image, _channels(_FIRST, width), 3, 2, "Conv1", "bn_Conv1")
    fine = x
    for number, full, stride in _BLOCKS:
        if number in left_out:
            continue
        entered, channels = x, _channels(full, width)
        name = f"block_{number}" if number else "expanded_conv"
        if number:
            x = _convolution(x, x.shape[-1] * _EXPANSION, 1, 1, f"{name}_expand")
        x = _depthwise(x, first_strides[number] if number < 2 else stride, name)
        x = _convolution(x, channels, 1, 1, f"{name}_project", active=False)
        if number and stride == 1 and entered.shape[-1] == channels:
            x = layers.Add(name=f"{name}_add")([entered, x])
        if number <= _FINE:
            fine = x
    return _classified(image, x, fine, head)


def _channels(full: int, width: float) -> int:
    """Return a layer's channels at a width: multiples of 8, as the original rounds them."""
    rounded = max(8, int(full * width + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * full * width else rounded


def _classified(image: Any, coarse: Any, fine: Any, head: int) -> keras.Model:
    many = len(CODES)
    if head:
        # Its features are the richest, and on so small a map it costs next to no time.
        coarse = _convolution(coarse, head, 1, 1, HEAD, _HEAD_NORM)
    dropped = layers.Dropout(0.2, name="drop-coarse")(coarse)
    x = layers.Conv2D(many, 1, name="coarse-map")(dropped)
    x = layers.UpSampling2D(2, interpolation="nearest", name="coarse-map-enlarged")(x)
    detail = layers.Conv2D(many, 1, use_bias=False, name="fine-map")(fine)
    x = layers.Add(name=MAP)([x, detail])
    return keras.Model(image, layers.GlobalAveragePooling2D(name="logits")(x))


def _convolution(
    x: Any, channels: int, kernel: int, stride: int, name: str, norm: str = "", active: bool = True
) -> Any:
    x = layers.Conv2D(channels, kernel, stride, padding="same", use_bias=False, name=name)(x)
    return _normed(x, norm or f"{name}_BN", active)


def _depthwise(x: Any, stride: int, name: str) -> Any:
    x = layers.DepthwiseConv2D(3, stride, padding="same", use_bias=False, name=f"{name}_depthwise")(
        x
    )
    return _normed(x, f"{name}_depthwise_BN", True)


def _normed(x: Any, name: str, active: bool) -> Any:
    # Keras's own momentum of 0.999 is for a hundred times as many steps.
    x = layers.BatchNormalization(momentum=0.99, epsilon=1e-3, name=name)(x)
    return layers.ReLU(6.0, name=f"{name}_active")(x) if active else x
