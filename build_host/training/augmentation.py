"""Changes that leave a lesion the same lesion: how it is held, lit and photographed.

What changes is drawn in NumPy, one row of numbers for each image, and applied by TensorFlow to a
whole batch: so the same numbers give the same pictures to a student and, larger, to its teacher.
"""

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from build_host.keras import tf
from build_host.training.config import Augmentation

_COLUMNS: Final = (
    "angle", "zoom", "aspect", "mirror", "shift_x", "shift_y", "brightness", "contrast",
    "saturation", "red", "green", "blue", "cover_x", "cover_y", "cover", "noise", "blur",
)  # fmt: skip
PARAMETERS: Final = len(_COLUMNS)


def draw(config: Augmentation, count: int, seed: list[int]) -> NDArray[np.float32]:
    """Return the changes of `count` images: float32, (count, `PARAMETERS`).

    Parameters
    ----------
    seed
        The same seed gives the same changes.
    """
    random = np.random.default_rng(seed)

    def spread(limit: float) -> NDArray[np.float64]:
        return random.uniform(-limit, limit, count)

    columns = {
        "angle": random.uniform(0, 2 * math.pi, count) * config.turn,
        "zoom": random.uniform(-math.log(config.zoom_in), math.log(config.zoom_out), count),
        "aspect": spread(config.aspect),
        "mirror": np.where((random.random(count) < 0.5) & config.turn, -1.0, 1.0),
        "shift_x": spread(config.shift),
        "shift_y": spread(config.shift),
        "brightness": spread(config.brightness),
        "contrast": spread(config.contrast),
        "saturation": spread(config.saturation),
        "red": spread(config.colour),
        "green": spread(config.colour),
        "blue": spread(config.colour),
        "cover_x": random.random(count),
        "cover_y": random.random(count),
        "cover": random.uniform(0.1, 1.0, count)
        * config.cover
        * (random.random(count) < config.cover_share),
        "noise": random.uniform(0, config.noise, count),
        "blur": random.uniform(0, config.blur, count),
    }
    return np.stack([columns[name] for name in _COLUMNS], axis=1).astype(np.float32)


def mixing(alpha: float, count: int, seed: list[int]) -> NDArray[np.float32]:
    """Return how much of another image each of `count` takes in: float32, (count,), 0 to 0.5."""
    if not alpha:
        return np.zeros(count, np.float32)
    share = np.random.default_rng([*seed, 1]).beta(alpha, alpha, count)
    return np.minimum(share, 1.0 - share).astype(np.float32)


def mix(values: tf.Tensor, share: tf.Tensor) -> tf.Tensor:
    """Return a batch, each of its rows mixed with that of the same place counted from the end."""
    return values + share * (tf.reverse(values, [0]) - values)


def apply(
    images: tf.Tensor,
    changes: tf.Tensor,
    height: int,
    width: int,
    square: bool,
    seed: tf.Tensor | tuple[int, int],
) -> tf.Tensor:
    """Return a batch as the model is shown it, changed.

    Parameters
    ----------
    images
        uint8, (batch, rows, columns, 3), RGB: whole frames.
    changes
        float32, (batch, `PARAMETERS`): see `draw`.
    height, width
        Of the result in pixels.
    square
        The model is shown the centred square of the frame rather than all of it.
    seed
        Two numbers that decide the noise: batches are made side by side, and a generator with a
        state would give them their noise in whatever order they ask.

    Returns
    -------
    tensorflow.Tensor
        float32, (batch, height, width, 3), pixels from 0 to 255.
    """
    change = {name: changes[:, i] for i, name in enumerate(_COLUMNS)}
    pixels = _warp(tf.cast(images, tf.float32), change, height, width, square)
    return tf.clip_by_value(_recolour(pixels, change, height, width, seed), 0.0, 255.0)


def _warp(
    pixels: tf.Tensor, change: dict[str, tf.Tensor], height: int, width: int, square: bool
) -> tf.Tensor:
    """Turn, scale, stretch and shift about the frame's centre, in one bilinear sampling."""
    rows, columns = pixels.shape[1], pixels.shape[2]
    short = min(rows, columns)
    seen_x, seen_y = (short, short) if square else (columns, rows)
    zoom, aspect = tf.exp(change["zoom"]), tf.exp(change["aspect"])
    step_x = zoom * aspect * change["mirror"] * (seen_x / width)
    step_y = zoom / aspect * (seen_y / height)
    cosine, sine = tf.cos(change["angle"]), tf.sin(change["angle"])
    a, b = cosine * step_x, -sine * step_y
    c, d = sine * step_x, cosine * step_y
    middle_x, middle_y = (width - 1) / 2, (height - 1) / 2
    left = (columns - 1) / 2 + change["shift_x"] * short - a * middle_x - b * middle_y
    top = (rows - 1) / 2 + change["shift_y"] * short - c * middle_x - d * middle_y
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
    change: dict[str, tf.Tensor],
    height: int,
    width: int,
    seed: tf.Tensor | tuple[int, int],
) -> tf.Tensor:
    def each(name: str) -> tf.Tensor:
        return change[name][:, None, None, None]

    channels = tf.stack([change["red"], change["green"], change["blue"]], axis=1)[:, None, None, :]
    mean = tf.reduce_mean(pixels, axis=(1, 2), keepdims=True)
    gain = tf.exp(channels + each("brightness"))
    pixels = (pixels - mean) * tf.exp(each("contrast")) + mean * gain
    grey = tf.reduce_mean(pixels, axis=3, keepdims=True)
    pixels = grey + (pixels - grey) * tf.exp(each("saturation"))
    softer = tf.nn.avg_pool2d(pixels, 3, 1, "SAME")
    pixels += (softer - pixels) * each("blur")
    down = (tf.range(height, dtype=tf.float32)[None, :, None, None] + 0.5) / height
    across = (tf.range(width, dtype=tf.float32)[None, None, :, None] + 0.5) / width
    half = each("cover") / 2
    hidden = (tf.abs(down - each("cover_y")) < half) & (tf.abs(across - each("cover_x")) < half)
    pixels = tf.where(hidden, mean * gain, pixels)
    return pixels + tf.random.stateless_normal(tf.shape(pixels), seed) * each("noise")
