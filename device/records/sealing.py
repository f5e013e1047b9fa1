"""Authenticated encryption of small and large things: AES-256-GCM, and keys made of keys.

What is sealed for somebody else (X25519) can be sealed by anyone who has the public key, and opened
by the private key alone.
"""

import secrets
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
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


def public_key(private: bytes) -> bytes:
    """Return the public half of a private key of 32 bytes, any of which is one (X25519)."""
    return X25519PrivateKey.from_private_bytes(private).public_key().public_bytes_raw()


def seal_for(public: bytes, plain: bytes, context: bytes) -> bytes:
    """Encrypt something so that the private key alone opens it: not whoever sealed it, either.

    Parameters
    ----------
    public
        Of whoever is to open it.
    context
        As for `seal`. It does not tell who sealed it: whoever has the public key can.
    """
    own = X25519PrivateKey.generate()
    sent = own.public_key().public_bytes_raw()
    shared = own.exchange(X25519PublicKey.from_public_bytes(public))
    return sent + seal(derive(shared, "sealed for", sent + public), plain, context)


def open_sealed(private: bytes, sealed: bytes, context: bytes) -> bytes:
    """Return what was sealed for the private key; raises as `unseal`."""
    own = X25519PrivateKey.from_private_bytes(private)
    sent, rest = sealed[:KEY_BYTES], sealed[KEY_BYTES:]
    try:
        shared = own.exchange(X25519PublicKey.from_public_bytes(sent))
    except ValueError:
        raise AlteredError("it is not sealed for anyone") from None
    salt = sent + own.public_key().public_bytes_raw()
    return unseal(derive(shared, "sealed for", salt), rest, context)
