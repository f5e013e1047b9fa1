"""What other systems know things by: made of the archive's keys, and always the same."""

import uuid
from typing import Final

_NAMESPACE: Final = uuid.UUID("5b0a2c1e-6f0d-4f64-9a53-0d1b7c1f7a92")


def derived_uuid(what: str, *keys: str) -> uuid.UUID:
    """Return the identifier of a thing (RFC 9562, version 5); the keys cannot be told from it.

    Parameters
    ----------
    what
        Its kind, such as ``lesion``.
    keys
        What tells it from others of its kind.
    """
    return uuid.uuid5(_NAMESPACE, "\x1f".join((what, *keys)))


def dicom_uid(identifier: uuid.UUID) -> str:
    """Return a UUID as a DICOM UID (PS3.5 B.2)."""
    return f"2.25.{identifier.int}"
