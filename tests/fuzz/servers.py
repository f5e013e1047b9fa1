"""Servers that send whatever they like to an instrument that asks for a stream of pictures.

``python -m tests.fuzz.servers --count 300`` prints its table of ``docs/robustness.md``.
"""

import contextlib
import itertools
import random
import socket
import ssl
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final

import cv2
import numpy as np

from device.capture.demo import SCENES, demo_frame
from device.capture.mjpeg import MjpegSource
from device.capture.sources import open_source
from device.errors import ConfigError, SourceError
from device.platform.clock import Clock
from tests.device.images import encoded, huge_png
from tests.device.imaging.large import LARGE
from tests.device.interop.peers import certificate, listener, server_context
from tests.fuzz.files import damaged
from tests.fuzz.outcomes import SEED, options, peak

SILENCE: Final = 0.5
PATIENCE: Final = 1.0
"""A tenth of what the instrument has, so that many can be tried."""

_WAIT: Final = 5.0
_LONGEST: Final = 30.0
"""Even on a machine that has much else to do."""

_WANTED: Final = 2

PICTURE: Final = encoded(np.ascontiguousarray(demo_frame(SCENES[0]).pixels[::3, ::3]), "JPEG")
HEAD: Final = b"HTTP/1.1 200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=b\r\n\r\n"
CHUNKED: Final = HEAD.replace(b"boundary=b", b"boundary=b\r\nTransfer-Encoding: chunked")

Deed = Callable[[socket.socket, random.Random], None]


def part(content: bytes, length: object = None) -> bytes:
    """Return one part of a stream; `length` is what it says of its length."""
    size = len(content) if length is None else length
    return b"--b\r\nContent-Type: image/jpeg\r\nContent-Length: %s\r\n\r\n%s\r\n" % (
        str(size).encode(),
        content,
    )


def _say(content: bytes, then: bytes = b"") -> Deed:
    """Send something once, and, where there is something, that over and over."""

    def deed(other: socket.socket, chance: random.Random) -> None:
        other.sendall(content)
        while then:
            other.sendall(then)
            if len(then) < 1 << 16:
                time.sleep(0.005)

    return deed


def _drip(before: bytes) -> Deed:
    def deed(other: socket.socket, chance: random.Random) -> None:
        other.sendall(before)
        while True:
            other.sendall(b"x")
            time.sleep(0.02)

    return deed


def _quiet(before: bytes) -> Deed:
    def deed(other: socket.socket, chance: random.Random) -> None:
        other.sendall(before)
        while other.recv(4096):
            pass

    return deed


def _cut_anywhere(other: socket.socket, chance: random.Random) -> None:
    whole = HEAD + part(PICTURE) * 2
    other.sendall(whole[: chance.randrange(len(whole))])


def _damaged_anywhere(other: socket.socket, chance: random.Random) -> None:
    other.sendall(damaged(HEAD + part(PICTURE) * 3, chance))


def _torn_pictures(other: socket.socket, chance: random.Random) -> None:
    other.sendall(HEAD)
    while True:
        other.sendall(part(damaged(PICTURE, chance)))
        time.sleep(0.005)


def _answer(head: str) -> bytes:
    return f"HTTP/1.1 {head}\r\n\r\n".encode()


@dataclass(frozen=True)
class Server:
    """One that does something with whoever connects.

    Attributes
    ----------
    deed
        What.
    told
        Words of what is said of it; empty where there are pictures too.
    tls
        ``""`` for a plain one, ``"foreign"`` for a certificate that nobody vouches for, ``"none"``
        for an address with ``https`` at which there is none.
    """

    deed: Deed
    told: tuple[str, ...]
    tls: str = ""


_OFF: Final = ("cannot be reached",)
_NONE: Final = ("no stream of JPEG pictures",)
_CUT: Final = _OFF + _NONE
"""An answer that takes too long is cut off, and what came of it may pass for one."""

_BAD: Final = ("cannot be read",)
_GONE: Final = ("has ended its stream", "has stopped sending")

