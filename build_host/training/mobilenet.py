"""MobileNetV2 of any width, and a slim variant of it that takes a fraction of the time.

Sandler et al. 2018, arXiv:1801.04381. More than 40 % of the network's time goes into its first
three blocks, which run at half the image's resolution. The slim variant runs at a quarter from
its first block on: the stride of the second block is moved into the first one's depthwise
convolution, so every layer keeps its ImageNet weights. The classifier is a map of seven channels
whose spatial means are the logits: a class activation map (Zhou et al. 2016, arXiv:1512.04150).
"""

from pathlib import Path
from typing import Any, Final

import numpy as np

from build_host.errors import DataError
from build_host.keras import keras
from build_host.training.class_map import with_class_map

layers = keras.layers

FEATURES: Final = "block_16_project_BN"
"""The layer before the head, whose features detect out-of-distribution images best."""
HEAD: Final = "Conv_1"
_HEAD_NORM: Final = "Conv_1_bn"
WEIGHTS_FILE: Final = "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_{width}_224_no_top.h5"

_FIRST: Final = 32
_BLOCKS: Final = (
    # number, channels at full width, stride
    (0, 16, 1), (1, 24, 2), (2, 24, 1), (3, 32, 2), (4, 32, 1), (5, 32, 1), (6, 64, 2), (7, 64, 1),
    (8, 64, 1), (9, 64, 1), (10, 96, 1), (11, 96, 1), (12, 96, 1), (13, 160, 2), (14, 160, 1),
    (15, 160, 1), (16, 320, 1),
)  # fmt: skip
_EXPANSION: Final = 6
_FINE: Final = 12
"""The last block at a sixteenth of the image's resolution."""

_OMITTED_BY_SLIM: Final = (2, 5, 9)


def mobilenet_v2(shape: tuple[int, int, int], width: float = 0.35, head: int = 0) -> keras.Model:
    """Return the whole backbone with the map as its classifier: scaled image in, logits out.

    Parameters
    ----------
    width
        Width multiplier (alpha) of every layer.
    head
        Channels of the last convolution, 1,280 in the original; 0 to omit it.
    """
    return _network(shape, width, head, (), (1, 2))


def slim_mobilenet_v2(
    shape: tuple[int, int, int], width: float = 0.35, head: int = 0
) -> keras.Model:
    """Return the slim variant: scaled image in, logits out.

    Parameters
    ----------
    width, head
        As in `mobilenet_v2`.
    """
    return _network(shape, width, head, _OMITTED_BY_SLIM, (2, 1))


def load_imagenet(model: keras.Model, folder: Path | None, width: float = 0.35) -> None:
    """Load ImageNet weights into the layers that a network shares with MobileNetV2.

    Parameters
    ----------
    folder
        With the file that Keras downloads, under the same name; None to have Keras download it.
    width
        Width multiplier of the network.

    Raises
    ------
    build_host.errors.DataError
        If the folder does not hold it, or it cannot be read or downloaded.
    """
    name = WEIGHTS_FILE.format(width=width)
    weights = "imagenet"
    if folder is not None:
        weights = str(folder / name)
        if not (folder / name).is_file():
            raise DataError(f"{weights}: no such file; without --pretrained Keras downloads it")
    try:
        source = keras.applications.MobileNetV2(
            (224, 224, 3), alpha=width, include_top=False, weights=weights
        )
    except Exception as error:  # a failed download raises nothing narrower
        reason = " ".join(str(error).split())
        raise DataError(
            f"{name}: cannot be read or downloaded ({reason}); name its folder with --pretrained"
        ) from None
    known = {layer.name: layer.get_weights() for layer in source.layers}
    head = {layer.name: layer for layer in model.layers}.get(HEAD)
    if head is not None:
        # Of its channels, keep those with the largest batch normalization weights.
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
    omitted: tuple[int, ...],
    first_strides: tuple[int, int],
) -> keras.Model:
    """Return a network; `first_strides` are the strides of its first two blocks."""
    image = keras.Input(shape, name="image")
    x = _convolution(image, _channels(_FIRST, width), 3, 2, "Conv1", "bn_Conv1")
    fine = x
    for number, full, stride in _BLOCKS:
        if number in omitted:
            continue
        block_input, channels = x, _channels(full, width)
        name = f"block_{number}" if number else "expanded_conv"
        if number:
            x = _convolution(x, x.shape[-1] * _EXPANSION, 1, 1, f"{name}_expand")
        x = _depthwise(x, first_strides[number] if number < 2 else stride, name)
        x = _convolution(x, channels, 1, 1, f"{name}_project", activate=False)
        if number and stride == 1 and block_input.shape[-1] == channels:
            x = layers.Add(name=f"{name}_add")([block_input, x])
        if number <= _FINE:
            fine = x
    if head:
        # Its features are the richest, and at this resolution it takes next to no time.
        x = _convolution(x, head, 1, 1, HEAD, _HEAD_NORM)
    return with_class_map(image, x, fine, dropout=0.2)


def _channels(full: int, width: float) -> int:
    """Return a layer's channels at a width: multiples of 8, as the original rounds them."""
    rounded = max(8, int(full * width + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * full * width else rounded


def _convolution(
    x: Any,
    channels: int,
    kernel: int,
    stride: int,
    name: str,
    norm: str = "",
    activate: bool = True,
) -> Any:
    x = layers.Conv2D(channels, kernel, stride, padding="same", use_bias=False, name=name)(x)
    return _normed(x, norm or f"{name}_BN", activate)


def _depthwise(x: Any, stride: int, name: str) -> Any:
    x = layers.DepthwiseConv2D(3, stride, padding="same", use_bias=False, name=f"{name}_depthwise")(
        x
    )
    return _normed(x, f"{name}_depthwise_BN", True)


def _normed(x: Any, name: str, activate: bool) -> Any:
    # Keras's momentum of 0.999 suits a hundred times as many steps.
    x = layers.BatchNormalization(momentum=0.99, epsilon=1e-3, name=name)(x)
    return layers.ReLU(6.0, name=f"{name}_active")(x) if activate else x
