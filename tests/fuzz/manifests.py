"""Signed manifests with odd values by the thousand: what is refused, and what the rest leads to.

``python -m tests.fuzz.manifests --count 10000`` prints its table of ``docs/robustness.md``.
"""

import contextlib
import io
import json
import os
import random
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final

import cv2
import msgspec
import numpy as np

# Before anything imports pygame.
os.environ.setdefault("SDL_VIDEODRIVER", "dummy")
os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")

from pygame import Surface

from device.capture.demo import SCENES, demo_frame
from device.config import Config, model_folder
from device.console import print_finding, print_model
from device.diagnoses import Code
from device.errors import BundleError
from device.frame import Frame
from device.inference.analyzer import Analyzer
from device.inference.finding import Finding, FindingRecord, to_record
from device.models.bundle import MANIFEST_FILE, SIGNATURE_FILE, Bundle, load_bundle
from device.screen.display import close_screen, open_offscreen
from device.screen.pages.about import AboutView
from device.screen.renderer import Renderer
from device.screen.view import LiveView
from tests.device.bundles import new_key
from tests.fuzz.odd_values import WAYS, changed
from tests.fuzz.outcomes import SEED, Outcome, attempts, options, table

NAMES: Final = ("multicentre", "paper-28")
"""Of the bundles that ship: one of two networks, and one without a map of its own."""

_SIZE: Final = (800, 480)


def attack(count: int, seed: int = SEED) -> dict[str, Outcome]:
    """Sign odd manifests, use each as the instrument does, and return what came of them.

    Parameters
    ----------
    count
        How many, over all ways to be odd.
    seed
        Of the oddities.

    Raises
    ------
    Exception
        Whatever is not a `BundleError` of one line: the attack has succeeded.
    """
    chance = random.Random(seed)
    key, public = new_key()
    frame = demo_frame(SCENES[0])
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as opened:
        open_offscreen(_SIZE)
        opened.callback(close_screen)
        shipped = [_copy(name, Path(folder) / name) for name in NAMES]

        def prepared(way: str, number: int) -> Callable[[], None]:
            bundle = shipped[number // len(WAYS) % len(shipped)]
            plain = json.loads(msgspec.json.encode(bundle.manifest))
            content = json.dumps(changed(plain, way, chance)).encode()
            (bundle.folder / MANIFEST_FILE).write_bytes(content)
            (bundle.folder / SIGNATURE_FILE).write_bytes(key.sign(content))
            return partial(use, bundle.folder, public, frame)

        return attempts(count, seed, WAYS, prepared, BundleError)


def use(folder: Path, key: str, frame: Frame) -> None:
    """Do with a bundle whatever an instrument does, and see that what it says can be true."""
    bundle = load_bundle(folder, (key,))
    analyzer = Analyzer(bundle)
    manifest = bundle.manifest
    _, captured = analyzer.analyze_burst([frame])
    live = analyzer.analyze_live(frame)
    renderer = Renderer(_SIZE, manifest)
    for finding in (live, captured):
        _check(finding)
        record = to_record(finding, "a.jpg", analyzer.reached_operating_points(finding))
        if msgspec.json.decode(msgspec.json.encode(record), type=FindingRecord) != record:
            raise AssertionError("the record does not come back as it was written")
        with contextlib.redirect_stdout(io.StringIO()):
            print_finding(record, manifest)
    analyzer.explain(frame, Code.MEL)
    with contextlib.redirect_stdout(io.StringIO()):
        print_model(bundle)
    surface = Surface(_SIZE)
    for view in (
        LiveView(frame.pixels, captured, clock=frame.time, source="demo"),
        AboutView(key, clock=frame.time, source="demo"),
    ):
        renderer.draw(surface, view)


def _check(finding: Finding) -> None:
    shares = np.array([*finding.probabilities, finding.malignancy])
    if not (np.isfinite(shares).all() and (shares >= 0).all() and (shares <= 1).all()):
        raise AssertionError(f"probabilities are {shares}")
    if abs(shares[:-1].sum() - 1.0) > 1e-6 or not finding.prediction_set:
        raise AssertionError(f"probabilities are {shares}, the set {finding.prediction_set}")


def _copy(name: str, folder: Path) -> Bundle:
    config = Config()
    bundle = load_bundle(model_folder(config).with_name(name), config.trusted_keys)
    folder.mkdir()
    for file, content in bundle.models.items():
        (folder / file).write_bytes(content)
    return replace(bundle, folder=folder)


def main() -> None:
    """Attack as often as the command line says, and print the table."""
    told = options(__doc__, 10_000)
    cv2.setNumThreads(1)
    outcomes = attack(told.count, told.seed)
    sys.stdout.write(table(outcomes, "what is odd", "manifests", "used") + "\n")


if __name__ == "__main__":
    main()
