"""The key that updates of the system are signed with, and the certificate that cards trust."""

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from build_host.image.commands import ToolError
from device.platform.durable_files import write_atomically

KEY_VARIABLE: Final = "DERMASCOPE_UPDATE_KEY"

_PUBLIC: Final = 0o644
_NAME: Final = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "dermascope updates")])
# An instrument's clock may be years behind: a certificate that ran out would keep it from updates.
_FROM: Final = datetime(2020, 1, 1, tzinfo=UTC)
_UNTIL: Final = datetime(2099, 12, 31, tzinfo=UTC)


def default_update_key() -> Path:
    """Return where the key lies: where ``DERMASCOPE_UPDATE_KEY`` says, else the user's own."""
    named = os.environ.get(KEY_VARIABLE)
    return Path(named) if named else Path.home() / ".config/dermascope/update.key"


def certificate_of(key: Path) -> Path:
    """Return where a key's certificate lies: beside it."""
    return key.with_suffix(".crt")


def ensure_update_key(key: Path) -> bool:
    """Make a key and its certificate where there is none; return whether they were made.

    The certificate is what an instrument trusts; whoever has the key can replace its system.

    Raises
    ------
    build_host.image.commands.ToolError
        If one of the two is missing: cards that trust the other could never be updated again.
    """
    there = [path.exists() for path in (key, certificate_of(key))]
    if all(there):
        return False
    if any(there):
        found, missing = (key, certificate_of(key)) if there[0] else (certificate_of(key), key)
        raise ToolError(
            f"{missing}: missing, and {found} is there; put back the one that belongs to it, or "
            "move it away to have a new pair, which no card that was flashed before will trust"
        )
    key.parent.mkdir(parents=True, exist_ok=True)
    private = ec.generate_private_key(ec.SECP256R1())
    certificate = (
        x509.CertificateBuilder()
        .subject_name(_NAME)
        .issuer_name(_NAME)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(_FROM)
        .not_valid_after(_UNTIL)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(private, hashes.SHA256())
    )
    write_atomically(
        key,
        private.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ),
    )
    write_atomically(
        certificate_of(key), certificate.public_bytes(serialization.Encoding.PEM), _PUBLIC
    )
    return True
