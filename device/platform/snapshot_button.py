"""The shutter as the button on a USB dermatoscope, which Linux reports as a key of its own."""

import contextlib
import fcntl
import os
import selectors
import struct
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final

# struct input_event and EVIOCGBIT(EV_KEY) of linux/input.h, and KEY_CAMERA of
# linux/input-event-codes.h, which the driver of USB cameras sends and SDL does not know.
_EVENT: Final = struct.Struct("llHHi")
_EV_KEY: Final = 1
_KEY_CAMERA: Final = 212
_KEY_BYTES: Final = 96
_GET_KEYS: Final = 2 << 30 | _KEY_BYTES << 16 | ord("E") << 8 | 0x20 + _EV_KEY

_SEARCH_SECONDS: Final = 2.0
_REST_SECONDS: Final = 0.2
_CLOSING_SECONDS: Final = 2.0


class SnapshotButton:
    """The buttons of all cameras that are plugged in, now or later.

    Parameters
    ----------
    pressed
        Called once for each press, at its beginning, in a thread of this object's: it should do no
        more than hand the news on.
    folder
        Where the ``event*`` devices lie.
    query
        Returns the bits of the keys that an open device has; by default the kernel is asked.
    search_seconds
        How often to look for devices that were plugged in.
    """

    def __init__(
        self,
        pressed: Callable[[], None],
        folder: Path = Path("/dev/input"),
        query: Callable[[int], bytes] | None = None,
        search_seconds: float = _SEARCH_SECONDS,
    ) -> None:
        self._pressed = pressed
        self._folder = folder
        self._query = query or _keys
        self._search_seconds = search_seconds
        self._last_press = float("-inf")
        self._known: dict[tuple[str, int], int | None] = {}
        self._selector = selectors.DefaultSelector()
        self._closing = threading.Event()
        self._woken, self._waker = os.pipe()
        self._selector.register(self._woken, selectors.EVENT_READ)
        self._thread = threading.Thread(target=self._run, name="snapshot-button", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End the thread. May be called more than once."""
        if not self._closing.is_set():
            self._closing.set()
            os.write(self._waker, b"\0")
            self._thread.join(_CLOSING_SECONDS)

    def __enter__(self) -> "SnapshotButton":
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _run(self) -> None:
        try:
            while not self._closing.is_set():
                self._search()
                for key, _ in self._selector.select(self._search_seconds):
                    if key.fd != self._woken:
                        self._read(key.fd)
        finally:
            for file in [*filter(None, self._known.values()), self._woken, self._waker]:
                os.close(file)
            self._selector.close()

    def _search(self) -> None:
        """Open what was plugged in; a device that is no button is looked at once."""
        present = set()
        for path in self._folder.glob("event*"):
            with contextlib.suppress(OSError):
                device = (path.name, path.stat().st_ctime_ns)
                present.add(device)
                if device not in self._known:
                    self._known[device] = self._open(path)
        for device in self._known.keys() - present:
            self._forget(device)

    def _open(self, path: Path) -> int | None:
        """Return an open device, or None where it is no camera's button."""
        file = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            keys = self._query(file)
        except OSError:
            keys = b""
        if len(keys) * 8 <= _KEY_CAMERA or not keys[_KEY_CAMERA // 8] >> _KEY_CAMERA % 8 & 1:
            os.close(file)
            return None
        self._selector.register(file, selectors.EVENT_READ)
        return file

    def _read(self, file: int) -> None:
        try:
            content = os.read(file, 64 * _EVENT.size)
        except BlockingIOError:
            return
        except OSError:
            content = b""
        if not content:
            # Unplugged; should it be there still, it is opened again with the next search.
            self._forget(next(d for d, known in self._known.items() if known == file))
            return
        for seconds, microseconds, kind, code, value in _EVENT.iter_unpack(
            content[: len(content) // _EVENT.size * _EVENT.size]
        ):
            if (kind, code, value) == (_EV_KEY, _KEY_CAMERA, 1):
                self._press(seconds + microseconds / 1e6)

    def _press(self, at: float) -> None:
        # Cheap buttons bounce, and a second press would let the picture go. The kernel's time may
        # be set back.
        bounced = 0.0 <= at - self._last_press < _REST_SECONDS
        self._last_press = at
        if not bounced:
            self._pressed()

    def _forget(self, device: tuple[str, int]) -> None:
        file = self._known.pop(device)
        if file is not None:
            self._selector.unregister(file)
            os.close(file)


def _keys(file: int) -> bytes:
    answer = bytearray(_KEY_BYTES)
    fcntl.ioctl(file, _GET_KEYS, answer)
    return bytes(answer)
