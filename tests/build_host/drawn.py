"""A small data set in the shape of HAM10000, whose lesions are drawn by the project itself."""

import csv
import io
from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np
from PIL import Image

from build_host.datasets.split import fold_of
from device.capture.demo import Scene, draw_lesion
from device.diagnoses import CODES

COLUMNS = ("lesion_id", "image_id", "dx", "dx_type", "age", "sex", "localization")
TABLE_LABELS = {"akiec": 0, "bcc": 1, "bkl": 2, "df": 3, "nv": 4, "vasc": 5, "mel": 6}
SIZE = (200, 150)

Row = dict[str, str]

_SCENES = {
    "akiec": Scene(seed=1, radius=0.5, pigment=0.25, blood=0.5, network=0.0),
    "bcc": Scene(seed=2, radius=0.35, pigment=0.15, blood=0.8, network=0.0, globules=20),
    "bkl": Scene(seed=3, radius=0.5, pigment=0.6, network=0.0, globules=60),
    "df": Scene(seed=4, radius=0.3, pigment=0.4, network=0.6),
    "mel": Scene(seed=5, radius=0.55, irregularity=0.5, pigment=1.3, variegation=0.9),
    "nv": Scene(seed=6, radius=0.42, irregularity=0.06, network=0.45),
    "vasc": Scene(seed=7, radius=0.36, pigment=0.05, blood=1.2, network=0.0),
}

# Images a lesion, by fold. So many lesions in the test fold that no resample of the bootstrap
# lacks a diagnosis; nv is commoner than the rest, as in life.
_LESIONS = {0: [1] * 10 + [2] * 2, 1: [2], 2: [2], 3: [2], 4: [2, 2]}
_MORE_NV = {1: [3, 1], 2: [2], 3: [2]}


def lesion_ids(fold: int, prefix: str = "HAM_") -> Iterator[str]:
    """Yield more lesion identifiers of one fold than anyone needs."""
    return (name for n in range(2000) if fold_of(name := f"{prefix}{n:07d}") == fold)


def rows(prefix: str = "HAM_") -> list[Row]:
    """Return the metadata of the whole data set."""
    result: list[Row] = []
    for fold in range(5):
        names = lesion_ids(fold, prefix)
        for dx in CODES:
            sizes = _LESIONS[fold] + (_MORE_NV.get(fold, []) if dx == "nv" else [])
            for lesion, images in zip(names, sizes, strict=False):
                result += [_row(lesion, dx, len(result) + i) for i in range(images)]
    return result


def _row(lesion: str, dx: str, number: int) -> Row:
    return {
        "lesion_id": lesion,
        "image_id": f"ISIC_{24306 + number:07d}",
        "dx": dx,
        "dx_type": ("histo", "follow_up", "consensus", "confocal")[number % 4],
        "age": "" if number % 17 == 0 else f"{30 + 5 * (number % 10)}.0",
        "sex": ("male", "female")[number % 2],
        "localization": ("back", "face", "lower extremity")[number % 3],
    }


@lru_cache(maxsize=4)
def canvases(place: int = 0) -> dict[str, Image.Image]:
    """Return one drawn lesion for each diagnosis; every place has its own."""
    return {
        dx: Image.fromarray(draw_lesion(replace(scene, seed=scene.seed + 100 * place)))
        for dx, scene in _SCENES.items()
    }


def picture(dx: str, number: int, place: int = 0) -> Image.Image:
    """Return one of many views of a diagnosis's lesion of a place: 200 x 150."""
    random = np.random.default_rng(number)
    canvas = canvases(place)[dx]
    width = int(random.integers(760, 900))
    height = width * SIZE[1] // SIZE[0]
    left = int(random.integers(0, canvas.width - width))
    top = int(random.integers(0, canvas.height - height))
    view = canvas.resize(SIZE, Image.Resampling.BOX, (left, top, left + width, top + height))
    for turn in (Image.Transpose.FLIP_LEFT_RIGHT, Image.Transpose.FLIP_TOP_BOTTOM):
        if random.random() < 0.5:
            view = view.transpose(turn)
    return view


def jpeg(image: Image.Image) -> bytes:
    """Return an image as the bytes of a JPEG file."""
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


def write_metadata(path: Path, content: list[Row], columns: tuple[str, ...] = COLUMNS) -> None:
    """Write a metadata table."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(content)


def photograph(number: int) -> Image.Image:
    """Return a picture that no dermatoscope took: green and blue stripes, 200 x 150."""
    random = np.random.default_rng(number)
    x, y = np.meshgrid(np.arange(SIZE[0]), np.arange(SIZE[1]))
    angle, wave = random.uniform(0, np.pi), random.uniform(0.1, 0.3)
    stripes = 60 * np.sin((x * np.cos(angle) + y * np.sin(angle)) * wave)
    colours = random.uniform(20, 90), random.uniform(110, 160), random.uniform(140, 190)
    return Image.fromarray(
        np.clip(np.stack([c + stripes for c in colours], axis=2), 0, 255).astype(np.uint8)
    )


def write_image(path: Path, dx: str, number: int, place: int = 0) -> None:
    """Draw one view of a diagnosis's lesion."""
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(jpeg(picture(dx, number, place)))


def write_clinic(folder: Path, prefix: str, place: int) -> Path:
    """Draw a clinic's own pictures, as many as the whole data set has.

    Parameters
    ----------
    prefix
        Of the identifiers of lesions and images.
    place
        Which lesions are drawn (`canvases`).
    """
    content = [
        {
            "image": f"{prefix}{number}", "lesion": row["lesion_id"], "diagnosis": row["dx"],
            "age": row["age"], "sex": row["sex"], "site": row["localization"],
            "skin_tone": str(number % 6),
        }
        for number, row in enumerate(rows(prefix))
    ]  # fmt: skip
    folder.mkdir(exist_ok=True)
    write_metadata(folder / "images.csv", content, tuple(content[0]))
    for number, row in enumerate(content):
        write_image(folder / "images" / f"{row['image']}.jpg", row["diagnosis"], number, place)
    return folder


def write_photographs(folder: Path, prefix: str) -> None:
    """Draw a photograph without a dermatoscope of each lesion of a clinic, as MILK10k has them."""
    lesions = list(dict.fromkeys(row["lesion_id"] for row in rows(prefix)))
    content = [{"image_id": f"{name}-photo", "lesion_id": name} for name in lesions]
    write_metadata(folder / "clinical.csv", content, ("image_id", "lesion_id"))
    (folder / "clinical").mkdir()
    for number, row in enumerate(content):
        path = folder / "clinical" / f"{row['image_id']}.jpg"
        path.write_bytes(jpeg(photograph(number)))


def write_images(folders: tuple[Path, ...], content: list[Row]) -> None:
    """Draw the image of every row, spread over the folders."""
    for number, row in enumerate(content):
        folder = folders[number * len(folders) // len(content)]
        write_image(folder / f"{row['image_id']}.jpg", row["dx"], number)


def table_lines(content: list[Row]) -> list[str]:
    """Return the lines of the 28 x 28 table: a header, and one line for each row."""
    lines = [",".join([f"pixel{i:04d}" for i in range(28 * 28 * 3)] + ["label"])]
    for number, row in enumerate(content):
        small = picture(row["dx"], number).resize((28, 28), Image.Resampling.BOX)
        label = TABLE_LABELS[row["dx"]]
        lines.append(",".join(map(str, [*np.asarray(small).ravel().tolist(), label])))
    return lines
