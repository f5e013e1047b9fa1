"""Whatever the other end does, all that waits goes on waiting, with words for it on the screen."""

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path

import pytest

from device.exchange import FhirServer
from device.inference.finding import Finding
from device.interop.dicom_network import dicom_store
from device.interop.fhir_client import fhir_store
from device.interop.outbox import Outbox
from device.interop.sending import Connect, send_due
from device.interop.study import ExaminedLesion
from device.language import LANGUAGES, translations
from device.models.manifest import Manifest
from device.runtime.sender import NOT_SENT
from tests.device.interop.peers import (
    LEFT_TO_PYTHON,
    VERIFY,
    archive,
    certificate,
    closed_port,
    drip,
    hang,
    hang_up,
    listener,
    peer,
    server_context,
    trusting,
)
from tests.device.interop.studies import DECISION, SECRETS, TAKEN, examined
from tests.device.interop.test_fhir_client import at, records

SHORT = 0.5

pytestmark = LEFT_TO_PYTHON

Ill = Callable[[Path], AbstractContextManager[Connect]]
"""Runs an other end that is ill, and yields how it is connected with."""


def _store(port: int, **changes: object) -> Connect:
    return partial(dicom_store, peer(port, **changes), SHORT)


@contextlib.contextmanager
def _dicom(
    folder: Path, answer: Callable[[], int] = lambda: 0, **kind: object
) -> Iterator[Connect]:
    with archive(**kind) as pacs:
        pacs.answer = answer
        yield _store(pacs.port)


def _sleep() -> int:
    time.sleep(3 * SHORT)
    return 0


@contextlib.contextmanager
def _dicom_listener(
    folder: Path, serve: Callable[[socket.socket], None], tls: bool = False
) -> Iterator[Connect]:
    with listener(serve) as port:
        own = certificate(folder, "own") if tls else None
        yield _store(port, tls=trusting(own[0]) if own else None)


@contextlib.contextmanager
def _aborts(folder: Path) -> Iterator[Connect]:
    """Take part of a picture, and hang up."""
    with archive() as pacs:

        def through(connection: socket.socket) -> None:
            """Pass on what is said, for so many bytes."""
            with (
                contextlib.suppress(OSError),
                connection,
                socket.create_connection(("127.0.0.1", pacs.port)) as other,
            ):
                threading.Thread(target=_pass_on, args=(other, connection), daemon=True).start()
                _pass_on(connection, other, 12_000)

        with listener(through) as port:
            yield _store(port)


def _pass_on(source: socket.socket, target: socket.socket, most: int = 1 << 40) -> None:
    with contextlib.suppress(OSError):
        while most > 0 and (content := source.recv(min(most, 4096))):
            target.sendall(content)
            most -= len(content)
        for one in (source, target):
            one.shutdown(socket.SHUT_RDWR)


@contextlib.contextmanager
def _dicom_tls(folder: Path, trusted: str, days: int = 30) -> Iterator[Connect]:
    files = {name: certificate(folder, name, days=days) for name in ("server", "other")}
    with archive(tls=server_context(files["server"])) as pacs:
        yield _store(pacs.port, tls=trusting(files[trusted][0]))


@contextlib.contextmanager
def _nobody(folder: Path, post: bool = False) -> Iterator[Connect]:
    yield _post(at(closed_port())) if post else _store(closed_port())


DICOM: dict[str, Ill] = {
    "nobody listens": _nobody,
    "it does not know the instrument": partial(_dicom, strict=True),
    "it has another title": partial(_dicom, called="OTHER"),
    "it takes other kinds": partial(_dicom, classes=(VERIFY,)),
    "it hangs up": partial(_dicom_listener, serve=hang_up),
    "it hangs after it accepted the connection": partial(_dicom_listener, serve=hang),
    "it hangs while it secures the connection": partial(_dicom_listener, serve=hang, tls=True),
    "it speaks no DICOM": partial(_dicom_listener, serve=partial(drip, answer=b"HTTP/1.1 400\r\n")),
    "it hangs while it stores": partial(_dicom, answer=_sleep),
    "it hangs up in the middle of a picture": _aborts,
    "it has no room": partial(_dicom, answer=lambda: 0xA700),
    "it cannot understand": partial(_dicom, answer=lambda: 0xC000),
    "its certificate is another's": partial(_dicom_tls, trusted="other"),
    "its certificate has expired": partial(_dicom_tls, trusted="server", days=-1),
}


def _post(server: FhirServer, patience: float = SHORT) -> Connect:
    return partial(fhir_store, server, patience)


@contextlib.contextmanager
def _fhir(folder: Path, status: int = 200, body: bytes = b"", **headers: str) -> Iterator[Connect]:
    with records() as held:
        held.status, held.body = status, body
        held.headers = {name.replace("_", "-"): value for name, value in headers.items()}
        yield _post(at(held.port))


