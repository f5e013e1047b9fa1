"""Transactions posted to a FHIR server."""

import http.client
import json
import ssl
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Final

from device.errors import RefusedError, UnreachableError
from device.exchange import FhirServer, Tls
from device.interop.dicom_network import CHECK_OTHER_END, NO_ANSWER, PATIENCE
from device.interop.fhir_bundle import fhir_bundle
from device.interop.sending import Send
from device.interop.study import ExaminedLesion
from device.interop.tls import CHECK_CERTIFICATES, SECURED_ONLY, tls_context
from device.language import translatable
from device.text import printable_path

_LARGEST: Final = 64 << 20
_TYPE: Final = "application/fhir+json"
_NOT_ALLOWED: Final = (401, 403)
_TRY_LATER: Final = (408, 425, 429)


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """What is of patients goes where the settings say, and nowhere else."""

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: http.client.HTTPMessage,
        newurl: str,
    ) -> None:
        """Follow none: it is an error like another."""


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
    opener = urllib.request.build_opener(
        urllib.request.ProxyHandler({}),
        urllib.request.HTTPSHandler(context=context),
        _NoRedirect(),
    )

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
        request = urllib.request.Request(  # noqa: S310 -- the settings take http and https alone
            server.url, json.dumps(bundle).encode(), headers, method="POST"
        )
        _check(_post(opener, request, server, patience), len(bundle["entry"]), server)

    yield send


def _read_token(server: FhirServer) -> str:
    if not server.token_file:
        return ""
    try:
        return Path(server.token_file).read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise UnreachableError(
            translatable("the token for {target} cannot be read"),
            action=translatable("check the file that token_file names"),
            where=printable_path(server.token_file),
            detail=getattr(error, "strerror", None) or "no ASCII",
            target=server.name,
        ) from None


def _post(
    opener: urllib.request.OpenerDirector,
    request: urllib.request.Request,
    server: FhirServer,
    patience: float,
) -> bytes:
    try:
        with opener.open(request, timeout=patience) as answer:
            content: bytes = answer.read(_LARGEST)
            return content
    except urllib.error.HTTPError as error:
        with error:
            raise _answered(error.code, server) from None
    except ssl.SSLError as error:
        raise _unsecured(server, error) from None
    except urllib.error.URLError as error:
        if isinstance(error.reason, ssl.SSLError):
            raise _unsecured(server, error.reason) from None
        if isinstance(error.reason, TimeoutError):
            raise _silent(server, "time-out") from None
        raise UnreachableError(
            translatable("{target} cannot be reached"),
            action=translatable("check the network, and host and port in the settings"),
            detail=getattr(error.reason, "strerror", None) or str(error.reason),
            target=server.name,
        ) from None
    except (OSError, http.client.HTTPException) as error:
        raise _silent(server, type(error).__name__) from None


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


def _answered(code: int, server: FhirServer) -> UnreachableError | RefusedError:
    if code in _NOT_ALLOWED:
        return UnreachableError(
            translatable("{target} does not admit the instrument"),
            action=translatable("have its access renewed there, and check token_file"),
            detail=f"HTTP {code}",
            target=server.name,
        )
    if 400 <= code < 500 and code not in _TRY_LATER:
        return _refused(server, f"HTTP {code}")
    return _silent(server, f"HTTP {code}")


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
