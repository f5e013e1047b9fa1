"""Transactions posted to a FHIR server."""

import json
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from math import ceil
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from device.errors import BusyError, ExportError, RefusedError, UnreachableError
from device.exchange import FhirServer, Tls
from device.interop.dicom_network import CHECK_OTHER_END, NO_ANSWER, PATIENCE
from device.interop.fhir_bundle import fhir_bundle
from device.interop.sending import Send
from device.interop.study import ExaminedLesion
from device.interop.tls import CHECK_CERTIFICATES, SECURED_ONLY, tls_context
from device.language import translatable
from device.platform.regular_files import read_regular_file
from device.text import printable_path

_LARGEST: Final = 16 << 20
_LARGEST_TOKEN: Final = 16 << 10
_TYPE: Final = "application/fhir+json"
_TAKEN: Final = range(200, 300)
_NOT_ALLOWED: Final = (401, 403)
_TRY_LATER: Final = (408, 425, 429)
_BUSY: Final = (429, 503)
_ROUNDS: Final = 20
"""How often it may fall silent for just less than what is waited for an answer."""

_LONGEST_WAIT: Final = 3600


@contextmanager
def fhir_store(server: FhirServer, patience: float = PATIENCE) -> Iterator[Send]:
    """Yield what posts an examination to a server.

    Posting one again does no harm: every resource is made or changed by its identifier.

    Raises
    ------
    device.errors.UnreachableError
        What is yielded, too: if the server cannot be reached, cannot be trusted, does not admit the
        instrument, or does not answer as a FHIR server does.
    device.errors.RefusedError
        What is yielded: if the examination is filed under nobody, or the server does not take it.
    """
    token = _read_token(server)
    context = tls_context(Tls(authority=server.authority), server.name)

    def send(examined: ExaminedLesion) -> None:
        if examined.patient is None:
            raise RefusedError(
                translatable("{target} takes only what is filed under a patient"),
                action=translatable("file the picture under its patient"),
                target=server.name,
            )
        bundle = fhir_bundle(examined, examined.patient, server.patients)
        headers = {"Content-Type": _TYPE, "Accept": _TYPE}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        content = _post(server, context, json.dumps(bundle).encode(), headers, patience)
        _check(content, len(bundle["entry"]), server)

    yield send


def _read_token(server: FhirServer) -> str:
    if not server.token_file:
        return ""
    try:
        content = read_regular_file(Path(server.token_file), _LARGEST_TOKEN)
        return content.decode("ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise UnreachableError(
            translatable("the token for {target} cannot be read"),
            action=translatable("check the file that token_file names"),
            where=printable_path(server.token_file),
            detail=getattr(error, "strerror", None) or "no ASCII",
            target=server.name,
        ) from None


def _post(
    server: FhirServer,
    context: ssl.SSLContext,
    body: bytes,
    headers: dict[str, str],
    patience: float,
) -> bytes:
    """Post, and return the answer: from where the settings say, and from nowhere else.

    Neither are redirections followed nor proxies used, which the environment may name.
    """
    url = urlsplit(server.url)
    connection = (
        HTTPSConnection(url.netloc, timeout=patience, context=context)
        if url.scheme == "https"
        else HTTPConnection(url.netloc, timeout=patience)
    )
    with closing(connection):
        _connect(connection, server)
        # A server that says a little now and then would keep it waiting for ever.
        end = threading.Timer(_ROUNDS * patience, _hang_up, (connection.sock,))
        end.start()
        try:
            connection.request("POST", url.path or "/", body, headers)
            with connection.getresponse() as answer:
                if answer.status not in _TAKEN:
                    raise _answered(answer.status, answer.getheader("Retry-After", ""), server)
                return answer.read(_LARGEST)
        except (OSError, HTTPException) as error:
            if isinstance(error, ExportError):
                raise
            raise _silent(server, type(error).__name__) from None
        finally:
            end.cancel()


def _connect(connection: HTTPConnection, server: FhirServer) -> None:
    try:
        connection.connect()
    except ssl.SSLError as error:
        raise _unsecured(server, error) from None
    except TimeoutError:
        raise _silent(server, "time-out") from None
    except OSError as error:
        raise UnreachableError(
            translatable("{target} cannot be reached"),
            action=translatable("check the network, and host and port in the settings"),
            detail=error.strerror or str(error),
            target=server.name,
        ) from None


def _hang_up(connection: socket.socket) -> None:
    with suppress(OSError):
        # That of an encrypted one would take from whoever reads what it reads with.
        socket.socket.shutdown(connection, socket.SHUT_RDWR)


def _check(content: bytes, count: int, server: FhirServer) -> None:
    """Check that a server has taken every part: what it says of them may name the patient."""
    try:
        answer: Any = json.loads(content)
        statuses = [str(entry["response"]["status"])[:3] for entry in answer["entry"]]
        taken = answer["type"] == "transaction-response" and len(statuses) == count
    except (ValueError, TypeError, KeyError, RecursionError):
        taken, statuses = False, []
    if not taken:
        raise _silent(server, "no transaction-response")
    if not all(status.startswith("2") for status in statuses):
        raise _refused(server, ", ".join(sorted(set(statuses))))


def _answered(code: int, wait: str, server: FhirServer) -> ExportError:
    if code in _NOT_ALLOWED:
        return UnreachableError(
            translatable("{target} does not admit the instrument"),
            action=translatable("have its access renewed there, and check token_file"),
            detail=f"HTTP {code}",
            target=server.name,
        )
    if code in _BUSY and (seconds := _seconds(wait)):
        return BusyError(
            translatable("{target} is busy and asks to wait for {seconds} seconds"),
            action=translatable("wait, or have whoever runs it look why"),
            detail=f"HTTP {code}",
            target=server.name,
            seconds=seconds,
        )
    if 400 <= code < 500 and code not in _TRY_LATER:
        return _refused(server, f"HTTP {code}")
    return _silent(server, f"HTTP {code}")


def _seconds(wait: str) -> int:
    """Return how long a server asks to wait (RFC 9110, 10.2.3); 0 where it does not say."""
    if wait.isascii() and wait.isdecimal():
        return min(int(wait[:9]), _LONGEST_WAIT)
    with suppress(ValueError, OverflowError):
        until = parsedate_to_datetime(wait)
        if until.tzinfo is not None:
            left = (until - datetime.now(UTC)).total_seconds()
            return max(0, min(ceil(left), _LONGEST_WAIT))
    return 0


def _refused(server: FhirServer, detail: str) -> RefusedError:
    return RefusedError(
        translatable("{target} refused the examination"),
        action=CHECK_OTHER_END,
        detail=detail,
        target=server.name,
    )


def _silent(server: FhirServer, detail: str) -> UnreachableError:
    return UnreachableError(NO_ANSWER, action=CHECK_OTHER_END, detail=detail, target=server.name)


def _unsecured(server: FhirServer, error: ssl.SSLError) -> UnreachableError:
    reason = getattr(error, "verify_message", "") or error.reason or "TLS"
    return UnreachableError(
        SECURED_ONLY, action=CHECK_CERTIFICATES, detail=str(reason), target=server.name
    )
