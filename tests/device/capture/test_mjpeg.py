"""A real server on this machine sends good and bad streams."""

import contextlib
import io
import socket
import ssl
import threading
import time
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import numpy as np
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from device.capture import mjpeg
from device.capture.mjpeg import MjpegSource, MultipartReader
from device.capture.reconnecting import ReconnectingSource
from device.errors import SourceError
from tests.device.capture.drivers import (
    CLOCK,
    RED,
    begin,
    eventually,
    middle,
    plain,
    send,
    serving,
    stream,
)
from tests.device.images import encoded, huge_png

HELD_SECONDS = 60.0
"""A server that goes on holding its connection, long after its client has gone."""

Handler = BaseHTTPRequestHandler
JPEG = encoded(plain(), "JPEG", quality=95)


def self_signed(folder: Path) -> Path:
    """Return a file with a certificate that a camera has made for itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "camera")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    path = folder / "camera.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    return path


def until_trouble(source: MjpegSource) -> str:
    """Read until the source fails for good, and return its words."""
    end = time.monotonic() + 20
    while time.monotonic() < end:
        try:
            source.read(0.2)
        except SourceError as error:
            if "sends no picture" not in str(error):
                return str(error)
    raise AssertionError("the source goes on")


@pytest.mark.parametrize("length", [True, False], ids=["with-length", "without-length"])
def test_pictures_arrive_in_rgb_order(length: bool) -> None:
    with serving(stream(plain(), length)) as url, MjpegSource(url, CLOCK) as source:
        for _ in range(3):
            np.testing.assert_allclose(middle(source.read(10.0)), RED, atol=4)


def test_slow_reader_sees_the_newest_picture() -> None:
    sent = threading.Event()

    def deed(handler: Handler) -> None:
        begin(handler)
        for _ in range(20):
            send(handler, JPEG)
        send(handler, encoded(plain((20, 40, 210)), "JPEG", quality=95))
        sent.set()
        time.sleep(HELD_SECONDS)

    with serving(deed) as url, MjpegSource(url, CLOCK) as source:
        sent.wait(10)
        end = time.monotonic() + 10
        while middle(source.read(10.0))[2] < 150:
            assert time.monotonic() < end


def test_user_and_password_are_sent_and_never_told() -> None:
    asked = []

    def deed(handler: Handler) -> None:
        asked.append((handler.path, handler.headers["Authorization"]))
        handler.send_error(404)

    with serving(deed) as url:
        address = url.replace("//", "//ana:se%20cret@") + "?a=b"
        with pytest.raises(SourceError, match="error 404; check the address") as caught:
            MjpegSource(address, CLOCK)
    assert asked == [("/stream?a=b", "Basic YW5hOnNlIGNyZXQ=")]
    assert "cret" not in str(caught.value)


@pytest.mark.parametrize("status", [401, 403])
def test_server_that_wants_a_password_says_so(status: int) -> None:
    with (
        serving(lambda handler: handler.send_error(status)) as url,
        pytest.raises(SourceError, match="asks for a user and password"),
    ):
        MjpegSource(url, CLOCK)


def test_redirection_is_not_followed() -> None:
    followed = threading.Event()

    def deed(handler: Handler) -> None:
        if handler.path == "/other":
            followed.set()
        handler.send_response(302)
        handler.send_header("Location", "/other")
        handler.end_headers()

    with serving(deed) as url, pytest.raises(SourceError, match="error 302"):
        MjpegSource(url, CLOCK)
    assert not followed.is_set()


@pytest.mark.parametrize(
    "kind", ["text/html", "image/jpeg", "multipart/x-mixed-replace", "multipart/mixed; boundary=a"]
)
def test_something_else_than_a_stream_is_refused(kind: str) -> None:
    def deed(handler: Handler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Type", kind)
        handler.end_headers()

    with serving(deed) as url, pytest.raises(SourceError, match="no stream of JPEG pictures"):
        MjpegSource(url, CLOCK)


def test_server_that_is_not_there_is_named_by_its_host() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with pytest.raises(SourceError, match=r"^127\.0\.0\.1: the camera cannot be reached"):
        MjpegSource(f"http://127.0.0.1:{port}/", CLOCK)


def test_certificate_that_nobody_vouches_for_is_told_as_that(tmp_path: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(self_signed(tmp_path))
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer_once() -> None:
            other, _ = server.accept()
            with other, contextlib.suppress(OSError):
                context.wrap_socket(other, server_side=True).close()

        thread = threading.Thread(target=answer_once)
        thread.start()
        with pytest.raises(SourceError, match="certificate is not trusted; install it") as caught:
            MjpegSource(f"https://ana:secret@127.0.0.1:{server.getsockname()[1]}/", CLOCK)
        thread.join()
    assert caught.value.fault.technical == "127.0.0.1: self-signed certificate"


@pytest.mark.parametrize("answer", [b"", b"\0" * 4000, b"HTTP/1.1 200 OK\r\nA: b" + b"c" * 70000])
def test_server_that_does_not_speak_http_is_refused(answer: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer_once() -> None:
            other, _ = server.accept()
            with other:
                other.recv(1000)
                other.sendall(answer)

        thread = threading.Thread(target=answer_once)
        thread.start()
        with pytest.raises(SourceError, match="cannot be reached over the network"):
            MjpegSource(f"http://127.0.0.1:{server.getsockname()[1]}/", CLOCK)
        thread.join()


def test_answer_that_trickles_without_end_is_given_up() -> None:
    def deed(handler: Handler) -> None:
        for _ in range(2000):
            handler.wfile.write(b"H")
            handler.wfile.flush()
            time.sleep(0.01)

    with serving(deed) as url, pytest.raises(SourceError, match="cannot be reached"):
        MjpegSource(url, CLOCK, patience=0.2)


def test_silent_stream_is_given_up() -> None:
    def deed(handler: Handler) -> None:
        begin(handler)
        send(handler, JPEG)
        time.sleep(HELD_SECONDS)

    with serving(deed) as url, MjpegSource(url, CLOCK, silence=1.0) as source:
        assert "has stopped sending" in until_trouble(source)


def test_picture_that_trickles_without_end_is_given_up() -> None:
    def deed(handler: Handler) -> None:
        begin(handler)
        handler.wfile.write(b"--frame\r\nContent-Length: 100000\r\n\r\n")
        for _ in range(2000):
            handler.wfile.write(b"x")
            handler.wfile.flush()
            time.sleep(0.01)

    with serving(deed) as url, MjpegSource(url, CLOCK, patience=1.0) as source:
        assert "sends too slowly" in until_trouble(source)


def test_stream_that_breaks_off_says_so() -> None:
    with serving(stream(plain(), count=2)) as url, MjpegSource(url, CLOCK) as source:
        assert "has ended its stream" in until_trouble(source)


def test_stream_that_breaks_off_is_opened_again() -> None:
    with serving(stream(plain(), count=3)) as url:
        source = ReconnectingSource(
            "network camera", lambda: MjpegSource(url, CLOCK), CLOCK, pauses=(0.02, 0.1)
        )
        with source:
            numbers = [eventually(source).sequence for _ in range(6)]
    assert numbers == sorted(set(numbers))


@pytest.mark.parametrize(
    "rubbish",
    [
        b"",
        b"hello",
        JPEG[: len(JPEG) // 2],
        JPEG[:700] + JPEG[800:],
        encoded(plain((0, 0, 0)), "JPEG", progressive=True),
        encoded(plain(), "PNG"),
        huge_png(),
        b"\xff\xd8" * 50,
    ],
    ids=["empty", "text", "cut-short", "torn", "many-scans", "png", "huge", "markers"],
)
def test_rubbish_between_pictures_is_passed_over(rubbish: bytes) -> None:
    def deed(handler: Handler) -> None:
        begin(handler)
        while True:
            send(handler, rubbish)
            send(handler, JPEG)
            time.sleep(0.01)

    with serving(deed) as url, MjpegSource(url, CLOCK) as source:
        for _ in range(3):
            np.testing.assert_allclose(middle(source.read(10.0)), RED, atol=4)


def test_stream_of_nothing_but_rubbish_says_what_to_do() -> None:
    def deed(handler: Handler) -> None:
        begin(handler)
        while True:
            send(handler, b"hello")
            time.sleep(0.01)

    with serving(deed) as url, MjpegSource(url, CLOCK) as source:
        assert "cannot be read; set it to Motion JPEG" in until_trouble(source)


def test_picture_that_is_too_small_says_so() -> None:
    with (
        serving(stream(plain(size=(160, 120)))) as url,
        MjpegSource(url, CLOCK) as source,
        pytest.raises(SourceError, match="160 x 120 pixels"),
    ):
        source.read(10.0)


def test_length_that_is_too_large_is_refused_unread() -> None:
    def deed(handler: Handler) -> None:
        begin(handler)
        handler.wfile.write(b"--frame\r\nContent-Length: 999999999999\r\n\r\n")
        time.sleep(HELD_SECONDS)

    with serving(deed) as url, MjpegSource(url, CLOCK) as source:
        assert "pictures above 16 MB" in until_trouble(source)


@pytest.mark.parametrize("start", [b"", b"--frame\r\n", b"--frame\r\n\r\n"])
def test_flood_is_cut_off_at_the_limit(start: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mjpeg, "MAX_JPEG_BYTES", 1 << 20)
    taken = [0]

    class Flood(io.RawIOBase):
        def read1(self, size: int) -> bytes:
            taken[0] += size
            return start if taken[0] == size and start else b"x" * size

    reader = MultipartReader(Flood(), b"--frame", "host")  # type: ignore[arg-type]
    with pytest.raises(SourceError, match="something else than pictures"):
        reader.next_part()
    assert taken[0] < 2 << 20


class Body:
    """A body that comes in pieces of given sizes."""

    def __init__(self, content: bytes, sizes: list[int]) -> None:
        self.content = content
        self.sizes = sizes

    def read1(self, size: int) -> bytes:
        step = self.sizes.pop() if self.sizes else size
        piece, self.content = self.content[:step], self.content[step:]
        return piece


@given(
    parts=st.lists(st.binary(max_size=60).filter(lambda b: b"--b" not in b), max_size=4),
    lengths=st.lists(st.booleans(), min_size=4, max_size=4),
    sizes=st.lists(st.integers(1, 30), max_size=60),
)
def test_parts_come_back_however_they_are_cut(
    parts: list[bytes], lengths: list[bool], sizes: list[int]
) -> None:
    content = b""
    for part, length in zip(parts, lengths, strict=False):
        header = b"content-length : %d\r\n" % len(part) if length else b""
        content += b"--b\r\nContent-Type: image/jpeg\r\n" + header + b"\r\n" + part + b"\r\n"
    body = Body(content + b"--b--\r\n", list(sizes))
    reader = MultipartReader(body, b"--b", "host")  # type: ignore[arg-type]
    assert [reader.next_part() for _ in parts] == parts
    with pytest.raises(SourceError, match="has ended its stream"):
        reader.next_part()


@given(content=st.binary(max_size=300), sizes=st.lists(st.integers(1, 30), max_size=30))
def test_any_bytes_give_parts_or_the_projects_error(content: bytes, sizes: list[int]) -> None:
    body = Body(b"--b\r\n" + content, sizes)
    reader = MultipartReader(body, b"--b", "host")  # type: ignore[arg-type]
    with pytest.raises(SourceError):
        for _ in range(400):
            reader.next_part()


def test_connection_is_hung_up_on_close() -> None:
    gone = threading.Event()

    def deed(handler: Handler) -> None:
        begin(handler)
        try:
            while True:
                send(handler, JPEG)
                time.sleep(0.01)
        finally:
            gone.set()

    with serving(deed) as url:
        source = MjpegSource(url, CLOCK)
        source.read(10.0)
        source.close()
        assert gone.wait(10)
