"""Images decoded and resized once, kept on disk, read by the batch."""

import hashlib
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray
from rich.progress import track

from build_host.datasets.collection import Collection
from device.imaging.preprocessing import InputSpec, resize


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
    """
    identity = hashlib.sha256(
        b"".join(f"{r.image_id}\n".encode() for r in collection.records)
        + collection.name.encode()
        + msgspec.json.encode((spec.height, spec.width, spec.geometry, spec.resize))
    ).hexdigest()[:16]
    path = cache / f"images-{spec.width}x{spec.height}-{identity}.npy"
    if not path.exists():
        cache.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(".part")
        shape = (len(collection), spec.height, spec.width, 3)
        array = np.lib.format.open_memmap(part, mode="w+", dtype=np.uint8, shape=shape)
        records = track(collection.records, "Reading images", disable=quiet)
        for i, record in enumerate(records):
            array[i] = resize(collection.read(record), spec)
        array.flush()
        del array
        part.replace(path)
    return np.load(path, mmap_mode="r")
