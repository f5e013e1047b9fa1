"""The screen as somebody looked at it and found it good.

After a change that is meant: ``python -m tests.device.screen.test_reference``, and look at each.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from pygame import Surface, image

from device.language import Language
from device.models.manifest import Manifest
from device.screen.renderer import Renderer
from tests.device.screen.states import STATES

REFERENCE = Path(__file__).parent / "reference"
CONSULTATION = (
    "start", "patient", "lesion", "followup", "decision", "keyboard", "worklist", "pin-wait",
    "note-long", "holders", "holder", "newpin-again", "found", "keyboard-accents",
    "decision-similar", "scheduled", "deletion", "spot",
)  # fmt: skip
MOST = (
    "empty", "benign", "no-sign", "malignant", "low-quality", "uncertain", "unfamiliar", "frozen",
    "overlay", "frozen-overlay", "overlay-empty", "progress", "flash", "focus", "compare",
    "compare-first", "settings", "about", "lost", "camera-fault", "analysis-fault", "compare-lost",
    "compare-days", "settings-appliance", "power", "limits", "malignant-light",
    "frozen-overlay-light", "uncertain-light", "selftest", "models", "models-refused",
    "models-update", "not-excluded", *CONSULTATION, "live-case", "patient-light",
    "patient-hands", "patient-feet", "patient-head-front", "patient-head-left", "picture-zoomed",
    "followup-blended", "followup-unlike", "details-new", "pin-open",
)  # fmt: skip
SOME = (
    "malignant", "frozen-overlay", "settings", "uncertain", "unfamiliar", "compare", "about",
    "settings-light", "limits", "selftest", "models-refused",
    "not-excluded", *CONSULTATION,
)  # fmt: skip
SHOWN: list[tuple[str, tuple[int, int], Language]] = [
    *((state, (1024, 600), "en") for state in MOST),
    *((state, (800, 480), "es") for state in SOME),
    *((state, (600, 1024), "pt") for state in SOME),
]
PALETTE = 255
NEAR = 48
"""A palette of so many colours, and another processor's rounding, stay within this."""


def path(state: str, size: tuple[int, int], language: Language) -> Path:
    return REFERENCE / f"{state}-{size[0]}x{size[1]}-{language}.png"


def picture(
    manifest: Manifest, state: str, size: tuple[int, int], language: Language
) -> Image.Image:
    surface = Surface(size)
    Renderer(size, manifest).draw(surface, replace(STATES[state], language=language))
    return Image.frombytes("RGB", size, image.tobytes(surface, "RGB"))


def pixels(shown: Image.Image) -> NDArray[np.int64]:
    return np.asarray(shown.convert("RGB"), np.int64)


@pytest.mark.parametrize(("state", "size", "language"), SHOWN, ids=str)
def test_screen_looks_as_it_did(
    manifest: Manifest, state: str, size: tuple[int, int], language: Language
) -> None:
    drawn = pixels(picture(manifest, state, size, language))
    with Image.open(path(state, size, language)) as kept:
        expected = pixels(kept)
    assert drawn.shape == expected.shape
    # Less than a letter.
    assert (np.abs(drawn - expected).max(axis=2) > NEAR).sum() < 40, "see this file's first lines"


def test_every_kept_picture_is_compared() -> None:
    kept = {p for p in REFERENCE.glob("*.png") if not p.name.startswith("demo-")}
    assert kept == {path(*shown) for shown in SHOWN}


def main() -> None:
    from device.config import Config, model_folder
    from device.models.bundle import load_bundle
    from device.screen.display import close_screen, open_offscreen

    config = Config()
    manifest = load_bundle(model_folder(config), config.trusted_keys).manifest
    open_offscreen((640, 480))
    for shown in SHOWN:
        small = picture(manifest, *shown).quantize(
            PALETTE, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE
        )
        small.save(path(*shown), optimize=True)
    close_screen()


if __name__ == "__main__":
    main()
