"""The demonstration without a screen: pictures of the screen, and the findings as tables."""

from pathlib import Path

import numpy as np
import pygame
from numpy.typing import NDArray
from PIL import Image

from device.capture.demo import SCENES, demo_frame
from device.console import print_finding, save_picture
from device.diagnoses import Code
from device.frame import Frame
from device.imaging.field_of_view import crop, saliency_over_field
from device.inference.analyzer import Analyzer, likeliest_malignant
from device.inference.finding import Finding, to_record
from device.screen.display import close_screen, open_offscreen
from device.screen.renderer import Renderer
from device.screen.view import LiveView

SIZE = (1024, 600)


def write_demo_screenshots(out: Path, analyzer: Analyzer) -> None:
    """Run every scene of the demonstration through the model and draw the screen for it.

    Writes ``screen-1.png`` and so on into `out`, and prints each finding.
    """
    screen = open_offscreen(SIZE)
    try:
        renderer = Renderer(SIZE, analyzer.manifest)
        for number, scene in enumerate(SCENES, start=1):
            frame = demo_frame(scene)
            finding = analyzer.analyze(frame)
            code = likeliest_malignant(finding.probabilities)
            view = LiveView(
                field=crop(frame.pixels, finding.field),
                finding=finding,
                overlay=_overlay(analyzer, frame, finding, code),
                overlay_wanted=finding.explainable(code),
                explained=code,
                source=frame.source,
            )
            renderer.draw(screen, view)
            path = out / f"screen-{number}.png"
            save_picture(path, Image.frombytes("RGB", SIZE, pygame.image.tobytes(screen, "RGB")))
            print_finding(
                to_record(finding, str(path), analyzer.reached_operating_points(finding)),
                analyzer.manifest,
            )
    finally:
        close_screen()


def _overlay(
    analyzer: Analyzer, frame: Frame, finding: Finding, code: Code
) -> NDArray[np.float32] | None:
    """Return the map of a diagnosis over the field of view, where the screen would show one."""
    if not finding.explainable(code):
        return None
    saliency = finding.saliency or analyzer.explain(frame, code)
    geometry = analyzer.manifest.live.input.geometry
    return saliency_over_field(saliency.values, frame.pixels.shape, geometry, finding.field)
