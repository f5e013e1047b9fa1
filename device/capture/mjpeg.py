"""Motion JPEG over HTTP, as network cameras and bench set-ups send it, read as if hostile."""

import contextlib
import http.client
import socket
import ssl
import threading
import time
from base64 import b64encode
from typing import Final
from urllib.parse import SplitResult, unquote, urlsplit

import numpy as np
from numpy.typing import NDArray

from device.capture.driver_thread import DriverThread
from device.capture.source import FrameSource
from device.errors import ConfigError, ImageError, SourceError
from device.frame import Frame, SourceKind
from device.imaging.camera_jpeg import decode_frame
from device.language import translatable
from device.platform.clock import Clock
from device.text import printable

MAX_JPEG_BYTES: Final = 16 << 20
"""Largest picture taken: a 20-megapixel JPEG of good quality is half of it."""

MAX_HEADER_BYTES: Final = 8 << 10
SILENCE_SECONDS: Final = 5.0
"""A server that sends nothing for so long has stalled."""

PATIENCE_SECONDS: Final = 10.0
"""A picture that takes longer than this to arrive is of no use to a live view."""

NAME: Final = translatable("network camera")

_CHUNK: Final = 1 << 16


def parse_url(url: str) -> SplitResult:
    """Return the parts of a stream's address.

    Raises
    ------
    device.errors.ConfigError
        If it is no ``http://`` or ``https://`` address of a host. The message leaves the address
        out, as it may hold a password.
    """
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        good = False
    if not good or any(c <= " " or c > "~" for c in url):
        raise ConfigError("the stream's address is wrong; write it as http://HOST:PORT/PATH")
    return parts


class MjpegSource(FrameSource):
    """A server's ``multipart/x-mixed-replace`` stream of JPEG pictures.

    A thread of its own reads the stream as fast as it comes, so that the newest picture is shown
    and a server that stalls holds nobody up. Pictures that are damaged are passed over.

    Parameters
    ----------
    url
        ``http://`` or ``https://``, with a user and password where the server asks for them.
        Redirections are not followed.
    clock
        That stamps the frames.
    silence
        Seconds without a byte after which the server counts as stalled.
    patience
        Seconds that its answer, and then each picture, may take, however busily it trickles.

    Raises
    ------
    device.errors.ConfigError
        If the address is none.
    device.errors.SourceError
        If the server cannot be reached, or sends something else.
    """

    def __init__(
        self,
        url: str,
        clock: Clock,
        silence: float = SILENCE_SECONDS,
        patience: float = PATIENCE_SECONDS,
    ) -> None:
        super().__init__(NAME, SourceKind.CAMERA, clock)
        parts = parse_url(url)
        self._host = printable(parts.hostname or "")
        self._damaged = False
        kind = (
            http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        )
        self._connection = kind(parts.hostname or "", parts.port, timeout=silence)
        headers = {"Accept": "multipart/x-mixed-replace"}
        if parts.username is not None:
            user = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
            headers["Authorization"] = "Basic " + b64encode(user.encode()).decode()
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        self._response: http.client.HTTPResponse | None = None
        self._socket: socket.socket | None = None
        impatience = threading.Timer(patience, self._interrupt)
        impatience.daemon = True
        impatience.start()
        try:
            self._connection.connect()
            self._socket = self._connection.sock
            self._connection.request("GET", target, headers=headers)
            self._response = self._connection.getresponse()
            boundary = self._boundary(self._response)
        except SourceError:
            self._hang_up()
            raise
        except ssl.SSLCertVerificationError as error:
            self._hang_up()
            raise SourceError(
                "the camera's certificate is not trusted",
                action=translatable(
                    "install it on the instrument, check the date, or use an http:// address"
                ),
                where=self._host,
                detail=printable(error.verify_message),
            ) from error
        except (OSError, http.client.HTTPException, ValueError) as error:
            self._hang_up()
            raise SourceError(
                "the camera cannot be reached over the network",
                action=translatable("check that it is on, and the address"),
                where=self._host,
            ) from error
        finally:
            impatience.cancel()
        self._stream = MultipartReader(self._response, boundary, self._host, patience)
        self._driver = DriverThread("mjpeg", self._grab, self._hang_up, clock)

    def read(self, timeout: float = 1.0) -> Frame:
        """Return the newest frame that was not read yet."""
        taken = self._driver.take(timeout)
        if taken is None:
            if self._damaged:
                raise SourceError(
                    "the camera sends pictures that cannot be read",
                    action=translatable("set it to Motion JPEG, and smaller"),
                    where=self._host,
                )
            raise SourceError(
                "the camera sends no picture",
                action=translatable("check that it is on, and the network"),
                where=self._host,
            )
        return self._frame(*taken)

    def _release(self) -> None:
        self._interrupt()
        self._driver.close()

    def _interrupt(self) -> None:
        """Wake the thread that waits for the server."""
        if self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)

    def _hang_up(self) -> None:
        if self._response is not None:
            self._response.close()
        self._connection.close()

    def _boundary(self, response: http.client.HTTPResponse) -> bytes:
        if response.status in (401, 403):
            raise SourceError(
                "the camera asks for a user and password",
                action=translatable(
                    "write them into the address as http://USER:PASSWORD@HOST/PATH"
                ),
                where=self._host,
            )
        if response.status != http.client.OK:
            raise SourceError(
                "the camera answers with error {status}",
                action=translatable("check the address"),
                where=self._host,
                status=response.status,
            )
        boundary = response.headers.get_boundary()
        if response.headers.get_content_type() != "multipart/x-mixed-replace" or not boundary:
            raise SourceError(
                "what is at this address is no stream of JPEG pictures",
                action=translatable("check it"),
                where=self._host,
            )
        # Some servers write the two dashes into the header as well.
        return b"--" + boundary.removeprefix("--").encode("ascii", "replace")

    def _grab(self) -> NDArray[np.uint8] | None:
        try:
            data = self._stream.next_part()
        except SourceError:
            raise
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise SourceError(
                "the camera has stopped sending",
                action=translatable("check that it is on, and the network"),
                where=self._host,
            ) from error
        try:
            picture = decode_frame(data)
        except ImageError:
            self._damaged = True
            return None
        self._damaged = False
        return picture


