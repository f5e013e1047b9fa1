"""Data augmentation: geometry, light, colour and noise that leave the diagnosis the same.

The random parameters are drawn with NumPy, a row for each image, and applied by TensorFlow to a
whole batch: the same parameters give a student and, at a larger size, its teacher the same image.
"""

import math
from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from build_host.keras import tf
from build_host.training.config import AugmentationConfig

_COLUMNS: Final = (
    "angle", "zoom", "aspect", "mirror", "shift_x", "shift_y", "brightness", "contrast",
    "saturation", "red", "green", "blue", "cutout_x", "cutout_y", "cutout", "noise", "blur",
    "softness", "gamma", "ruler", "ruler_side", "ruler_pitch", "ruler_shade",
    *(f"bubble_{value}_{i}" for i in range(3) for value in ("x", "y", "radius", "rim")),
)  # fmt: skip
_BUBBLES: Final = 3
PARAMETER_COUNT: Final = len(_COLUMNS)


def draw_parameters(config: AugmentationConfig, count: int, seed: list[int]) -> NDArray[np.float32]:
    """Draw how each of `count` images is augmented: float32, (count, `PARAMETER_COUNT`).

    Parameters
    ----------
    seed
        The same seed gives the same parameters.
    """
    random = np.random.default_rng(seed)

    def spread(limit: float) -> NDArray[np.float64]:
        return random.uniform(-limit, limit, count)

    columns = {
        "angle": random.uniform(0, 2 * math.pi, count) * config.rotate_and_flip,
        "zoom": random.uniform(-math.log(config.zoom_in), math.log(config.zoom_out), count),
        "aspect": spread(config.aspect),
        "mirror": np.where((random.random(count) < 0.5) & config.rotate_and_flip, -1.0, 1.0),
        "shift_x": spread(config.shift),
        "shift_y": spread(config.shift),
        "brightness": spread(config.brightness),
        "contrast": spread(config.contrast),
        "saturation": spread(config.saturation),
        "red": spread(config.colour),
        "green": spread(config.colour),
        "blue": spread(config.colour),
        "cutout_x": random.random(count),
        "cutout_y": random.random(count),
        "cutout": random.uniform(0.1, 1.0, count)
        * config.cutout
        * (random.random(count) < config.cutout_probability),
        "noise": random.uniform(0, config.noise, count),
        "blur": random.uniform(0, config.blur, count),
        "softness": random.uniform(0, config.softness, count),
        "gamma": spread(config.gamma),
        "ruler": random.uniform(0.06, 0.22, count) * (random.random(count) < config.ruler),
        "ruler_side": random.integers(0, 4, count),
        "ruler_pitch": random.uniform(0.03, 0.12, count),
        "ruler_shade": random.uniform(120, 250, count),
    }
    bubbly = random.random(count) < config.bubbles
    for i in range(_BUBBLES):
        columns[f"bubble_x_{i}"] = random.random(count)
        columns[f"bubble_y_{i}"] = random.random(count)
        columns[f"bubble_radius_{i}"] = random.uniform(0.02, 0.3, count) * bubbly
        columns[f"bubble_rim_{i}"] = random.uniform(30, 160, count)
    return np.stack([columns[name] for name in _COLUMNS], axis=1).astype(np.float32)


def draw_mixup(alpha: float, count: int, seed: list[int]) -> NDArray[np.float32]:
    """Draw the weight of the other image in each of `count` mixup pairs (arXiv:1710.09412).

    Returns
    -------
    numpy.ndarray
        float32, (count,), 0 to 0.5; 0 where `alpha` is.
    """
    if not alpha:
        return np.zeros(count, np.float32)
    share = np.random.default_rng([*seed, 1]).beta(alpha, alpha, count)
    return np.minimum(share, 1.0 - share).astype(np.float32)


def mixup(values: tf.Tensor, weights: tf.Tensor) -> tf.Tensor:
    """Return a batch whose rows are mixed with those of the batch in reverse order.

    Parameters
    ----------
    values
        float32, (batch, ...): images or targets.
    weights
        Of the other row: float32, broadcast against `values`.
    """
    return values + weights * (tf.reverse(values, [0]) - values)


def augment(
    images: tf.Tensor,
    parameters: tf.Tensor,
    height: int,
    width: int,
    square: bool,
    seed: tf.Tensor | tuple[int, int],
) -> tf.Tensor:
    """Return an augmented batch of model inputs, before scaling.

    Parameters
    ----------
    images
        Whole frames: uint8, (batch, rows, columns, 3), RGB.
    parameters
        See `draw_parameters`: float32, (batch, `PARAMETER_COUNT`).
    height, width
        Of the result in pixels.
    square
        Whether the model's input shows the centred square of the frame rather than all of it.
    seed
        Seed of the noise: two integers. Batches are made in parallel, so a stateful generator would
        not be reproducible.

    Returns
    -------
    tensorflow.Tensor
        float32, (batch, height, width, 3), RGB, 0 to 255.
    """
    columns = {name: parameters[:, i] for i, name in enumerate(_COLUMNS)}
    pixels = _warp(tf.cast(images, tf.float32), columns, height, width, square)
    return tf.clip_by_value(_recolour(pixels, columns, height, width, seed), 0.0, 255.0)


