"""Stand-ins for what lies below the sources: OpenCV's capture, and a server of Motion JPEG."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from device.capture.source import FrameSource
from device.frame import Frame
from device.platform.clock import Clock
from tests.device.images import encoded

CLOCK = Clock()
"""The machine's own: drivers take their time whatever a test does."""

RED = (220, 30, 20)
SIZE = (320, 240)

Deed = Callable[[BaseHTTPRequestHandler], None]


def plain(colour: tuple[int, int, int] = RED, size: tuple[int, int] = SIZE) -> NDArray[np.uint8]:
    """Return a picture of one colour, RGB."""
    return np.full((size[1], size[0], 3), colour, np.uint8)


def middle(frame: Frame) -> tuple[int, int, int]:
    """Return the colour in the middle of a frame."""
    height, width = frame.pixels.shape[:2]
    red, green, blue = frame.pixels[height // 2, width // 2]
    return int(red), int(green), int(blue)


def eventually(source: FrameSource, seconds: float = 60.0) -> Frame:
    """Read until there is a frame, as the instrument's loop does."""
    end = time.monotonic() + seconds
    while True:
        try:
            return source.read(0.5)
        except OSError:
            assert time.monotonic() < end


class CvVideo:
    """As much of ``cv2.VideoCapture`` as a V4L2 camera shows of itself."""

    def __init__(
        self, picture: object = None, supported: bool = True, fourcc: str = "MJPG"
    ) -> None:
        self.picture = plain()[:, :, ::-1].copy() if picture is None else picture
        self.damage: Callable[[bytes], bytes] = lambda content: content
        self.state: Literal["working", "stalled", "gone", "busy"] = "working"
        self.values: dict[int, float] = {
            cv2.CAP_PROP_AUTO_EXPOSURE: 3.0 if supported else -1.0,
            cv2.CAP_PROP_AUTO_WB: 1.0 if supported else -1.0,
            cv2.CAP_PROP_FOURCC: float(cv2.VideoWriter.fourcc(*fourcc)),
            cv2.CAP_PROP_CONVERT_RGB: 1.0,
        }
        self.fourcc = self.values[cv2.CAP_PROP_FOURCC]
        self.asked: dict[int, list[float]] = {}
        self.opened = 0
        self.reads = 0
        self.to_miss = 0
        self.released = threading.Event()
        self.waits = threading.Event()

    def __call__(self, path: str, backend: int) -> "CvVideo":
        assert backend == cv2.CAP_V4L2
        self.opened += 1
        self.released.clear()
        return self

    def isOpened(self) -> bool:  # noqa: N802
        return self.state != "busy"

    def read(self) -> tuple[bool, Any]:
        assert not self.released.is_set()
        # The real one waits for ten seconds before it gives up on a stalled camera.
        while self.state == "stalled" and not self.released.is_set():
            self.waits.set()
            time.sleep(0.01)
        time.sleep(0.01)
        self.reads += 1
        if self.to_miss:
            self.to_miss -= 1
            return False, None
        if self.state == "gone":
            return False, None
        if self.values[cv2.CAP_PROP_CONVERT_RGB]:
            return True, self.picture
        # Of Motion JPEG, the real one gives the bytes of the file in one row.
        content = encoded(np.asarray(self.picture)[:, :, ::-1], "JPEG", quality=95)
        return True, np.frombuffer(self.damage(content), np.uint8)[None]

    def get(self, prop: int, /) -> float:
        return self.values.get(prop, -1.0)

    def set(self, prop: int, value: float, /) -> bool:
        self.asked.setdefault(prop, []).append(value)
        if self.values.get(prop, 0.0) < 0:
            return False
        self.values[prop] = self.fourcc if prop == cv2.CAP_PROP_FOURCC else value
        return True

    def release(self) -> None:
        self.released.set()


@contextmanager
def serving(deed: Deed) -> Iterator[str]:
    """Serve on this machine, doing the deed for each request; yield the address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            try:
                deed(self)
            except OSError:
                self.close_connection = True

        def log_message(self, *words: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.block_on_close = False
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/stream"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def begin(handler: BaseHTTPRequestHandler, boundary: str = "frame") -> None:
    """Send the header of a stream."""
    handler.send_response(200)
    handler.send_header("Content-Type", f"multipart/x-mixed-replace; boundary={boundary}")
    handler.end_headers()


def send(handler: BaseHTTPRequestHandler, content: bytes, length: bool = True) -> None:
    """Send one part of a stream."""
    size = f"Content-Length: {len(content)}\r\n" if length else ""
    header = f"--frame\r\nContent-Type: image/jpeg\r\n{size}\r\n"
    handler.wfile.write(header.encode() + content + b"\r\n")
    handler.wfile.flush()


def stream(
    picture: NDArray[np.uint8], length: bool = True, count: int | None = None
) -> Callable[[BaseHTTPRequestHandler], None]:
    """Return the deed of a server that sends a picture over and over, or so many times."""
    content = encoded(picture, "JPEG", quality=95)

    def deed(handler: BaseHTTPRequestHandler) -> None:
        begin(handler)
        sent = 0
        while count is None or sent < count:
            send(handler, content, length)
            sent += 1
            time.sleep(0.01)

    return deed
