"""Authenticated encryption of small and large things: AES-256-GCM, and keys made of keys."""

import secrets
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

KEY_BYTES: Final = 32
_NONCE_BYTES: Final = 12
OVERHEAD: Final = _NONCE_BYTES + 16
"""Bytes that sealing adds: the nonce, and the tag that authenticates."""


class AlteredError(ValueError):
    """What was sealed was altered, or its key is another."""


def new_secret() -> bytes:
    """Return a random key of 256 bits."""
    return secrets.token_bytes(KEY_BYTES)


def seal(key: bytes | bytearray, plain: bytes, context: bytes) -> bytes:
    """Encrypt something so that nobody without the key reads it or alters it unnoticed.

    Parameters
    ----------
    key
        256 bits. Few things are sealed with one: nonces are random.
    context
        What it is and whose: unsealed as something else it is refused.
    """
    nonce = secrets.token_bytes(_NONCE_BYTES)
    return nonce + AESGCM(key).encrypt(nonce, plain, context)


def unseal(key: bytes | bytearray, sealed: bytes, context: bytes) -> bytes:
    """Return what was sealed.

    Raises
    ------
    AlteredError
        If it was altered, or sealed with another key or as something else.
    """
    if len(sealed) < OVERHEAD:
        raise AlteredError("it is cut short")
    try:
        return AESGCM(key).decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], context)
    except InvalidTag:
        raise AlteredError("it was altered, or its key is another") from None


def derive(secret: bytes | bytearray, purpose: str, salt: bytes = b"") -> bytes:
    """Return a key for one purpose, of a secret that is as hard to guess as a key (HKDF)."""
    info = f"dermascope {purpose}".encode()
    return HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=salt, info=info).derive(bytes(secret))
