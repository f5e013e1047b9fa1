"""Who the instrument is to the clinic's other systems, and where it may send: settings."""

import re
from enum import StrEnum
from typing import Annotated, Final

import msgspec

Title = Annotated[str, msgspec.Meta(pattern=r"^(?! )[ -\[\]-~]{1,16}(?<! )\Z")]
"""A DICOM application entity's title (PS3.5 6.2, AE)."""

Host = Annotated[str, msgspec.Meta(min_length=1, max_length=253, pattern=r"^[^\s/]+\Z")]
Port = Annotated[int, msgspec.Meta(ge=1, le=65535)]
Name = Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9][a-z0-9-]{0,31}\Z")]
Address = Annotated[str, msgspec.Meta(pattern=r"^https?://[^\s?#]+\Z", max_length=500)]
Uri = Annotated[str, msgspec.Meta(pattern=r"^[a-z][a-z0-9+.-]*:[^\s|,]+\Z", max_length=200)]
Words = Annotated[str, msgspec.Meta(max_length=64, pattern=r"^[^\\\x00-\x1f]*\Z")]

_LOOPBACK: Final = re.compile(r"http://(localhost|127\.0\.0\.1|\[::1\])(:\d+)?(/|\Z)")


class Immersion(StrEnum):
    """What lies between the dermatoscope and the skin (DICOM PS3.3 C.8.12.13)."""

    ULTRASOUND_GEL = "ultrasound-gel"
    ALCOHOL = "alcohol"
    WATER = "water"
    MINERAL_OIL = "mineral-oil"
    PLASTIC_CAP = "plastic-cap"


class Tls(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How a connection is encrypted, and both ends are known.

    Attributes
    ----------
    authority
        File of the certificates (PEM) that the other end's must be signed by; empty for those that
        the system trusts.
    certificate, key
        Files of the instrument's own certificate and key (PEM), where the other end asks for them.
    """

    authority: str = ""
    certificate: str = ""
    key: str = ""


class DicomPeer(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A DICOM application that is sent pictures, or asked for the worklist.

    Attributes
    ----------
    name
        What the screen and the queue call it.
    host, port
        Where it listens.
    title
        Its application entity title.
    own_title
        The instrument's, as the other end knows it.
    tls
        None for a connection without.
    """

    name: Name
    host: Host
    port: Port = 104
    title: Title
    own_title: Title = "DERMASCOPE"
    tls: Tls | None = None


class FhirServer(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A FHIR server that is sent findings.

    Attributes
    ----------
    name
        What the screen and the queue call it.
    url
        Its base; encrypted unless it is on this very machine.
    patients
        The system (a URI) of the clinic's patient identifiers, as the server knows it.
    token_file
        File that holds the bearer token to send along; empty for none.
    authority
        As in `Tls`.
    """

    name: Name
    url: Address
    patients: Uri
    token_file: str = ""
    authority: str = ""

    def __post_init__(self) -> None:
        if not self.url.startswith("https://") and not _LOOPBACK.match(self.url):
            raise ValueError(f"exchange.fhir: the url of {self.name} does not begin with https://")


class Exchange(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The settings of the section ``exchange``.

    Attributes
    ----------
    institution, department
        Whose the instrument is.
    serial_number
        Of the instrument; empty for the board's own.
    contact
        Whether the dermatoscope touches the skin.
    immersion
        What lies between.
    magnification
        Of its optics.
    colour_temperature
        Of its light, in kelvin.
    dicom
        Where pictures are sent. Nothing leaves unless there is one.
    fhir
        Where findings are sent, likewise.
    worklist
        Who is asked for the clinic's worklist.
    """

    institution: Words = ""
    department: Words = ""
    serial_number: Words = ""
    contact: bool | None = None
    immersion: Immersion | None = None
    magnification: Annotated[float, msgspec.Meta(gt=0.0, le=1000.0)] | None = None
    colour_temperature: Annotated[int, msgspec.Meta(ge=1000, le=20000)] | None = None
    dicom: tuple[DicomPeer, ...] = ()
    fhir: tuple[FhirServer, ...] = ()
    worklist: DicomPeer | None = None

    def __post_init__(self) -> None:
        names = [peer.name for peer in self.dicom] + [server.name for server in self.fhir]
        if len(set(names)) < len(names):
            raise ValueError("exchange: two targets have the same name")
