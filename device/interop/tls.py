"""How connections are encrypted."""

import ssl
from typing import Final

from device.errors import UnreachableError
from device.exchange import Tls
from device.language import translatable

SECURED_ONLY: Final = translatable("the connection with {target} cannot be secured")
CHECK_CERTIFICATES: Final = translatable("check the certificates of both ends, and their dates")


def tls_context(tls: Tls, target: str) -> ssl.SSLContext:
    """Return what encrypts a connection, and knows the other end by its certificate.

    Parameters
    ----------
    target
        What the screen calls the other end.

    Raises
    ------
    device.errors.UnreachableError
        If a certificate or key that the settings name cannot be read.
    """
    try:
        context = ssl.create_default_context(cafile=tls.authority or None)
        if tls.certificate:
            # A key that asks for a password would wait for one on a terminal.
            context.load_cert_chain(tls.certificate, tls.key or None, password=lambda: "")
    except OSError as error:
        raise UnreachableError(
            SECURED_ONLY,
            action=CHECK_CERTIFICATES,
            detail=str(error.strerror or error),
            target=target,
        ) from None
    return context
