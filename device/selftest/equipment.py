"""What is plugged into the machine: the camera and its optics, the screen, the buttons."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pygame

from device.capture.source import FrameSource
from device.capture.sources import open_source
from device.capture.v4l2 import camera_modes, usb_cameras
from device.config import Config
from device.errors import ConfigError, DermascopeError, SourceError
from device.frame import Frame, SourceKind
from device.language import translatable
from device.optics import load_optics
from device.platform.clock import Clock
from device.platform.gpio_button import GpioButton
from device.platform.sdl_drivers import INVISIBLE, named_drivers
from device.runtime.health import PartHealth, PartState
from device.selftest.check import Check, CheckState, Item, failed, passed, untested, warned

CAMERA_SECONDS: Final = 12.0
"""How long its first picture may take: a driver takes a few seconds to open."""

_FRAMES: Final = 15


def camera_checks(
    config: Config, clock: Clock, folder: Path, source: str | None = None
) -> Iterator[Check]:
    """Return whether pictures come, how large and how fast, and whether the optics fit them.

    Parameters
    ----------
    folder
        Where the calibration is kept.
    source
        Where frames come from, where it is not the setting's.
    """
    frame: Frame | None = None
    try:
        with open_source(source or config.source, clock, config.camera_size) as camera:
            frame = _first(camera, clock)
            yield _pictures(camera, clock)
    except (SourceError, ConfigError) as error:
        yield Check(Item.CAMERA, CheckState.FAILED, error.fault)
    yield optics_check(folder, frame)


def _first(camera: FrameSource, clock: Clock) -> Frame:
    end = clock.monotonic() + CAMERA_SECONDS
    while True:
        try:
            return camera.read(1.0)
        except SourceError:
            if clock.monotonic() >= end:
                raise
            clock.sleep(0.1)


def _pictures(camera: FrameSource, clock: Clock) -> Check:
    begin = clock.monotonic()
    for _ in range(_FRAMES):
        frame = camera.read(5.0)
    rate = _FRAMES / max(clock.monotonic() - begin, 1e-3)
    still = camera.still(5.0)
    values = {
        "size": _size(frame),
        "rate": f"{rate:.0f}",
        "still": _size(still),
        "source": frame.source,
    }
    if camera.kind is not SourceKind.CAMERA:
        return warned(
            Item.CAMERA,
            translatable("{source}: no camera, {size} at {rate} a second"),
            translatable("name the camera in the setting source"),
            **{name: values[name] for name in ("source", "size", "rate")},
        )
    modes = [mode for found in usb_cameras() for mode in camera_modes(found.device)]
    return passed(
        Item.CAMERA,
        translatable("{source}: {size} at {rate} a second, captured {still}"),
        f"modes {', '.join(modes)}" if modes else "",
        **values,
    )


def camera_at_work(health: PartHealth, frame: Frame | None) -> Check:
    """Return how the camera is that the live view shows."""
    if health.fault is not None:
        return Check(Item.CAMERA, CheckState.FAILED, health.fault)
    if health.state is not PartState.WORKING or frame is None:
        return failed(
            Item.CAMERA, translatable("no picture comes"), translatable("check the cable")
        )
    return passed(
        Item.CAMERA, translatable("{source}: {size}"), source=frame.source, size=_size(frame)
    )


def _size(frame: Frame) -> str:
    height, width = frame.pixels.shape[:2]
    return f"{width} x {height}"


def optics_check(folder: Path, frame: Frame | None) -> Check:
    """Return whether a pixel's size is known, and of such frames."""
    try:
        optics = load_optics(folder)
    except ConfigError as error:
        return Check(Item.OPTICS, CheckState.FAILED, error.fault)
    advice = translatable("calibrate with a ruler: dermascope calibrate")
    if optics is None:
        return warned(Item.OPTICS, translatable("not calibrated: no millimetres are shown"), advice)
    if frame is not None:
        height, width = frame.pixels.shape[:2]
        if optics.mm_per_pixel_at(width, height) is None:
            return warned(
                Item.OPTICS, translatable("calibrated for pictures of another shape"), advice
            )
    return passed(
        Item.OPTICS,
        translatable("{length} µm per pixel, calibrated {day}"),
        length=f"{optics.mm_per_pixel * 1000:.1f}",
        day=f"{optics.calibrated:%Y-%m-%d}",
    )


def screen_check(driver: str, size: tuple[int, int]) -> Check:
    """Return what draws, and how large; or that nobody would see it.

    Parameters
    ----------
    driver
        SDL's, in lower case.
    """
    if driver in INVISIBLE and driver in named_drivers():
        return untested(
            Item.SCREEN,
            translatable("{driver} draws where nobody sees it, as SDL_VIDEODRIVER asks"),
            driver=driver,
        )
    if driver in INVISIBLE:
        return failed(
            Item.SCREEN,
            translatable("none is found"),
            translatable("check its cable and that it is switched on"),
        )
    return passed(
        Item.SCREEN,
        translatable("{driver}, {size} pixels"),
        driver=driver,
        size=f"{size[0]} x {size[1]}",
    )


def found_screen() -> Check:
    """Return what SDL would draw on, without drawing."""
    try:
        pygame.display.init()
        driver = pygame.display.get_driver().lower()
        sizes = pygame.display.get_desktop_sizes()
        return screen_check(driver, sizes[0] if sizes else (0, 0))
    except pygame.error as error:
        return failed(
            Item.SCREEN,
            translatable("none is found ({error})"),
            translatable("check its cable and that it is switched on"),
            error=error,
        )
    finally:
        pygame.display.quit()


def buttons_check(config: Config, clock: Clock) -> Check:
    """Return whether the shutter's pin can be used and its button rests."""
    names = [f"GPIO {config.shutter_pin}"] if config.shutter_pin is not None else []
    if config.shutter_pin is not None:
        try:
            with GpioButton(config.shutter_pin, lambda: None, clock) as button:
                if button.is_down:
                    return failed(
                        Item.BUTTONS,
                        translatable("the button at GPIO {pin} is down all the time"),
                        translatable("check its wires; it connects the pin with ground"),
                        pin=config.shutter_pin,
                    )
        except DermascopeError as error:
            return Check(Item.BUTTONS, CheckState.FAILED, error.fault)
    if config.pedal_key:
        names.append(config.pedal_key)
    if not names:
        return untested(Item.BUTTONS, translatable("none is set"))
    return passed(Item.BUTTONS, translatable("at rest: {names}"), names=", ".join(names))
