import contextlib
import http.server
import json
import os
import shutil
import ssl
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from device.errors import BusyError, ExportError, RefusedError, UnreachableError
from device.exchange import FhirServer
from device.interop.fhir_client import fhir_store
from device.interop.study import ExaminedLesion
from device.language import LANGUAGES, translations
from device.models.manifest import Manifest
from tests.device.interop.peers import (
    certificate,
    closed_port,
    hang,
    hang_up,
    listener,
    server_context,
)
from tests.device.interop.studies import DECISION, SECRETS, examined, without_patient

MRN = "https://clinic.example/mrn"
SHORT = 1.0


class Records:
    """A stand-in for a FHIR server: it answers as it is told, and holds what it was sent."""

    def __init__(self) -> None:
        self.status = 200
        self.body: bytes | None = None
        self.headers: dict[str, str] = {}
        self.sent: list[dict[str, Any]] = []
        self.asked: list[dict[str, str]] = []
        self.port = 0

    def answer(self, bundle: dict[str, Any]) -> bytes:
        if self.body is not None:
            return self.body
        entries = [{"response": {"status": "201 Created"}} for _ in bundle["entry"]]
        return json.dumps({"type": "transaction-response", "entry": entries}).encode()


@contextlib.contextmanager
def records(tls: ssl.SSLContext | None = None) -> Iterator[Records]:
    held = Records()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            held.sent.append(json.loads(body))
            held.asked.append(dict(self.headers))
            self.send_response(held.status)
            for name, value in held.headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(held.answer(held.sent[-1]))

        def do_GET(self) -> None:
            held.asked.append(dict(self.headers))
            self.send_error(404)

        def log_message(self, *args: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    if tls:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    server.handle_error = lambda *args: None  # type: ignore[method-assign]
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    held.port = server.server_address[1]
    try:
        yield held
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def at(port: int, scheme: str = "http", **changes: str) -> FhirServer:
    url = f"{scheme}://127.0.0.1:{port}/fhir"
    return FhirServer(**({"name": "records", "url": url, "patients": MRN} | changes))


@pytest.fixture
def one(manifest: Manifest) -> ExaminedLesion:
    return examined(manifest, decision=DECISION)


def refusal(
    server: FhirServer, one: ExaminedLesion, kind: type[ExportError] = UnreachableError
) -> str:
    """Return how sending fails, in English; the two other languages have it too."""
    with pytest.raises(kind) as told, fhir_store(server, SHORT) as send:
        send(one)
    fault = told.value.fault
    for language in LANGUAGES:
        words = translations(language)
        for said in (fault.message, fault.action):
            assert words.translate(said, **fault.values)
            assert language == "en" or words.translate(said) != said
    assert not any(secret in str(told.value) for secret in SECRETS)
    return str(told.value)


def test_transaction_is_posted_with_the_token(one: ExaminedLesion, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("secret\n")
    token = str(tmp_path / "token")
    with records() as held, fhir_store(at(held.port, token_file=token)) as send:
        send(one)
    (bundle,) = held.sent
    assert bundle["resourceType"] == "Bundle"
    assert held.asked[0]["Authorization"] == "Bearer secret"
    assert held.asked[0]["Content-Type"] == "application/fhir+json"


@pytest.mark.parametrize("status", [400, 404, 409, 412, 413, 422])
def test_examination_that_is_refused_is_told(one: ExaminedLesion, status: int) -> None:
    with records() as held:
        held.status, held.body = status, b'{"issue": [{"diagnostics": "MRN-4711 is wrong"}]}'
        said = refusal(at(held.port), one, RefusedError)
    assert (
        f"refused the examination; have whoever runs it look whether it works (HTTP {status})"
        in said
    )


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_server_that_is_ill_is_told(one: ExaminedLesion, status: int) -> None:
    with records() as held:
        held.status, held.body = status, b""
        assert f"does not answer; have whoever runs it look whether it works (HTTP {status})" in (
            refusal(at(held.port), one)
        )


@pytest.mark.parametrize(
    ("wait", "seconds"),
    [("120", 120), ("99999999999", 3600), ("Wed, 21 Oct 2099 07:28:00 GMT", 3600)],
)
def test_server_that_is_busy_says_for_how_long(
    one: ExaminedLesion, wait: str, seconds: int
) -> None:
    with records() as held:
        held.status, held.body, held.headers = 429, b"", {"Retry-After": wait}
        said = refusal(at(held.port), one, BusyError)
    assert f"records is busy and asks to wait for {seconds} seconds" in said


@pytest.mark.parametrize("wait", ["0", "-5", "soon", "Wed, 21 Oct 2015 07:28:00 GMT", "\xb2"])
def test_server_that_does_not_say_for_how_long_is_tried_as_others(
    one: ExaminedLesion, wait: str
) -> None:
    with records() as held:
        held.status, held.body, held.headers = 503, b"", {"Retry-After": wait}
        assert "does not answer" in refusal(at(held.port), one)


@pytest.mark.parametrize("status", [401, 403])
def test_server_that_does_not_admit_the_instrument_is_told(
    one: ExaminedLesion, status: int
) -> None:
    with records() as held:
        held.status, held.body = status, b""
        assert "does not admit the instrument; have its access renewed" in (
            refusal(at(held.port), one)
        )


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirection_is_not_followed(one: ExaminedLesion, status: int) -> None:
    with records() as other, records() as held:
        held.status, held.body = status, b""
        held.headers = {"Location": f"http://127.0.0.1:{other.port}/"}
        assert "does not answer" in refusal(at(held.port), one)
        # Neither what is of patients nor the token goes elsewhere.
        assert other.sent == other.asked == []


@pytest.mark.parametrize(
    "body",
    [
        b"", b"<html>", b"[]", b"null", b'{"type": "transaction-response"}',
        b'{"type": "transaction-response", "entry": []}', b"[" * 100_000, b"\xff",
        b'{"type": "batch-response", "entry": [{"response": {"status": "200"}}]}',
    ],
    ids=range(9),
)  # fmt: skip
def test_answer_that_is_none_counts_as_not_arrived(one: ExaminedLesion, body: bytes) -> None:
    with records() as held:
        held.body = body
        assert "does not answer" in refusal(at(held.port), one)


def test_part_that_is_refused_counts_as_refused(one: ExaminedLesion) -> None:
    with records() as held:
        held.answer = lambda bundle: json.dumps(
            {
                "type": "transaction-response",
                "entry": [{"response": {"status": "422 No"}} for _ in bundle["entry"]],
            }
        ).encode()
        assert "refused the examination" in refusal(at(held.port), one, RefusedError)


def test_nobody_listens(one: ExaminedLesion) -> None:
    assert "cannot be reached" in refusal(at(closed_port()), one)


def test_server_hangs_up(one: ExaminedLesion) -> None:
    with listener(hang_up) as port:
        refusal(at(port), one)


def test_server_hangs_after_it_accepted_the_connection(one: ExaminedLesion) -> None:
    with listener(hang) as port:
        assert "does not answer" in refusal(at(port), one)


def test_server_hangs_while_it_secures_the_connection(one: ExaminedLesion) -> None:
    with listener(hang) as port:
        assert "does not answer" in refusal(at(port, "https"), one)


def test_encrypted_connection(one: ExaminedLesion, tmp_path: Path) -> None:
    own, other = certificate(tmp_path, "own"), certificate(tmp_path, "other")
    with records(server_context(own)) as held:
        with fhir_store(at(held.port, "https", authority=str(own[0]))) as send:
            send(one)
        assert len(held.sent) == 1
        for authority in (str(other[0]), ""):
            said = refusal(at(held.port, "https", authority=authority), one)
            assert "cannot be secured; check the certificates" in said
        assert len(held.sent) == 1
    missing = at(1, "https", authority=str(tmp_path / "missing"))
    assert "cannot be secured" in refusal(missing, one)


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
def test_authority_that_a_card_keeps_beside_those_of_the_system_is_trusted(
    one: ExaminedLesion, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = certificate(tmp_path, "own")
    kept = tmp_path / "certificates"
    kept.mkdir()
    # As the unit on a card has it.
    monkeypatch.setenv("SSL_CERT_DIR", f"/etc/ssl/certs:{kept}")
    with records(server_context(own)) as held:
        assert "cannot be secured" in refusal(at(held.port, "https"), one)
        told = subprocess.run(
            ["openssl", "x509", "-noout", "-hash", "-in", str(own[0])],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        shutil.copyfile(own[0], kept / f"{told.stdout.strip()}.0")
        with fhir_store(at(held.port, "https")) as send:
            send(one)
        assert len(held.sent) == 1


def test_token_that_cannot_be_read_is_told(one: ExaminedLesion, tmp_path: Path) -> None:
    said = refusal(at(closed_port(), token_file=str(tmp_path / "none")), one)
    assert "the token for records cannot be read; check the file" in said
    os.mkfifo(tmp_path / "pipe")
    for endless in (str(tmp_path / "pipe"), "/dev/zero"):
        assert "cannot be read; check the file" in refusal(
            at(closed_port(), token_file=endless), one
        )


def test_examination_of_nobody_is_not_sent(one: ExaminedLesion) -> None:
    with records() as held:
        said = refusal(at(held.port), without_patient(one), RefusedError)
        assert "takes only what is filed under a patient; file the picture" in said
        assert held.sent == []


@pytest.mark.parametrize("url", ["http://records.local/fhir", "ftp://h/x", "https://h/x?y=1"])
def test_server_that_is_not_encrypted_is_no_target(url: str) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"name": "records", "url": url, "patients": MRN}, FhirServer)


def test_server_on_this_machine_need_not_be_encrypted() -> None:
    for url in ("http://localhost:8080/fhir", "http://127.0.0.1/fhir", "http://[::1]:1"):
        msgspec.convert({"name": "records", "url": url, "patients": MRN}, FhirServer)