def _warp(
    pixels: tf.Tensor, drawn: dict[str, tf.Tensor], height: int, width: int, square: bool
) -> tf.Tensor:
    """Rotate, zoom, stretch and shift about the frame's centre, in one bilinear resampling."""
    rows, columns = pixels.shape[1], pixels.shape[2]
    short = min(rows, columns)
    seen_x, seen_y = (short, short) if square else (columns, rows)
    zoom, aspect = tf.exp(drawn["zoom"]), tf.exp(drawn["aspect"])
    step_x = zoom * aspect * drawn["mirror"] * (seen_x / width)
    step_y = zoom / aspect * (seen_y / height)
    cosine, sine = tf.cos(drawn["angle"]), tf.sin(drawn["angle"])
    a, b = cosine * step_x, -sine * step_y
    c, d = sine * step_x, cosine * step_y
    middle_x, middle_y = (width - 1) / 2, (height - 1) / 2
    left = (columns - 1) / 2 + drawn["shift_x"] * short - a * middle_x - b * middle_y
    top = (rows - 1) / 2 + drawn["shift_y"] * short - c * middle_x - d * middle_y
    zero = tf.zeros_like(a)
    return tf.raw_ops.ImageProjectiveTransformV3(
        images=pixels,
        transforms=tf.stack([a, b, left, c, d, top, zero, zero], axis=1),
        output_shape=[height, width],
        interpolation="BILINEAR",
        fill_mode="REFLECT",
        fill_value=0.0,
    )


def _recolour(
    pixels: tf.Tensor,
    drawn: dict[str, tf.Tensor],
    height: int,
    width: int,
    seed: tf.Tensor | tuple[int, int],
) -> tf.Tensor:
    def each(name: str) -> tf.Tensor:
        return drawn[name][:, None, None, None]

    channels = tf.stack([drawn["red"], drawn["green"], drawn["blue"]], axis=1)[:, None, None, :]
    mean = tf.reduce_mean(pixels, axis=(1, 2), keepdims=True)
    gain = tf.exp(channels + each("brightness"))
    pixels = (pixels - mean) * tf.exp(each("contrast")) + mean * gain
    grey = tf.reduce_mean(pixels, axis=3, keepdims=True)
    pixels = grey + (pixels - grey) * tf.exp(each("saturation"))
    softer = tf.nn.avg_pool2d(pixels, 3, 1, "SAME")
    pixels += (softer - pixels) * each("blur")
    pixels += (tf.nn.avg_pool2d(pixels, 5, 1, "SAME") - pixels) * each("softness")
    tones = tf.clip_by_value(pixels / 255.0, 1e-3, 1.0)
    pixels = tf.where(each("gamma") != 0.0, 255.0 * tones ** tf.exp(each("gamma")), pixels)
    down = (tf.range(height, dtype=tf.float32)[None, :, None, None] + 0.5) / height
    across = (tf.range(width, dtype=tf.float32)[None, None, :, None] + 0.5) / width
    half = each("cutout") / 2
    hidden = (tf.abs(down - each("cutout_y")) < half) & (tf.abs(across - each("cutout_x")) < half)
    pixels = tf.where(hidden, mean * gain, pixels)
    pixels = _with_bubbles(_with_ruler(pixels, down, across, each), down, across, each)
    return pixels + tf.random.stateless_normal(tf.shape(pixels), seed) * each("noise")


def _with_ruler(
    pixels: tf.Tensor, down: tf.Tensor, across: tf.Tensor, each: Callable[[str], tf.Tensor]
) -> tf.Tensor:
    """Lay a ruler along one side, with ticks of which every fifth is long."""
    side, width, pitch = each("ruler_side"), each("ruler"), each("ruler_pitch")
    upright = side >= 2.0
    depth = tf.where(upright, across, down)
    along = tf.where(upright, down, across)
    depth = tf.where(tf.math.floormod(side, 2.0) == 1.0, 1.0 - depth, depth)
    number = tf.floor(along / pitch)
    length = tf.where(tf.math.floormod(number, 5.0) == 0.0, 0.8, 0.4) * width
    tick = (along / pitch - number < 0.2) & (width - depth < length)
    shade = tf.where(tick, 25.0, each("ruler_shade"))
    return tf.where(depth < width, shade, pixels)


def _with_bubbles(
    pixels: tf.Tensor, down: tf.Tensor, across: tf.Tensor, each: Callable[[str], tf.Tensor]
) -> tf.Tensor:
    """Draw the rims of bubbles, bright on one side and dark on the other."""
    for i in range(_BUBBLES):
        x, y = across - each(f"bubble_x_{i}"), down - each(f"bubble_y_{i}")
        radius = each(f"bubble_radius_{i}")
        rim = tf.exp(-tf.square((tf.sqrt(x * x + y * y) - radius) / 0.012))
        lit = 0.4 + 0.6 * (x + y) / tf.maximum(radius, 1e-3)
        pixels += tf.where(radius > 0.0, rim * lit * each(f"bubble_rim_{i}"), 0.0)
    return pixels
