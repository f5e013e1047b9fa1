"""A fake of ``picamera2.Picamera2``, so that all of its source runs without a camera.

It has those parts of the real one (0.3.38) that the instrument uses, with the same names, results
and errors, and takes its pictures from the demonstration.
"""

from collections.abc import Callable, Mapping
from concurrent.futures import CancelledError, Future
from dataclasses import dataclass, field
from enum import StrEnum
from threading import Condition
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from device.capture.demo import FRAMES_PER_SECOND, DemoPicture
from device.platform.clock import Clock


class PortState(StrEnum):
    """How the camera answers.

    Requests to a ``stalled`` one are never completed; an ``absent`` one is unplugged; a ``busy``
    one belongs to another program.
    """

    WORKING = "working"
    STALLED = "stalled"
    ABSENT = "absent"
    BUSY = "busy"


FAULTS: Final[tuple[tuple[PortState, float], ...]] = (
    (PortState.WORKING, 20.0),
    (PortState.STALLED, 8.0),
    (PortState.WORKING, 20.0),
    (PortState.ABSENT, 12.0),
)
"""A timetable that shows every kind of trouble within a minute: state, and seconds of it."""

_RGB: Final = {"BGR888": (0, 1, 2), "RGB888": (2, 1, 0)}
_RGBX: Final = {"XBGR8888": (0, 1, 2), "XRGB8888": (2, 1, 0)}
_YUV: Final = ("YUV420",)
_STRIDE_BYTES: Final = 64

_CONTROLS: Final[Mapping[str, tuple[Any, Any, Any]]] = {
    "AeEnable": (False, True, True),
    "AwbEnable": (False, True, True),
    "AfMode": (0, 2, 0),
    "FrameDurationLimits": (33333, 120000, None),
}
"""Minimum, maximum and default of each control that a Camera Module 3 advertises, of those used."""


@dataclass(eq=False)
class FakeCameraPort:
    """The connector that a camera is plugged into; called like the class ``Picamera2``.

    Attributes
    ----------
    clock
        That the camera runs by.
    state
        May be set at any time.
    timetable
        States and the seconds that each lasts, over and over; where there is one it goes before
        `state`.
    picture
        From seconds to what is before the lens, uint8, (height, width, 3), RGB.
    largest
        Width and height that `configure` silently reduces larger streams to.
    replaced
        Formats for which `configure` silently gives another one.
    controls
        What the camera advertises.
    camera
        The camera while it is open.
    """

    clock: Clock
    state: PortState = PortState.WORKING
    timetable: tuple[tuple[PortState, float], ...] = ()
    picture: Callable[[float], NDArray[np.uint8]] = field(default_factory=DemoPicture)
    largest: tuple[int, int] = (4608, 2592)
    replaced: Mapping[str, str] = field(default_factory=dict)
    controls: Mapping[str, tuple[Any, Any, Any]] = field(default_factory=lambda: _CONTROLS)
    camera: "FakePicamera2 | None" = field(default=None, init=False)
    _start: float = field(init=False)

    def __post_init__(self) -> None:
        self._start = self.clock.monotonic()

    def state_now(self) -> PortState:
        """Return the state at this moment."""
        if not self.timetable:
            return self.state
        seconds = (self.clock.monotonic() - self._start) % sum(
            length for _, length in self.timetable
        )
        for state, length in self.timetable:
            seconds -= length
            if seconds < 0:
                return state
        return self.timetable[-1][0]

    def global_camera_info(self) -> list[dict[str, Any]]:
        """Return what is connected."""
        if self.state_now() == PortState.ABSENT:
            return []
        return [{"Model": "fake", "Location": 2, "Rotation": 0, "Id": "/fake", "Num": 0}]

    def __call__(self, camera_num: int = 0) -> "FakePicamera2":
        """Open the camera, as ``Picamera2()`` does."""
        if camera_num >= len(self.global_camera_info()):
            raise RuntimeError(
                f'No camera number {camera_num} found - use "rpicam-hello --list-cameras" to check '
                "connected cameras"
            )
        if self.state_now() == PortState.BUSY or self.camera is not None:
            raise RuntimeError("Camera __init__ sequence did not complete.")
        self.camera = FakePicamera2(self)
        return self.camera

    def camera_closed(self) -> None:
        """Let another program, or another attempt, open the camera."""
        self.camera = None


@dataclass(eq=False)
class _Job:
    """Something that the camera was asked to do: give a request, or stop."""

    stops: bool = False
    future: Future[Any] = field(default_factory=Future)


