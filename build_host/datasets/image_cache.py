"""Decoded and resized images in a memory-mapped cache on disk."""

import hashlib
import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import cv2
import msgspec
import numpy as np
from numpy.typing import NDArray
from rich.progress import track

from build_host.datasets.dataset import Dataset
from build_host.datasets.split import Split
from build_host.errors import DataError
from build_host.files import replacing
from device.imaging.preprocessing import InputSpec, crop_field, resize_to_input

_ALIKE: Final = 0.02
"""Share by which the sides of a frame may differ in proportion from those of training frames."""


@dataclass(frozen=True, slots=True)
class Examples:
    """What a network is trained on.

    Attributes
    ----------
    images
        The model's input before scaling: uint8, (n, height, width, 3), RGB; see
        `resized_images`.
    frames
        What augmentation starts from: whole frames, uint8, (n, rows, columns, 3), RGB; `images`
        themselves where there is no augmentation.
    labels
        Diagnosis of each image, as an index into `device.diagnoses.CODES`: int64, (n,).
    sources
        Source of each image, as an index: int64, (n,).
    split
        Only the training and validation parts are used.
    """

    images: NDArray[np.uint8]
    frames: NDArray[np.uint8]
    labels: NDArray[np.int64]
    sources: NDArray[np.int64]
    split: Split


def load_examples(
    dataset: Dataset, split: Split, spec: InputSpec, frame_size: tuple[int, int], cache: Path
) -> Examples:
    """Return a dataset's images, resized for the model and as frames for augmentation.

    Parameters
    ----------
    frame_size
        Height and width of the whole frames in pixels; (0, 0) for the images themselves.
    cache
        See `resized_images`.
    """
    images = resized_images(dataset, spec, cache)
    frames = images
    if frame_size != (0, 0):
        frames = _cached(dataset, _FrameMaker(*frame_size), cache, quiet=False)
    return Examples(images, frames, dataset.labels, dataset.source_indices, split)


def resized_images(
    dataset: Dataset, spec: InputSpec, cache: Path, quiet: bool = False
) -> NDArray[np.uint8]:
    """Return every image of a dataset as the model's input, before scaling.

    The array is a memory map, so that memory use does not grow with the dataset.

    Parameters
    ----------
    dataset
        The images.
    spec
        The model's input.
    cache
        Folder that keeps the array for the next run, in a file named by the digest of its content.
    quiet
        No progress bar.

    Returns
    -------
    numpy.ndarray
        uint8, (n, spec.height, spec.width, 3), RGB, read-only.

    Raises
    ------
    device.errors.ImageError
        If an image cannot be read.
    build_host.errors.DataError
        If the disk has no room for the array.
    """
    return _cached(dataset, _InputMaker(spec), cache, quiet)


def training_frame(pixels: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    """Return what augmentation starts from: a frame whose central square a model is shown.

    A frame in which no stop is seen is squeezed to the size, if it has its shape; of any other,
    what a model is shown becomes the central square, and is mirrored beyond it.

    Parameters
    ----------
    pixels
        uint8, (rows, columns, 3), RGB, of any size.
    height, width
        Of the result in pixels; the height is the smaller one.
    """
    crop = crop_field(pixels, height)
    rows, columns = pixels.shape[:2]
    alike = abs(columns / rows - width / height) < _ALIKE * width / height
    if crop.field.inscribed is None and alike:
        whole = cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA)
        return whole.astype(np.uint8, copy=False)
    square = cv2.resize(crop.unobstructed, (height, height), interpolation=cv2.INTER_AREA)
    left = (width - height) // 2
    padded = cv2.copyMakeBorder(square, 0, 0, left, width - height - left, cv2.BORDER_REFLECT_101)
    return padded.astype(np.uint8, copy=False)


@dataclass(frozen=True, slots=True)
class _InputMaker:
    """Makes the model's input of an image."""

    spec: InputSpec

    @property
    def shape(self) -> tuple[int, int]:
        return self.spec.height, self.spec.width

    @property
    def identity(self) -> bytes:
        spec = self.spec
        return msgspec.json.encode((spec.height, spec.width, spec.geometry, spec.resize))

    def __call__(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        return resize_to_input(pixels, self.spec)


@dataclass(frozen=True, slots=True)
class _FrameMaker:
    """Makes a frame for augmentation of an image."""

    height: int
    width: int

    @property
    def shape(self) -> tuple[int, int]:
        return self.height, self.width

    @property
    def identity(self) -> bytes:
        return msgspec.json.encode((self.height, self.width, "frame"))

    def __call__(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        return training_frame(pixels, self.height, self.width)


def _cached(
    dataset: Dataset, make: _InputMaker | _FrameMaker, cache: Path, quiet: bool
) -> NDArray[np.uint8]:
    height, width = make.shape
    path = cache / f"images-{width}x{height}-{_digest(dataset, make)}.npy"
    if not path.exists():
        shape = (len(dataset), height, width, 3)
        # Two runs, or two workers on different machines, may make the same array at once: each
        # writes its own, and either will do.
        with replacing(path) as part:
            array = _preallocated(part, shape)
            records = track(dataset.records, "Reading images", disable=quiet)
            for i, record in enumerate(records):
                array[i] = make(dataset.read(record))
            array.flush()
            del array
    images: NDArray[np.uint8] = np.load(path, mmap_mode="r")
    return images


def _preallocated(path: Path, shape: tuple[int, ...]) -> np.memmap[Any, np.dtype[np.uint8]]:
    """Return a new memory map whose disk space is already allocated.

    Writing through a memory map to a full disk kills the process with SIGBUS.

    Raises
    ------
    build_host.errors.DataError
        If the disk is too full.
    """
    try:
        array: np.memmap[Any, np.dtype[np.uint8]] = np.lib.format.open_memmap(
            path, mode="w+", dtype=np.uint8, shape=shape
        )
        with path.open("r+b") as file:
            os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
    except OSError as error:
        raise DataError(
            f"{path.parent}: no room for {math.prod(shape) / 2**20:.0f} MiB of decoded images "
            f"({error.strerror}); free some, or name another --out"
        ) from None
    return array


def digest_of_images(dataset: Dataset, spec: InputSpec) -> str:
    """Return a digest of what `resized_images` returns."""
    return _digest(dataset, _InputMaker(spec))


def _digest(dataset: Dataset, make: _InputMaker | _FrameMaker) -> str:
    """Return a digest of an array's content: which images, in which order, how resized.

    The pixels of three of them count too, as they are and resized: the dataset's resolution, or
    the resizing itself, may have changed.
    """
    digest = hashlib.sha256(dataset.name.encode())
    digest.update(make.identity)
    for record in dataset.records:
        digest.update(f"{record.image_id}\n".encode())
    last = len(dataset) - 1
    for place in (0, last // 2, last):
        pixels = dataset.read(dataset.records[place])
        digest.update(pixels.tobytes())
        digest.update(make(pixels).tobytes())
    return digest.hexdigest()[:16]