@contextlib.contextmanager
def _fhir_listener(
    folder: Path,
    serve: Callable[[socket.socket], None],
    scheme: str = "http",
    patience: float = SHORT,
) -> Iterator[Connect]:
    with listener(serve) as port:
        yield _post(at(port, scheme), patience)


@contextlib.contextmanager
def _fhir_tls(folder: Path, trusted: str, days: int = 30) -> Iterator[Connect]:
    files = {name: certificate(folder, name, days=days) for name in ("server", "other")}
    with records(server_context(files["server"])) as held:
        yield _post(at(held.port, "https", authority=str(files[trusted][0])))


_OK = b"HTTP/1.1 200 OK\r\n"

FHIR: dict[str, Ill] = {
    "nobody listens": partial(_nobody, post=True),
    "it hangs up": partial(_fhir_listener, serve=hang_up),
    "it hangs after it accepted the connection": partial(_fhir_listener, serve=hang),
    "it hangs while it secures the connection": partial(_fhir_listener, serve=hang, scheme="https"),
    "it speaks no HTTP": partial(_fhir_listener, serve=partial(drip, answer=b"220 mail ready\r\n")),
    "its headers never end": partial(
        _fhir_listener, serve=partial(drip, answer=_OK, drop=b"x"), patience=0.1
    ),
    "its answer never ends": partial(
        _fhir_listener, serve=partial(drip, answer=_OK + b"\r\n{", drop=b" "), patience=0.1
    ),
    "its answer fills the memory": partial(
        _fhir_listener, serve=partial(drip, answer=_OK + b"\r\n[", drop=b"0," * (1 << 19))
    ),
    "it hangs up in the middle of its answer": partial(
        _fhir, body=b'{"type": "transaction-resp', Content_Length="4000"
    ),
    "its answer is no JSON": partial(_fhir, body=b"<html>hello"),
    "its answer is no FHIR": partial(_fhir, body=b'{"resourceType": "Patient"}'),
    "it redirects": partial(_fhir, 307, Location="http://127.0.0.1:1/"),
    "it does not admit the instrument": partial(_fhir, 401),
    "it does not understand": partial(_fhir, 422),
    "it has failed": partial(_fhir, 500),
    "it is busy": partial(_fhir, 429),
    "it is busy for a while": partial(_fhir, 503, Retry_After="1200"),
    "its certificate is another's": partial(_fhir_tls, trusted="other"),
    "its certificate has expired": partial(_fhir_tls, trusted="server", days=-1),
}


@pytest.fixture(scope="module")
def kept(manifest: Manifest, finding: Finding) -> dict[str, ExaminedLesion]:
    every = [examined(manifest, finding, number, decision=DECISION) for number in (1, 2, 3)]
    return {one.examination.record.identifier: one for one in every}


def _see_that_it_waits(
    ill: AbstractContextManager[Connect],
    well: Connect,
    kept: dict[str, ExaminedLesion],
    folder: Path,
) -> None:
    with Outbox(folder) as outbox:
        outbox.add("pacs", [(name, "v1") for name in kept], TAKEN)
        with ill as connect:
            send_due(outbox, {"pacs": connect}, kept.get, lambda: TAKEN)
        waiting = list(outbox.waiting())
        assert {one.examination for one in waiting} == set(kept)
        # One is tried at least; what waits behind it may not have been.
        assert waiting[0].attempts == 1
        for one in waiting:
            assert one.attempts <= 1
            assert one.due > TAKEN
            assert one.fault is not None
            for language in LANGUAGES:
                texts = translations(language)
                values = one.fault.values | {"target": "pacs", "count": len(kept)}
                for said in (NOT_SENT, one.fault.message, one.fault.action):
                    assert said
                    assert texts.translate(said, **values)
                    assert language == "en" or texts.translate(said) != said
            told = f"{one.fault.text} {one.fault.technical}"
            assert not any(secret in told for secret in SECRETS)
    # As after a restart.
    with Outbox(folder) as outbox:
        outbox.retry(TAKEN)
        send_due(outbox, {"pacs": well}, kept.get, lambda: TAKEN)
        assert list(outbox.waiting()) == []


@pytest.mark.parametrize("ill", DICOM.values(), ids=DICOM)
def test_dicom_archive_that_is_ill_leaves_all_of_it_waiting(
    kept: dict[str, ExaminedLesion], tmp_path: Path, ill: Ill
) -> None:
    with archive() as pacs:
        well = partial(dicom_store, peer(pacs.port))
        _see_that_it_waits(ill(tmp_path), well, kept, tmp_path)
        assert len(pacs.stored) == 2 * len(kept)


@pytest.mark.parametrize("ill", FHIR.values(), ids=FHIR)
def test_fhir_server_that_is_ill_leaves_all_of_it_waiting(
    kept: dict[str, ExaminedLesion], tmp_path: Path, ill: Ill
) -> None:
    with records() as held:
        well = partial(fhir_store, at(held.port))
        _see_that_it_waits(ill(tmp_path), well, kept, tmp_path)
        assert len(held.sent) == len(kept)
