"""Examinations as earlier releases kept them."""

import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

VERSION_2 = Path(__file__).with_name("version_2.json")
"""A record as the last release wrote it that kept plain files."""


def write_plain(folder: Path, name: str, pixels: NDArray[np.uint8]) -> Path:
    """Write an examination as plain files and return its folder."""
    path = folder / name
    path.mkdir(parents=True)
    record = json.loads(VERSION_2.read_bytes())
    record["identifier"] = record["finding"]["image"] = name
    record["field_of_view"] = {"left": 0, "top": 0, "side": min(pixels.shape[:2])}
    (path / "examination.json").write_text(json.dumps(record))
    Image.fromarray(pixels).save(path / "image.png", compress_level=1)
    return path