SERVERS: Final[dict[str, Server]] = {
    "hangs up at once": Server(_say(b""), _OFF),
    "never answers": Server(_quiet(b""), _OFF),
    "answers a byte at a time": Server(_drip(b"HTTP/1.1 200 OK\r\nA: "), _CUT),
    "goes on with its header": Server(_say(b"HTTP/1.1 200 OK\r\n", b"A: b\r\n"), _CUT),
    "goes on with a line": Server(_say(b"HTTP/1.1 200 OK\r\nA: ", b"a" * 1000), _CUT),
    "says 100 Continue over and over": Server(_say(b"", _answer("100 Continue")), _CUT),
    "speaks something else": Server(_say(b"SSH-2.0-OpenSSH_9.2\r\n"), _OFF),
    "redirects to a file": Server(
        _say(_answer("302 Found\r\nLocation: file:///etc/passwd")), ("answers with error 302",)
    ),
    "asks for a password": Server(_say(_answer("401 No")), ("asks for a user and password",)),
    "fails": Server(_say(_answer("500 Oh")), ("answers with error 500",)),
    "sends a page": Server(_say(_answer("200 OK\r\nContent-Type: text/html") + b"<p>"), _NONE),
    "names no boundary": Server(
        _say(_answer("200 OK\r\nContent-Type: multipart/x-mixed-replace")), _NONE
    ),
    "sends nothing more": Server(_quiet(HEAD), _GONE),
    "says too little of the length": Server(_say(HEAD, part(PICTURE, 100)), _BAD),
    "says too much of the length": Server(_say(HEAD, part(PICTURE, len(PICTURE) + 99)), ()),
    "says a length of a terabyte": Server(_say(HEAD + part(PICTURE, 10**11)), ("above 16 MB",)),
    "says a length that is none": Server(_say(HEAD, part(PICTURE, "-1e9")), ()),
    "sends a picture a byte at a time": Server(
        _drip(HEAD + b"--b\r\nContent-Length: 99999\r\n\r\n"), ("sends too slowly",)
    ),
    "breaks off within a picture": Server(_say(HEAD + part(PICTURE)[:-999]), _GONE),
    "floods without a boundary": Server(_say(HEAD, b"x" * (1 << 20)), ("something else than",)),
    "goes on with a part's header": Server(_say(HEAD + b"--b\r\n", b"A: b\r\n" * 999), ("else",)),
    "sends chunks of a wrong size": Server(_say(CHUNKED + b"fffffffffffffff\r\n--b"), _GONE),
    "sends texts": Server(_say(HEAD, part(b"hello")), _BAD),
    "sends empty parts": Server(_say(HEAD, part(b"")), _BAD),
    "sends a PNG of a gigapixel": Server(_say(HEAD, part(huge_png())), _BAD),
    "sends a JPEG of many scans": Server(_say(HEAD, part(LARGE["jpeg-many-scans"]())), _BAD),
    "sends a JPEG of 79 megapixels": Server(_say(HEAD, part(LARGE["jpeg"]())), _BAD),
    "sends damaged pictures": Server(_torn_pictures, ()),
    "is cut off anywhere": Server(_cut_anywhere, ()),
    "sends a damaged stream": Server(_damaged_anywhere, ()),
    "has a certificate of its own making": Server(
        _say(HEAD, part(PICTURE)), ("certificate is not trusted",), "foreign"
    ),
    "speaks no TLS": Server(_say(HEAD, part(PICTURE)), _OFF, "none"),
    "hangs in the TLS handshake": Server(_quiet(b""), _OFF, "none"),
    "sends good pictures": Server(_say(HEAD, part(PICTURE)), ()),
}


@dataclass
class Met:
    """What came of the servers of one kind.

    Attributes
    ----------
    tried
        How many there were.
    pictures
        How many gave a picture.
    told
        What was said of the others.
    longest
        Seconds until that.
    """

    tried: int = 0
    pictures: int = 0
    told: Counter[str] = field(default_factory=Counter)
    longest: float = 0.0


def attack(count: int, seed: int = SEED, at_once: int = 1) -> dict[str, Met]:
    """Ask servers for pictures, and return what came of them, by kind.

    Parameters
    ----------
    count
        How many, over all kinds.
    seed
        Of what they do by chance.
    at_once
        How many at a time.

    Raises
    ------
    Exception
        Whatever is not a `SourceError` with the right words, in time: the attack has succeeded.
    """
    met = {kind: Met() for kind in SERVERS}
    with (
        tempfile.TemporaryDirectory() as folder,
        ThreadPoolExecutor(at_once) as threads,
    ):
        context = server_context(certificate(Path(folder), "camera"))
        kinds = list(itertools.islice(itertools.cycle(SERVERS), count))
        seeds = [f"{seed} {number}" for number in range(count)]
        for kind, (told, seconds) in zip(
            kinds, threads.map(partial(_meet, context), kinds, seeds), strict=True
        ):
            outcome = met[kind]
            outcome.tried += 1
            outcome.longest = max(outcome.longest, seconds)
            if told is None:
                outcome.pictures += 1
            else:
                outcome.told[told] += 1
            wanted = SERVERS[kind].told
            if wanted and not any(words in (told or "") for words in wanted):
                raise AssertionError(f"a server that {kind}: {told!r}, not {wanted}")
            if seconds > _LONGEST:
                raise AssertionError(f"a server that {kind} took {seconds:.1f} s")
    return met


