"""Other systems on loopback, well and ill, without anything that must be installed."""

import contextlib
import datetime
import gc
import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from pydicom import Dataset
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom import AE, evt

from device.exchange import DicomPeer, Tls
from device.interop.dicom_image import DERMOSCOPIC, PHOTOGRAPHIC
from device.interop.dicom_network import COMPREHENSIVE_SR

LEFT_TO_PYTHON = pytest.mark.filterwarnings(
    # pynetdicom does not itself close the socket of a connection that was refused.
    "ignore::pytest.PytestUnraisableExceptionWarning"
)


def garbage_is_collected_where_it_was_made() -> Iterator[None]:
    """What pynetdicom leaves open is found here, not in the middle of some other module's test."""
    yield
    gc.collect()


VERIFY = "1.2.840.10008.1.1"
WORKLIST = "1.2.840.10008.5.1.4.31"


def peer(port: int, **changes: Any) -> DicomPeer:
    return DicomPeer(
        **({"name": "pacs", "host": "127.0.0.1", "port": port, "title": "PACS"} | changes)
    )


class Archive:
    """What arrived at a DICOM archive, and how it is to answer."""

    def __init__(self) -> None:
        self.stored: dict[str, Dataset] = {}
        self.syntaxes: set[str] = set()
        self.answer: Callable[[], int] = lambda: 0x0000
        self.entries: list[Dataset] = []
        self.port = 0

    def store(self, event: evt.Event) -> int:
        status = self.answer()
        if status == 0 or status in range(0xB000, 0xC000):
            dataset = event.dataset
            dataset.file_meta = event.file_meta
            self.syntaxes.add(event.context.transfer_syntax)
            self.stored[dataset.SOPInstanceUID] = dataset
        return status

    def find(self, event: evt.Event) -> Iterator[tuple[int, Dataset | None]]:
        status = self.answer()
        if status:
            yield status, None
            return
        for entry in self.entries:
            yield 0xFF00, entry


@contextlib.contextmanager
def archive(
    *,
    syntaxes: tuple[str, ...] = (ExplicitVRLittleEndian, ImplicitVRLittleEndian),
    classes: tuple[str, ...] = (DERMOSCOPIC, PHOTOGRAPHIC, COMPREHENSIVE_SR, WORKLIST),
    strict: bool = False,
    called: str = "",
    tls: ssl.SSLContext | None = None,
) -> Iterator[Archive]:
    """Run an archive; a strict one accepts none but the title OTHER, or `called` as its own."""
    entity = AE(ae_title="PACS")
    for uid in classes:
        entity.add_supported_context(uid, list(syntaxes))
    if strict:
        entity.require_calling_aet = ["OTHER"]
    if called:
        entity.ae_title = called
        entity.require_called_aet = True
    kept = Archive()
    server = entity.start_server(
        ("127.0.0.1", 0),
        block=False,
        ssl_context=tls,
        evt_handlers=[(evt.EVT_C_STORE, kept.store), (evt.EVT_C_FIND, kept.find)],
    )
    kept.port = server.server_address[1]
    try:
        yield kept
    finally:
        server.shutdown()


@contextlib.contextmanager
def listener(serve: Callable[[socket.socket], None]) -> Iterator[int]:
    """Run a server that does one thing with whoever connects; yield its port."""
    listening = socket.create_server(("127.0.0.1", 0))
    ended = threading.Event()

    def accept() -> None:
        while not ended.is_set():
            with contextlib.suppress(OSError):
                connection, _ = listening.accept()
                threading.Thread(target=serve, args=(connection,), daemon=True).start()

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield listening.getsockname()[1]
    finally:
        ended.set()
        with contextlib.suppress(OSError):
            listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        thread.join()


def hang(connection: socket.socket) -> None:
    """Read, and never answer."""
    with contextlib.suppress(OSError), connection:
        while connection.recv(65536):
            pass


def hang_up(connection: socket.socket) -> None:
    connection.close()


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return listening.getsockname()[1]


def drip(connection: socket.socket, answer: bytes = b"", drop: bytes = b" ") -> None:
    """Read what comes first, begin an answer, and never end it."""
    with contextlib.suppress(OSError), connection:
        connection.recv(65536)
        connection.sendall(answer)
        while True:
            connection.sendall(drop)
            time.sleep(0.0 if len(drop) > 1 else 0.05)


def certificate(
    folder: Path, name: str, host: str = "127.0.0.1", days: int = 30
) -> tuple[Path, Path]:
    """Write a certificate that signs itself, and its key; of negative days, one that expired."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    began = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=1 + abs(days))
    ends = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=days)
    alternative = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(host))])
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(began)
        .not_valid_after(ends)
        .add_extension(alternative, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    files = folder / f"{name}.pem", folder / f"{name}.key"
    files[0].write_bytes(made.public_bytes(serialization.Encoding.PEM))
    files[1].write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return files


def server_context(files: tuple[Path, Path], trusted: Path | None = None) -> ssl.SSLContext:
    """Return how a server encrypts; with `trusted`, it asks for a certificate signed by that."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*files)
    if trusted:
        context.load_verify_locations(trusted)
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def trusting(authority: Path, own: tuple[Path, Path] | None = None) -> Tls:
    certificate, key = (str(own[0]), str(own[1])) if own else ("", "")
    return Tls(authority=str(authority), certificate=certificate, key=key)
