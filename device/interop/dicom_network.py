"""DICOM over a network: an association with a peer, and pictures stored through it (C-STORE)."""

import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from device.errors import RefusedError, UnreachableError
from device.exchange import DicomPeer
from device.interop.dicom_image import DERMOSCOPIC, PHOTOGRAPHIC, dicom_image
from device.interop.dicom_report import dicom_report
from device.interop.extra import extra_installed
from device.interop.sending import Send
from device.interop.study import ExaminedLesion
from device.interop.tls import CHECK_CERTIFICATES, SECURED_ONLY, tls_context
from device.language import translatable

if TYPE_CHECKING:
    from pydicom import Dataset

COMPREHENSIVE_SR: Final = "1.2.840.10008.5.1.4.1.1.88.33"
_STORED: Final = (DERMOSCOPIC, PHOTOGRAPHIC, COMPREHENSIVE_SR)

PATIENCE: Final = 30.0
"""Seconds to wait for an answer."""

_CONNECTING: Final = 10.0
_OUT_OF_RESOURCES: Final = range(0xA700, 0xA800)
_WARNINGS: Final = range(0xB000, 0xC000)

NO_ANSWER: Final = translatable("{target} does not answer")
CHECK_OTHER_END: Final = translatable("have whoever runs it look whether it works")
OTHER_KINDS: Final = translatable("{target} does not take what it is sent or asked")
EXTEND_CLASSES: Final = translatable("have its SOP classes extended")


@contextmanager
def dicom_store(peer: DicomPeer, patience: float = PATIENCE) -> Iterator[Send]:
    """Connect with an archive, and yield what stores an examination's picture and report there.

    Storing one again does no harm: it has the same identifiers.

    Raises
    ------
    device.errors.UnreachableError
        If it cannot be reached, cannot be trusted, refuses the instrument or does not answer; what
        is yielded likewise.
    device.errors.RefusedError
        What is yielded: if it does not take this picture or report.
    """
    with associated(peer, _STORED, patience) as association:

        def send(examined: ExaminedLesion) -> None:
            image = dicom_image(examined)
            _store(association, image, peer)
            report = dicom_report(examined, image)
            if report is not None:
                _store(association, report, peer)

        yield send


@contextmanager
def associated(
    peer: DicomPeer, classes: tuple[str, ...], patience: float = PATIENCE
) -> Iterator[Any]:
    """Yield an association with a peer for these SOP classes.

    Raises
    ------
    device.errors.UnreachableError
        As `dicom_store`.
    """
    with extra_installed():
        from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian
        from pynetdicom import AE

    context = tls_context(peer.tls, peer.name) if peer.tls else None
    entity = AE(ae_title=peer.own_title)
    entity.connection_timeout = min(_CONNECTING, patience)
    entity.acse_timeout = entity.dimse_timeout = entity.network_timeout = patience
    for uid in classes:
        entity.add_requested_context(uid, [ExplicitVRLittleEndian, ImplicitVRLittleEndian])
    try:
        association: Any = entity.associate(
            peer.host,
            peer.port,
            ae_title=peer.title,
            tls_args=(context, peer.host) if context else None,
        )
    except OSError as error:  # no such host
        raise _unreachable(peer, error) from None
    if not association.is_established:
        raise _why(peer, context, patience, association)
    try:
        yield association
    finally:
        if association.is_established:
            association.release()
        else:
            association.abort()


def no_answer(peer: DicomPeer) -> UnreachableError:
    """Return the error of a peer that said nothing within the time, or hung up."""
    return UnreachableError(
        NO_ANSWER, action=CHECK_OTHER_END, detail=f"{peer.host}:{peer.port}", target=peer.name
    )


def _store(association: Any, dataset: "Dataset", peer: DicomPeer) -> None:
    if not association.is_established:
        raise no_answer(peer)
    try:
        status = association.send_c_store(dataset)
    except ValueError:
        raise RefusedError(
            OTHER_KINDS,
            action=EXTEND_CLASSES,
            detail=dataset.SOPClassUID.name,
            target=peer.name,
        ) from None
    except RuntimeError:  # it hung up in this very moment
        raise no_answer(peer) from None
    if "Status" not in status:
        raise no_answer(peer)
    code = int(status.Status)
    if code == 0 or code in _WARNINGS:
        return
    if code in _OUT_OF_RESOURCES:
        raise RefusedError(
            translatable("{target} has no room for the picture"),
            action=translatable("have room made there"),
            detail=f"{code:04X}",
            target=peer.name,
        )
    raise RefusedError(
        translatable("{target} refused the picture or its report"),
        action=CHECK_OTHER_END,
        detail=f"{code:04X}",
        target=peer.name,
    )


def _why(
    peer: DicomPeer, context: ssl.SSLContext | None, patience: float, association: Any
) -> UnreachableError:
    """Return why there is no association: the library does not tell one failure from another."""
    if association.is_rejected:
        primitive = association.acceptor.primitive
        return UnreachableError(
            translatable("{target} does not know the instrument, or refuses it"),
            action=translatable("have the title {own} entered there, and check the title {title}"),
            detail=f"{primitive.result_str}: {primitive.reason_str}",
            target=peer.name,
            own=peer.own_title,
            title=peer.title,
        )
    if association.rejected_contexts:
        return UnreachableError(
            OTHER_KINDS, action=EXTEND_CLASSES, detail="0 presentation contexts", target=peer.name
        )
    try:
        with socket.create_connection(
            (peer.host, peer.port), min(_CONNECTING, patience)
        ) as connection:
            if context is not None:
                context.wrap_socket(connection, server_hostname=peer.host).close()
    except ssl.SSLError as error:
        return _unsecured(peer, error)
    except OSError as error:
        return _unreachable(peer, error)
    return no_answer(peer)


def _unsecured(peer: DicomPeer, error: ssl.SSLError) -> UnreachableError:
    reason = getattr(error, "verify_message", "") or error.reason or "TLS"
    return UnreachableError(
        SECURED_ONLY, action=CHECK_CERTIFICATES, detail=str(reason), target=peer.name
    )


def _unreachable(peer: DicomPeer, error: OSError) -> UnreachableError:
    return UnreachableError(
        translatable("{target} cannot be reached"),
        action=translatable("check the network, and host and port in the settings"),
        detail=f"{peer.host}:{peer.port}: {error.strerror or error}",
        target=peer.name,
    )