class FakePicamera2:
    """An open camera; see ``picamera2.Picamera2``."""

    def __init__(self, port: FakeCameraPort) -> None:
        self._port = port
        self._clock = port.clock
        self._condition = Condition()
        self._config: dict[str, Any] = {}
        self._open = True
        self._opened = self._clock.monotonic()
        self._started = False
        self._next_frame = 0.0
        self._jobs: list[_Job] = []
        self._buffers_out = 0
        self._values: dict[str, Any] = {}

    @property
    def camera_controls(self) -> dict[str, tuple[Any, Any, Any]]:
        """Minimum, maximum and default of each control."""
        return dict(self._port.controls) if self._open else {}

    @property
    def values(self) -> dict[str, Any]:
        """Controls as they were set (the real one tells them in each request's metadata)."""
        return dict(self._values)

    def create_video_configuration(
        self,
        main: dict[str, Any],
        lores: dict[str, Any] | None = None,
        buffer_count: int = 6,
    ) -> dict[str, Any]:
        """Return a configuration to be passed to `configure`."""
        if not self._open:
            raise RuntimeError("Camera not opened")
        main = {"format": "XBGR8888", "size": (1280, 720), **main}
        space = "SMPTE170M" if main["size"][0] < 1280 or main["size"][1] < 720 else "Rec709"
        return {
            "main": _aligned(main),
            "lores": None
            if lores is None
            else _aligned({"format": "YUV420", "size": main["size"], **lores}),
            "buffer_count": buffer_count,
            "colour_space": f"<libcamera.ColorSpace '{space}'>",
        }

    def configure(self, camera_config: dict[str, Any]) -> None:
        """Set the streams up; size and format may come out other than asked for."""
        if self._started:
            raise RuntimeError("Camera must be stopped before configuring")
        config = dict(camera_config)
        for name in ("main", "lores"):
            if config[name] is not None:
                config[name] = self._adjusted(name, config[name])
        if config["lores"] is not None:
            if any(
                a > b for a, b in zip(config["lores"]["size"], config["main"]["size"], strict=True)
            ):
                raise RuntimeError("lores stream dimensions may not exceed main stream")
            if config["lores"]["format"] not in _YUV:
                raise RuntimeError("lores stream must be YUV")
        self._config = config

    def camera_configuration(self) -> dict[str, Any]:
        """Return the configuration as it really is."""
        return self._config

    def set_controls(self, controls: dict[str, Any]) -> None:
        """Set controls; one that is not advertised is an error."""
        for name in controls:
            if name not in self._port.controls or not self._open:
                raise RuntimeError(f"Control {name} is not advertised by libcamera")
        self._values.update(controls)

    def start(self) -> None:
        """Begin to fill buffers."""
        if not self._config:
            raise RuntimeError("Camera has not been configured")
        if self._port.state_now() == PortState.ABSENT:
            raise RuntimeError("Failed to start camera: No such device")
        self._started = True
        self._next_frame = self._clock.monotonic()

    def stop(self) -> None:
        """Stop; the order waits behind older requests, and is cancelled with them."""
        if not self._started:
            return
        order = _Job(stops=True)
        with self._condition:
            self._jobs.append(order)
            while not order.future.done():
                self._run_jobs()
                if not order.future.done():
                    self._wait(1 / FRAMES_PER_SECOND)
        order.future.result()

    def close(self) -> None:
        """Give the camera back."""
        if not self._open:
            return
        self.stop()
        self._open = False
        self._config = {}
        self._port.camera_closed()

    def cancel_all_and_flush(self) -> None:
        """Forget the requests that nobody waits for any more."""
        with self._condition:
            for job in self._jobs:
                job.future.set_exception(CancelledError())
            self._jobs = []
            self._condition.notify_all()

    def capture_request(self, wait: float | None = None) -> Any:
        """Return the next completed request; without `wait`, however long it takes.

        With a `wait` of 0 it is a promise of the request, as the real one's is.

        Raises
        ------
        TimeoutError
            If it was not there within `wait` seconds. The request stays queued until
            `cancel_all_and_flush`.
        """
        job = _Job()
        end = None if wait is None else self._clock.monotonic() + wait
        with self._condition:
            self._jobs.append(job)
            if wait is not None and not wait:
                return job
            while True:
                self._run_jobs()
                if job.future.done():
                    return job.future.result()
                left = None if end is None else end - self._clock.monotonic()
                if left is not None and left <= 0:
                    raise TimeoutError
                tick = 1 / FRAMES_PER_SECOND
                self._wait(tick if left is None else min(tick, left))

    def buffer_returned(self) -> None:
        """Take a buffer back from a released request."""
        with self._condition:
            self._buffers_out -= 1

    def _wait(self, seconds: float) -> None:
        self._clock.wait_for(self._condition, lambda: False, seconds)

    def _run_jobs(self) -> None:
        """Complete the oldest job: a request if a frame is due and a buffer free."""
        if self._jobs and self._jobs[0].stops:
            self._started = False
            self._jobs.pop(0).future.set_result(None)
        now = self._clock.monotonic()
        due = (
            self._started
            and self._port.state_now() == PortState.WORKING
            and now >= self._next_frame
        )
        if due and self._jobs and self._buffers_out < self._config["buffer_count"]:
            self._next_frame = max(self._next_frame + 1 / FRAMES_PER_SECOND, now)
            self._buffers_out += 1
            picture = self._port.picture(now - self._opened)
            request = FakeRequest(self, self._config, picture)
            self._jobs.pop(0).future.set_result(request)

    def _adjusted(self, name: str, stream: dict[str, Any]) -> dict[str, Any]:
        given = self._port.replaced.get(stream["format"], stream["format"])
        if given not in (*_RGB, *_RGBX, *_YUV):
            raise RuntimeError(f"Bad format {given} in stream {name}")
        if stream["size"][0] % 2 or stream["size"][1] % 2:
            raise RuntimeError("width and height should be even")
        width, height = (min(a, b) for a, b in zip(stream["size"], self._port.largest, strict=True))
        row = width * (3 if given in _RGB else 4 if given in _RGBX else 1)
        stride = -(-row // _STRIDE_BYTES) * _STRIDE_BYTES
        return {**stream, "format": given, "size": (width, height), "stride": stride}


class FakeRequest:
    """A completed request: one moment, in every stream."""

    def __init__(
        self, camera: FakePicamera2, config: dict[str, Any], picture: NDArray[np.uint8]
    ) -> None:
        self._camera = camera
        self._config = config
        self._picture = picture
        self._references = 1

    def make_array(self, name: str) -> NDArray[np.uint8]:
        """Return a copy of a stream's buffer, laid out as the real one's."""
        config = self._config.get(name)
        if config is None:
            raise RuntimeError(f"Stream {name!r} is not defined")
        seen = _fitted(self._picture, config["size"])
        kind = config["format"]
        if kind in _RGB:
            return np.ascontiguousarray(seen[:, :, _RGB[kind]])
        if kind in _RGBX:
            opaque = np.full((*seen.shape[:2], 1), 255, np.uint8)
            return np.concatenate([seen[:, :, _RGBX[kind]], opaque], axis=2)
        return _yuv420(seen, config["stride"], self._config["colour_space"])

    def release(self) -> None:
        """Give the buffer back to the camera."""
        self._references -= 1
        if self._references < 0:
            raise RuntimeError("CompletedRequest: lock now has negative ref_count")
        self._camera.buffer_returned()


def _aligned(stream: dict[str, Any]) -> dict[str, Any]:
    width, height = stream["size"]
    return {**stream, "size": (width - width % 2, height - height % 2)}


def _fitted(picture: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """Scale a picture into a frame of that size, with black beside it."""
    width, height = size
    scale = min(width / picture.shape[1], height / picture.shape[0])
    inner = (round(picture.shape[1] * scale), round(picture.shape[0] * scale))
    frame = np.zeros((height, width, 3), np.uint8)
    left, top = (width - inner[0]) // 2, (height - inner[1]) // 2
    frame[top : top + inner[1], left : left + inner[0]] = cv2.resize(picture, inner)
    return frame


def _yuv420(seen: NDArray[np.uint8], stride: int, colour_space: str) -> NDArray[np.uint8]:
    """Return (height * 3 / 2, stride): lights, then U, then V at half the size; limited range."""
    height, width = seen.shape[:2]
    red, blue = (0.2126, 0.0722) if "Rec709" in colour_space else (0.299, 0.114)
    r, g, b = (seen[:, :, channel].astype(np.float32) for channel in range(3))
    light = red * r + (1 - red - blue) * g + blue * b
    half = (width // 2, height // 2)
    array = np.zeros((height * 3 // 2, stride), np.uint8)
    array[:height, :width] = np.rint(16 + light * (219 / 255))
    chroma = array[height:].reshape(2, height // 2, stride // 2)
    for plane, channel, weight in ((0, b, blue), (1, r, red)):
        difference = cv2.resize((channel - light) / (2 * (1 - weight)), half)
        chroma[plane, :, : width // 2] = np.rint(128 + difference * (224 / 255))
    return array