def _meet(context: ssl.SSLContext, kind: str, seed: str) -> tuple[str | None, float]:
    """Return what is said of a server, or None where it gave pictures; and the seconds it took."""
    server, chance = SERVERS[kind], random.Random(seed)

    def serve(other: socket.socket) -> None:
        with contextlib.suppress(OSError, ValueError), other:
            secured = other
            if server.tls == "foreign":
                secured = context.wrap_socket(other, server_side=True)
            elif not server.tls:
                secured.recv(4096)
            server.deed(secured, chance)

    start = time.monotonic()
    with listener(serve) as port:
        scheme = "https" if server.tls else "http"
        told = _ask(f"{scheme}://ana:secret@127.0.0.1:{port}/stream")
    if told is not None and "secret" in told:
        raise AssertionError(f"the password is told: {told}")
    return told, time.monotonic() - start


def _ask(url: str) -> str | None:
    end = time.monotonic() + _WAIT
    seen = 0
    try:
        with MjpegSource(url, Clock(), SILENCE, PATIENCE) as source:
            while seen < _WANTED:
                try:
                    source.read(0.2)
                    seen += 1
                except SourceError as error:
                    if "sends no picture" not in str(error) or time.monotonic() > end:
                        raise
    except SourceError as error:
        words = str(error)
        if len(words.splitlines()) != 1:
            raise AssertionError(f"told in several lines: {words}") from error
        # What was shown before is not taken back.
        return None if seen else words.partition(": ")[2]
    return None


def replayed() -> dict[str, str]:
    """Return what is said of replays that name a server; none is asked anything."""
    told = {}
    asked = threading.Event()

    def serve(other: socket.socket) -> None:
        asked.set()
        other.close()

    with listener(serve) as port, tempfile.TemporaryDirectory() as folder:
        address = f"127.0.0.1:{port}/a.mp4"
        playlist = Path(folder) / "a.mp4"
        playlist.write_text(f"#EXTM3U\n#EXTINF:1,\nhttp://{address}\n")
        for kind, setting in (
            ("replay: of an http address", f"replay:http://{address}"),
            ("replay: of an rtsp address", f"replay:rtsp://ana:secret@{address}"),
            ("replay: of a file address", "replay:file:///etc/passwd"),
            ("replay: of a playlist that names a server", f"replay:{playlist}"),
        ):
            try:
                with open_source(setting, Clock()) as source:
                    source.read()
            except (ConfigError, SourceError) as error:
                told[kind] = str(error).partition(";")[0].replace(folder, "FOLDER")
    if asked.is_set() or any("secret" in words for words in told.values()):
        raise AssertionError("a server was asked, or a password told")
    return told


def _lines(met: dict[str, Met]) -> Iterator[str]:
    yield "| a server that | tried | pictures | told | longest |"
    yield "| --- | --- | --- | --- | --- |"
    for kind, outcome in met.items():
        told = "<br>".join(words.partition(";")[0] for words in outcome.told) or "nothing"
        yield (
            f"| {kind} | {outcome.tried:,} | {outcome.pictures:,} | {told} | "
            f"{outcome.longest:.1f} s |"
        )
    for kind, words in replayed().items():
        yield f"| ({kind}) | 1 | 0 | {words} | 0.0 s |"


def main() -> None:
    """Attack as often as the command line says, and print the table."""
    told = options(__doc__, 10 * len(SERVERS))
    cv2.setNumThreads(1)
    lines = list(_lines(attack(told.count, told.seed)))
    sys.stdout.write("\n".join(lines))
    sys.stdout.write(f"\n\n{told.count:,} servers, one process; its peak was {peak()} MiB.\n")


if __name__ == "__main__":
    main()
