"""What the screen asks of the records: commands to the recorder, each answered on its desk."""

from dataclasses import dataclass, field

from device.anatomy import BodySpot
from device.records.access import Holder
from device.records.listing import WorkKind
from device.records.model import PictureKind, Polarization
from device.records.orders import Order, Scheduled
from device.records.patients import Decision, Key, Patient, Sex


@dataclass(frozen=True, slots=True, eq=False)
class NewLesion:
    """A lesion that was pointed at on the body map; it is added when its first picture is.

    What is filed under the same object is of the same lesion.

    Attributes
    ----------
    patient
        Key of whose it is.
    spot
        Where it lies.
    """

    patient: Key
    spot: BodySpot


LesionChoice = Key | NewLesion


@dataclass(frozen=True, slots=True)
class Filing:
    """What is known of a picture before it is taken.

    Attributes
    ----------
    lesion
        That it is of; None to file it later.
    kind
        What it shows.
    polarization
        The light that it is taken in; None where that is not known.
    order
        Of the lesion's patient, which the picture is taken for; None where there is none.
    """

    lesion: LesionChoice | None = None
    kind: PictureKind = PictureKind.DERMOSCOPIC
    polarization: Polarization | None = None
    order: Order | None = None


@dataclass(frozen=True, slots=True)
class FindPatient:
    """Open the patient of an identifier, or say that there is none.

    Attributes
    ----------
    identifier
        As it was read or typed.
    beginning
        It was typed, and may be the beginning of one.
    """

    identifier: str
    beginning: bool = False


@dataclass(frozen=True, slots=True)
class OpenScheduled:
    """Open the patient of an entry of the clinic's worklist, who is added where that is nobody's.

    What is kept of this patient from then on is of the entry's order.

    Attributes
    ----------
    scheduled
        The entry.
    named
        The clinic's settings allow patients' names.
    """

    scheduled: Scheduled
    named: bool = False


@dataclass(frozen=True, slots=True)
class Appoint:
    """Note which entry of the clinic's worklist a patient is who was opened otherwise.

    Nobody asked for it: where another patient is open by now, or an entry is noted, nothing is done
    and nothing answered.

    Attributes
    ----------
    patient
        Key of who is open.
    scheduled
        The entry.
    """

    patient: Key
    scheduled: Scheduled


@dataclass(frozen=True, slots=True)
class AddPatient:
    """Add a patient and open it."""

    identifier: str
    name: str = ""
    birth_year: int | None = None
    sex: Sex | None = None
    phototype: int | None = None


@dataclass(frozen=True, slots=True)
class ChangePatient:
    """Replace what is known of the patient."""

    patient: Patient


@dataclass(frozen=True, slots=True)
class DeletePatient:
    """Delete a patient for good, with lesions and pictures."""

    patient: Key


@dataclass(frozen=True, slots=True)
class ClosePatient:
    """Take the patient off the desk."""


@dataclass(frozen=True, slots=True)
class OpenLesion:
    """Lay the pictures of a lesion on the desk, and its patient where another is open.

    Attributes
    ----------
    lesion
        A new one has none yet; None to take the one that is open off the desk.
    scheduled
        The entry of the clinic's worklist that its patient was opened by, where that is gone on
        with.
    """

    lesion: LesionChoice | None
    scheduled: Scheduled | None = None


@dataclass(frozen=True, slots=True)
class MoveLesion:
    """Say anew where a lesion lies."""

    lesion: Key
    spot: BodySpot


@dataclass(frozen=True, slots=True)
class OpenWork:
    """Lay a page of the worklist on the desk.

    Attributes
    ----------
    kind
        None for what is filed under no lesion.
    turn
        0 for the first page, 1 for the one that follows, -1 for the one before.
    by_identifier
        In the order of patients' identifiers, not by date.
    prefix
        What these begin with; empty for all.
    """

    kind: WorkKind | None
    turn: int = 0
    by_identifier: bool = False
    prefix: str = ""


@dataclass(frozen=True, slots=True)
class OpenPicture:
    """Lay a picture on the desk, as large as it is."""

    identifier: str


@dataclass(frozen=True, slots=True)
class CompareVisits:
    """Lay two pictures over each other, and say what has changed.

    Attributes
    ----------
    earlier, later
        Identifiers of examinations of one lesion.
    """

    earlier: str
    later: str


@dataclass(frozen=True, slots=True)
class FileExamination:
    """File a picture under a lesion."""

    identifier: str
    lesion: LesionChoice


@dataclass(frozen=True, slots=True, eq=False)
class Decide:
    """Enter the decision of an examination.

    Attributes
    ----------
    subject
        The examination's identifier, or the shot that it came of.
    """

    subject: object
    decision: Decision


@dataclass(frozen=True, slots=True)
class Unlock:
    """Open the records."""

    pin: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Lock:
    """Close the records."""


@dataclass(frozen=True, slots=True)
class ListHolders:
    """Lay on the desk who has a PIN."""


@dataclass(frozen=True, slots=True)
class ListSeen:
    """Lay on the desk for which orders something was kept today."""


@dataclass(frozen=True, slots=True)
class SetPin:
    """Give someone a PIN, or another one."""

    holder: Holder
    pin: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class ChangePin:
    """Replace one's own PIN."""

    old: str = field(repr=False)
    new: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class RemovePin:
    """Take someone's PIN away."""

    name: str


PinRequest = SetPin | ChangePin | RemovePin
"""What changes who can open the records."""

Entry = (
    OpenScheduled
    | AddPatient
    | ChangePatient
    | DeletePatient
    | MoveLesion
    | FileExamination
    | Decide
    | Unlock
    | Lock
    | PinRequest
)
"""What changes the records, or who may see them."""

Request = (
    FindPatient
    | ClosePatient
    | OpenLesion
    | OpenWork
    | OpenPicture
    | CompareVisits
    | ListHolders
    | ListSeen
    | Entry
)
