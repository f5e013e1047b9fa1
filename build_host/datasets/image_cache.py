"""Images decoded and resized once, kept on disk, read by the batch."""

import hashlib
import math
import os
import uuid
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray
from rich.progress import track

from build_host.datasets.dataset import Collection
from build_host.datasets.split import Split
from device.errors import DataError
from device.imaging.preprocessing import InputSpec, resize


@dataclass(frozen=True, slots=True)
class Examples:
    """What a network is fitted to.

    Attributes
    ----------
    images
        As the model is shown them: uint8, (n, height, width, 3); see `resized_images`.
    frames
        What augmentation starts from: whole frames, uint8, (n, rows, columns, 3); the same
        images where there is none.
    labels
        int64, (n,).
    split
        The test part is not looked at.
    """

    images: NDArray[np.uint8]
    frames: NDArray[np.uint8]
    labels: NDArray[np.int64]
    split: Split


def read_examples(
    collection: Collection, split: Split, spec: InputSpec, frame_size: tuple[int, int], cache: Path
) -> Examples:
    """Return a collection's images, resized and as frames.

    Parameters
    ----------
    frame_size
        Height and width of the whole frames that augmentation starts from; (0, 0) for the images
        themselves.
    """
    images = resized_images(collection, spec, cache)
    frames = images
    if frame_size != (0, 0):
        height, width = frame_size
        whole = InputSpec(height=height, width=width, geometry="full-frame", resize=spec.resize)
        frames = resized_images(collection, whole, cache)
    return Examples(images, frames, collection.labels, split)


def resized_images(
    collection: Collection, spec: InputSpec, cache: Path, quiet: bool = False
) -> NDArray[np.uint8]:
    """Return every image of a collection as the model is shown it, before scaling.

    The array is a memory map: what is not being read takes no memory, however many images.

    Parameters
    ----------
    collection
        The images.
    spec
        The model's input.
    cache
        Folder that keeps the array for the next run; its file is named by what went into it.
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
    device.errors.DataError
        If the disk has no room for the array.
    """
    identity = _identity(collection, spec)
    path = cache / f"images-{spec.width}x{spec.height}-{identity}.npy"
    if not path.exists():
        cache.mkdir(parents=True, exist_ok=True)
        # Two runs, or two workers on machines of their own, may make the same array at once:
        # each writes its own, and either will do.
        part = path.with_suffix(f".{uuid.uuid4().hex}.part")
        shape = (len(collection), spec.height, spec.width, 3)
        try:
            array = _room_for(part, shape)
            records = track(collection.records, "Reading images", disable=quiet)
            for i, record in enumerate(records):
                array[i] = resize(collection.read(record), spec)
            array.flush()
            del array
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
    return np.load(path, mmap_mode="r")


def _room_for(path: Path, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """Return a new memory map whose disk space is taken already.

    Writing through a memory map to a disk that has become full ends the process without a word.

    Raises
    ------
    device.errors.DataError
        If the disk has not so much room.
    """
    try:
        array = np.lib.format.open_memmap(path, mode="w+", dtype=np.uint8, shape=shape)
        with path.open("r+b") as file:
            os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
    except OSError as error:
        raise DataError(
            f"{path.parent}: has no room for {math.prod(shape) / 2**20:.0f} MiB of decoded images "
            f"({error.strerror}); free some, or name another --out"
        ) from None
    return array


def _identity(collection: Collection, spec: InputSpec) -> str:
    """Return what tells one array of images from another: which, in what order, how resized.

    Three of the images themselves count too, as they are and resized: a data set may lie there in
    another resolution, and what resizes it may have changed.
    """
    digest = hashlib.sha256(collection.name.encode())
    digest.update(msgspec.json.encode((spec.height, spec.width, spec.geometry, spec.resize)))
    for record in collection.records:
        digest.update(f"{record.image_id}\n".encode())
    last = len(collection) - 1
    for place in (0, last // 2, last):
        pixels = collection.read(collection.records[place])
        digest.update(pixels.tobytes())
        digest.update(resize(pixels, spec).tobytes())
    return digest.hexdigest()[:16]