class MultipartReader:
    """Takes the parts out of a multipart body that never ends, within fixed bounds.

    Parameters
    ----------
    body
        Read with ``read1``.
    boundary
        With its two leading dashes.
    host
        Names the server in messages.
    patience
        Seconds that a part may take.
    """

    def __init__(
        self,
        body: http.client.HTTPResponse,
        boundary: bytes,
        host: str,
        patience: float = PATIENCE_SECONDS,
    ) -> None:
        self._body = body
        self._boundary = boundary
        self._host = host
        self._patience = patience
        self._held = bytearray()
        self._end = 0.0

    def next_part(self) -> bytes:
        """Return the next part's content.

        Raises
        ------
        device.errors.SourceError
            If the stream ends, or a part or its header is too large or too slow.
        OSError
            If the connection fails or is silent.
        """
        self._end = time.monotonic() + self._patience
        self._take_to(self._boundary, MAX_JPEG_BYTES)
        header = self._take_to(b"\r\n\r\n", MAX_HEADER_BYTES)
        length = _content_length(header)
        if length is None:
            content = self._take_to(b"\r\n" + self._boundary, MAX_JPEG_BYTES)
            self._held[:0] = self._boundary
            return content
        if length > MAX_JPEG_BYTES:
            raise self._too_large()
        while len(self._held) < length:
            self._fill()
        content = bytes(self._held[:length])
        del self._held[:length]
        return content

    def _take_to(self, mark: bytes, limit: int) -> bytes:
        """Take what is before a mark, and drop the mark."""
        searched = 0
        while (at := self._held.find(mark, searched)) < 0:
            if len(self._held) > limit:
                raise self._too_large()
            searched = max(0, len(self._held) - len(mark) + 1)
            self._fill()
        content = bytes(self._held[:at])
        del self._held[: at + len(mark)]
        return content

    def _fill(self) -> None:
        if time.monotonic() > self._end:
            raise SourceError(
                "the camera sends too slowly",
                action=translatable("check the network"),
                where=self._host,
            )
        data = self._body.read1(_CHUNK)
        if not data:
            raise SourceError(
                "the camera has ended its stream",
                action=translatable("switch it on again"),
                where=self._host,
            )
        self._held += data

    def _too_large(self) -> SourceError:
        return SourceError(
            "the camera sends something else than pictures, or pictures above {megabytes} MB",
            action=translatable("set it to Motion JPEG, and smaller"),
            where=self._host,
            megabytes=MAX_JPEG_BYTES >> 20,
        )


def _content_length(header: bytes) -> int | None:
    for line in header.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"content-length":
            digits = value.strip()
            return int(digits) if digits.isdigit() and len(digits) <= 12 else None
    return None
