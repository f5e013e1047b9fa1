"""``make bench``: how fast, as ratios to bare work in the same run.

With ``--older``, OpenCV and NumPy are kept from what processors of the last years have; the network
runtime cannot be.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from itertools import count
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import cv2
import numpy as np
from PIL import Image
from rich.console import Console
from rich.table import Table

from device.capture.demo import FRAMES_PER_SECOND, SCENES, demo_frame
from device.config import load_config, model_folder
from device.diagnoses import Code
from device.frame import Frame, frame_now
from device.inference.analyzer import Analyzer
from device.inference.runtimes import installed_runtime
from device.models.bundle import Bundle, load_bundle
from tests.bench import records
from tests.device.clocks import ManualClock

if TYPE_CHECKING:
    from build_host.evaluation.speed import Speed

ROUNDS = 30
TOGETHER = 15
STARTS = 5

# A child's peak memory counts what its parent held at the fork: so the parent must be small.
_LAUNCHER = """
import os, sys, time
start = time.perf_counter()
child = os.fork()
if child == 0:
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    os.execv(sys.argv[1], sys.argv[1:])
_, status, usage = os.wait4(child, 0)
print(time.perf_counter() - start, usage.ru_maxrss)
sys.exit(os.waitstatus_to_exitcode(status))
"""


def main() -> None:
    config = load_config()
    bundle = load_bundle(model_folder(config), config.trusted_keys)
    table = Table("what", "measured", "limit", title=f"{bundle.manifest.model_id}, one thread")
    (seconds, megabytes), (bare_seconds, _) = start_to_first_finding(), bare_start()
    table.add_row(
        "process start to first finding / the imports that it cannot do without",
        f"{seconds / bare_seconds:.2f} ({seconds:.2f} / {bare_seconds:.2f} s)",
        "2.0",
    )
    table.add_row("resident memory then", f"{megabytes:.0f} MiB", "120 MiB")
    small = demo_frame(SCENES[0])
    large = frame_now(widened(small.pixels, 1920, 1080), 0, "bench")
    preview = frame_now(widened(small.pixels, 960, 540), 0, "bench")
    for name, frame, most in (
        ("1920 x 1080", large, "1.20"), ("1024 x 768", small, "1.20"), ("960 x 540", preview, ""),
    ):  # fmt: skip
        for what, live, limit in (("live", True, most), ("one alone", False, most and "1.50")):
            ours, bare = frame_to_finding(bundle, frame, live=live)
            table.add_row(
                f"frame to finding / bare resize + invoke, {name}, {what}",
                f"{ours / bare:.2f} ({ours * 1e3:.2f} / {bare * 1e3:.2f} ms)",
                limit,
            )
    table.add_row("saliency, one map", f"{saliency(bundle, small) * 1e3:.0f} ms", "")
    for what, (ours, bare), limit in zip(
        (
            "a new picture / bare scale and blit",
            "a new picture and finding / bare scale and blit",
            "what a new map adds / bare blit and blend of the field",
        ),
        screen(bundle, small),
        ("1.50", "", "2.00"),
        strict=True,
    ):
        table.add_row(
            f"screen at 1024 x 600: {what}",
            f"{ours / bare:.2f} ({ours * 1e3:.2f} / {bare * 1e3:.2f} ms)",
            limit,
        )
    for name, (seconds, exponent) in records.measured().items():
        few, many = (f"{each * 1e3:.1f}" for each in seconds)
        table.add_row(
            f"{records.SIZES[-1]:,} examinations: {name}",
            f"{many} ms (of {records.SIZES[0]:,}: {few} ms; grows with exponent {exponent:.2f})",
            f"{records.LIMIT * 1e3:.0f} ms",
        )
    fast = against_reference(bundle.live_model)
    table.add_row(
        f"{fast.reference} / the network",
        f"{fast.times_faster:.1f} ({fast.reference_ms:.2f} / {fast.model_ms:.3f} ms)",
        "20 or more",
    )
    if bundle.manifest.captured is not None:
        large_one = against_reference(bundle.models[bundle.manifest.captured.file])
        table.add_row(
            f"the network of captured pictures / {large_one.reference}",
            f"{large_one.model_ms / large_one.reference_ms:.2f} "
            f"({large_one.model_ms:.2f} / {large_one.reference_ms:.2f} ms)",
            "1.5",
        )
        table.add_row(
            "captured picture to finding / passes of its network",
            "{:.1f} ({:.0f} ms)".format(*captured_to_finding(bundle, small, large_one.model_ms)),
            "",
        )
    Console(width=110).print(table)


def against_reference(model: bytes) -> "Speed":
    """Return how a network compares to a well-known one; last, for that needs TensorFlow."""
    from build_host.evaluation.speed import measure_speed, reference_model

    return measure_speed(model, reference_model())


def captured_to_finding(bundle: Bundle, frame: Frame, pass_ms: float) -> tuple[float, float]:
    """Return how many passes and how many milliseconds the finding of a captured picture takes."""
    analyzer = Analyzer(bundle)
    took = measure(lambda: analyzer.analyze_burst([frame]), 10) * 1e3
    return took / pass_ms, took


def start_to_first_finding() -> tuple[float, float]:
    """Return the median seconds of ``dermascope analyze`` on one photo, and its peak memory."""
    with tempfile.TemporaryDirectory() as folder:
        photo = Path(folder) / "photo.jpg"
        Image.fromarray(demo_frame(SCENES[0]).pixels).save(photo)
        return launched("-m", "device", "analyze", "--json", str(photo))


def bare_start() -> tuple[float, float]:
    """Return the same of a program that imports what decodes, checks and runs, and does nothing."""
    return launched(
        "-c",
        "import cv2, msgspec, numpy, PIL.Image; "
        "from cryptography.hazmat.primitives.asymmetric import ed25519; "
        "from ai_edge_litert.interpreter import Interpreter",
    )


def launched(*arguments: str) -> tuple[float, float]:
    """Return the median seconds and the peak mebibytes of Python with these arguments."""
    command = [sys.executable, "-S", "-c", _LAUNCHER, sys.executable, *arguments]
    times, peaks = [], []
    for _ in range(STARTS):
        said = subprocess.run(command, capture_output=True, check=True, text=True).stdout
        seconds, kibibytes = said.split()
        times.append(float(seconds))
        peaks.append(int(kibibytes) / 1024)
    return median(times), max(peaks)


def widened(pixels: np.ndarray, width: int, height: int) -> np.ndarray:
    """Return a frame of another size, dark at the sides: its stop stays round."""
    scaled = cv2.resize(pixels, (height * pixels.shape[1] // pixels.shape[0], height))
    left = (width - scaled.shape[1]) // 2
    right = width - scaled.shape[1] - left
    return cv2.copyMakeBorder(scaled, 0, 0, left, right, cv2.BORDER_CONSTANT)


def frame_to_finding(bundle: Bundle, frame: Frame, *, live: bool) -> tuple[float, float]:
    """Return the seconds of a frame's finding, and of the least script that could do it.

    Of the live view's frames, 30 a second, of which not every one is measured from the start; or
    of a frame by itself.
    """
    clock = ManualClock()
    analyzer = Analyzer(bundle, clock=clock)

    def ours() -> None:
        clock.seconds += 1.0 / FRAMES_PER_SECOND
        if live:
            analyzer.analyze_live(frame)
        else:
            analyzer.analyze(frame)

    interpreter = installed_runtime().load(bundle.live_model, 1)
    spec = bundle.manifest.live.input
    given = interpreter.get_input_details()[0]["index"]
    wanted = interpreter.get_output_details()[0]["index"]

    def bare() -> None:
        pixels = frame.pixels
        if spec.geometry == "center-square":
            height, width = pixels.shape[:2]
            left = (width - height) // 2
            pixels = pixels[:, left : left + height]
        small = cv2.resize(pixels, (spec.width, spec.height), interpolation=cv2.INTER_AREA)
        interpreter.set_tensor(given, (small.astype(np.int16) - 128).astype(np.int8)[None])
        interpreter.invoke()
        interpreter.get_tensor(wanted).argmax()

    return alternate(ours, bare)


def saliency(bundle: Bundle, frame: Frame) -> float:
    analyzer = Analyzer(bundle)
    return measure(lambda: analyzer.explain(frame, Code.MEL), 10)


def screen(bundle: Bundle, frame: Frame) -> list[tuple[float, float]]:
    """Return the seconds of what the screen does, each with those of the least that could do it.

    A new picture, and a new picture and finding, against one scaling and blit; what a new map adds
    to a live view in which nothing else is new, against one blit and one alpha blend of the field.
    """
    # One core is what the screen may use.
    cv2.setNumThreads(1)
    import pygame

    from device.imaging.field_of_view import crop
    from device.screen.display import close_screen, open_offscreen
    from device.screen.layout import arrange
    from device.screen.renderer import Renderer
    from device.screen.view import LiveView

    size = (1024, 600)
    surface, area = open_offscreen(size), arrange(*size).field
    renderer = Renderer(size, bundle.manifest)
    analyzer = Analyzer(bundle)
    finding = analyzer.analyze(frame)
    # As coarse as a network's own map, over most of the field.
    x, y = np.meshgrid(np.linspace(-1, 1, 6), np.linspace(-1, 1, 6))
    overlay = np.exp(-2 * (x**2 + y**2)).astype(np.float32)
    called = replace(
        finding,
        abstention=None,
        quality=replace(finding.quality, shortcomings=()),
        prediction_set=(Code.MEL,),
    )
    turned = [
        replace(called, probabilities=tuple(np.roll(finding.probabilities, turn)))
        for turn in range(len(finding.probabilities))
    ]
    frames = count()
    field = crop(frame.pixels, finding.field)

    def draw_picture() -> None:
        renderer.draw(surface, LiveView(crop(frame.pixels, finding.field), called))

    def draw_both() -> None:
        new = turned[next(frames) % len(turned)]
        renderer.draw(surface, LiveView(crop(frame.pixels, finding.field), new))

    def mapped(overlay: np.ndarray) -> LiveView:
        return LiveView(field, called, overlay=overlay, overlay_wanted=True, explained=Code.MEL)

    def draw_map() -> None:
        renderer.draw(surface, mapped(overlay.copy()))

    def draw_nothing_new() -> None:
        renderer.draw(surface, same)

    same = mapped(overlay)

    picture = pygame.Surface(area.size)
    heat = pygame.Surface(area.size, pygame.SRCALPHA)
    heat.fill((200, 90, 30, 120))

    def scale_and_blit() -> None:
        # The screen's own order of bytes, as whoever wrote the least would have it.
        pixels = cv2.cvtColor(cv2.resize(field, area.size), cv2.COLOR_RGB2BGRA)
        made = pygame.image.frombuffer(pixels.data, area.size, "BGRA")
        made.set_alpha(None)
        surface.blit(made, area)

    def blit_and_blend() -> None:
        surface.blit(picture, area)
        surface.blit(heat, area)

    try:
        drawn = [quickly(draw, scale_and_blit) for draw in (draw_picture, draw_both)]
        with_map, blended = quickly(draw_map, blit_and_blend)
        renderer.draw(surface, same)
        without, _ = quickly(draw_nothing_new, blit_and_blend)
        return [*drawn, (with_map - without, blended)]
    finally:
        close_screen()
        cv2.setNumThreads(-1)


def measure(action: Callable[[], object], rounds: int) -> float:
    """Return the median seconds of an action."""
    action()
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        action()
        times.append(time.perf_counter() - start)
    return median(times)


def quickly(first: Callable[[], object], second: Callable[[], object]) -> tuple[float, float]:
    """Return the seconds of two actions, taken in turn, that three in four calls take longer than.

    For what does the same at every call: the rest is other work of the machine.
    """
    times = np.empty((ROUNDS * TOGETHER, 2))
    for pair in times:
        for place, action in enumerate((first, second)):
            start = time.perf_counter()
            action()
            pair[place] = time.perf_counter() - start
    ours, bare = np.quantile(times, 0.25, axis=0)
    return float(ours), float(bare)


def alternate(first: Callable[[], object], second: Callable[[], object]) -> tuple[float, float]:
    """Return the seconds of two actions, taken in turn so that both see the same machine.

    The median of the means of some, for not every call need do the same.
    """
    times = np.empty((ROUNDS, TOGETHER, 2))
    for some in times:
        for pair in some:
            for place, action in enumerate((first, second)):
                start = time.perf_counter()
                action()
                pair[place] = time.perf_counter() - start
    ours, bare = np.median(times.mean(axis=1), axis=0)
    return float(ours), float(bare)


def as_on_an_older_processor() -> None:
    """Run this again with what hides the newest instructions from OpenCV and NumPy."""
    hidden = {
        "OPENCV_CPU_DISABLE": "AVX512-SKX,AVX512-ICL,AVX512-CNL,AVX512-CLX",
        "NPY_DISABLE_CPU_FEATURES": "AVX512F AVX512CD AVX512_SKX AVX512_CLX AVX512_CNL AVX512_ICL",
    }
    here = os.environ | hidden
    subprocess.run([sys.executable, "-m", "tests.bench"], check=True, env=here)


if __name__ == "__main__":
    if "--older" in sys.argv:
        as_on_an_older_processor()
    else:
        main()
