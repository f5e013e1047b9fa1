"""A picture as DICOM: Dermoscopic Photography Image (PS3.3 A.32.11), or a region's VL Photographic.

Pixels are stored as they are, in the one transfer syntax that every peer and viewer reads
(Explicit VR Little Endian): nothing is lost, and nothing need be negotiated.
"""

import unicodedata
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from device.anatomy import BodySite, Laterality
from device.interop.codes import DERMOSCOPY, SIDES, SITES, SKIN, SKIN_TYPE, SKIN_TYPES, Coded
from device.interop.extra import extra_installed
from device.interop.identifiers import derived_uuid, dicom_uid
from device.interop.study import ExaminedLesion
from device.records.model import PictureKind, Polarization
from device.records.orders import Order
from device.records.patients import Patient, Sex

if TYPE_CHECKING:
    from pydicom import Dataset

DERMOSCOPIC: Final = "1.2.840.10008.5.1.4.1.1.77.1.7"
PHOTOGRAPHIC: Final = "1.2.840.10008.5.1.4.1.1.77.1.4"

MANUFACTURER: Final = "dermascope"

_PRINTED: Final = frozenset({BodySite.HAND, BodySite.PALM, BodySite.FINGER})
"""Sites whose skin may show fingerprints, which identify whom they are of (PS3.3 C.8.12.13)."""

_SEX: Final = {Sex.FEMALE: "F", Sex.MALE: "M", Sex.OTHER: "O"}
_LIGHT: Final = {Polarization.POLARIZED: "POLARIZED", Polarization.UNPOLARIZED: "NON_POLARIZED"}
_SIDE: Final = {Laterality.LEFT: "L", Laterality.RIGHT: "R"}


def dicom_image(examined: ExaminedLesion) -> "Dataset":
    """Return a picture as a DICOM file's dataset.

    Raises
    ------
    device.errors.ExportError
        If what it takes is not installed.
    """
    with extra_installed():
        from pydicom import Dataset
        from pydicom.dataset import FileMetaDataset
        from pydicom.uid import ExplicitVRLittleEndian

    record = examined.examination.record
    dermoscopic = record.kind is PictureKind.DERMOSCOPIC
    image = Dataset()
    image.SpecificCharacterSet = "ISO_IR 192"
    image.SOPClassUID = DERMOSCOPIC if dermoscopic else PHOTOGRAPHIC
    image.SOPInstanceUID = dicom_uid(examined.image_uuid)
    _add_patient(image, examined)
    _add_study(image, examined)
    _add_series(image, examined)
    _add_equipment(image, examined)
    _add_picture(image, examined)
    _add_site(image, examined)
    if dermoscopic:
        _add_dermoscopy(image, examined)
    else:
        # Whom a region shows may well be recognized.
        image.RecognizableVisualFeatures = "YES"
    image.file_meta = FileMetaDataset()
    image.file_meta.MediaStorageSOPClassUID = image.SOPClassUID
    image.file_meta.MediaStorageSOPInstanceUID = image.SOPInstanceUID
    image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return image


def text(words: str, longest: int = 64) -> str:
    """Return words as a value of DICOM text may hold them: on one line, without backslashes."""
    plain = "".join(" " if unicodedata.category(c) == "Cc" else c for c in words)
    return " ".join(plain.replace("\\", "/").split())[:longest].strip()


def coded_item(coded: Coded) -> "Dataset":
    """Return a code as an item of a sequence (PS3.3 8.8)."""
    from pydicom import Dataset

    item = Dataset()
    item.CodeValue = coded.code
    item.CodingSchemeDesignator = coded.system.value
    item.CodeMeaning = coded.meaning
    return item


def person_name(name: str) -> str:
    """Return a name as typed ("Doe, Jane" or "Jane Doe") as a DICOM person name."""
    family, comma, given = text(name).replace("^", " ").replace("=", " ").partition(",")
    return f"{family.strip()}^{given.strip()}" if comma else family.strip()


def tracking_label(examined: ExaminedLesion) -> str:
    """Return what a person tells the lesion from all others by; the picture where there is none."""
    if examined.lesion is None:
        return text(examined.patient_identifier)
    return f"{text(examined.patient_identifier)} lesion {examined.lesion.number}"


def _add_patient(image: "Dataset", examined: ExaminedLesion) -> None:
    patient = examined.patient
    image.PatientName = person_name(patient.name) if patient else ""
    image.PatientID = text(examined.patient_identifier)
    # Only the year is known, which a date cannot say; the age can.
    image.PatientBirthDate = ""
    image.PatientSex = _SEX[patient.sex] if patient and patient.sex else ""
    if (age := age_in_years(examined)) is not None:
        image.PatientAge = f"{age:03d}Y"


def age_in_years(examined: ExaminedLesion) -> int | None:
    """Return how old the patient became in the year of the picture; None where it is not known."""
    patient: Patient | None = examined.patient
    if patient is None or patient.birth_year is None:
        return None
    age = examined.taken.year - patient.birth_year
    return age if 0 <= age <= 130 else None


def _add_study(image: "Dataset", examined: ExaminedLesion) -> None:
    order, taken = examined.order, examined.taken
    image.StudyInstanceUID = order.study_uid if order else dicom_uid(examined.visit_uuid)
    image.StudyDate = f"{taken:%Y%m%d}"
    # Each picture of the day would tell another.
    image.StudyTime = ""
    image.TimezoneOffsetFromUTC = f"{taken:%z}"[:5]
    _add_referrer(image, order)
    image.StudyID = (text(order.procedure, 16) if order else "") or f"{taken:%Y%m%d}"
    image.AccessionNumber = text(order.accession_number, 16) if order else ""
    image.StudyDescription = (text(order.description) if order else "") or "Dermoscopy"
    image.ProcedureCodeSequence = [coded_item(DERMOSCOPY)]
    if order and (order.procedure or order.step):
        from pydicom import Dataset

        request = Dataset()
        for name, value in (
            ("AccessionNumber", order.accession_number),
            ("RequestedProcedureID", order.procedure),
            ("ScheduledProcedureStepID", order.step),
            ("RequestedProcedureDescription", order.description),
        ):
            if value:
                setattr(request, name, text(value))
        request.StudyInstanceUID = order.study_uid
        image.RequestAttributesSequence = [request]


def _add_referrer(image: "Dataset", order: Order | None) -> None:
    referrer = order.referrer if order else None
    image.ReferringPhysicianName = text(referrer.name) if referrer else ""
    if referrer and referrer.code and referrer.institution:
        from pydicom import Dataset

        coded = Dataset()
        coded.CodeValue = text(referrer.code, 16)
        coded.CodingSchemeDesignator = text(referrer.scheme, 16)
        coded.CodeMeaning = text(referrer.meaning)
        person = Dataset()
        person.PersonIdentificationCodeSequence = [coded]
        person.InstitutionName = text(referrer.institution)
        image.ReferringPhysicianIdentificationSequence = [person]


def _add_series(image: "Dataset", examined: ExaminedLesion) -> None:
    dermoscopic = image.SOPClassUID == DERMOSCOPIC
    image.Modality = "DMS" if dermoscopic else "XC"
    series = derived_uuid("series", image.StudyInstanceUID, image.Modality)
    image.SeriesInstanceUID = dicom_uid(series)
    image.SeriesNumber = 1 if dermoscopic else 2
    image.SeriesDescription = "Dermoscopic pictures" if dermoscopic else "Regions"


def _add_equipment(image: "Dataset", examined: ExaminedLesion) -> None:
    equipment = examined.equipment
    image.Manufacturer = image.ManufacturerModelName = MANUFACTURER
    image.DeviceSerialNumber = text(equipment.serial_number)
    image.SoftwareVersions = text(equipment.software)
    if equipment.institution:
        image.InstitutionName = text(equipment.institution)
    if equipment.department:
        image.InstitutionalDepartmentName = text(equipment.department)


def _add_picture(image: "Dataset", examined: ExaminedLesion) -> None:
    taken, pixels = examined.taken, examined.examination.image
    image.AcquisitionUID = dicom_uid(examined.examination_uuid)
    image.AcquisitionDateTime = f"{taken:%Y%m%d%H%M%S.%f%z}"
    image.ContentDate = image.AcquisitionDate = f"{taken:%Y%m%d}"
    image.ContentTime = image.AcquisitionTime = f"{taken:%H%M%S.%f}"
    # In the order in which a day's pictures were taken, however often they are sent.
    image.InstanceNumber = (taken.hour * 60 + taken.minute) * 60 + taken.second
    image.ImageType = ["ORIGINAL", "PRIMARY"]
    image.PatientOrientation = ""
    image.BurnedInAnnotation = "NO"
    # Some cameras compress what they send, and the record does not tell which.
    image.LossyImageCompression = ""
    image.SamplesPerPixel = 3
    image.PhotometricInterpretation = "RGB"
    image.PlanarConfiguration = image.PixelRepresentation = 0
    image.Rows, image.Columns = pixels.shape[:2]
    image.BitsAllocated = image.BitsStored = 8
    image.HighBit = 7
    if examined.mm_per_pixel is not None:
        spacing = f"{examined.mm_per_pixel:.8g}"
        image.PixelSpacing = [spacing, spacing]
    image.ICCProfile = _srgb_profile()
    image.ColorSpace = "SRGB"
    content = pixels.tobytes()
    image.PixelData = content + b"\0" * (len(content) % 2)
    image["PixelData"].VR = "OB"
    _add_context(image, examined.patient)


def _add_context(image: "Dataset", patient: Patient | None) -> None:
    image.AcquisitionContextSequence = []
    if patient is not None and patient.phototype is not None:
        from pydicom import Dataset

        item = Dataset()
        item.ValueType = "CODE"
        item.ConceptNameCodeSequence = [coded_item(SKIN_TYPE)]
        item.ConceptCodeSequence = [coded_item(SKIN_TYPES[patient.phototype - 1])]
        image.AcquisitionContextSequence = [item]


def _add_site(image: "Dataset", examined: ExaminedLesion) -> None:
    spot = examined.lesion.spot if examined.lesion else None
    region = coded_item(SITES[spot.site] if spot else SKIN)
    if spot and spot.laterality:
        region.AnatomicRegionModifierSequence = [coded_item(SIDES[spot.laterality])]
        image.ImageLaterality = _SIDE[spot.laterality]
    else:
        image.ImageLaterality = "U"
    image.AnatomicRegionSequence = [region]
    if spot:
        side = f"{spot.laterality} " if spot.laterality else ""
        image.ImageComments = f"{side}{spot.site}"


def _add_dermoscopy(image: "Dataset", examined: ExaminedLesion) -> None:
    record, equipment, lesion = examined.examination.record, examined.equipment, examined.lesion
    printed = lesion is not None and lesion.spot is not None and lesion.spot.site in _PRINTED
    image.FrameOfReferenceUID = dicom_uid(derived_uuid("frame", str(examined.image_uuid)))
    image.PositionReferenceIndicator = ""
    image.RecognizableVisualFeatures = "YES" if printed else "NO"
    image.LightSourcePolarization = _LIGHT[record.polarization] if record.polarization else ""
    image.EmitterColorTemperature = equipment.colour_temperature
    image.ContactMethod = {None: "", True: "CONTACT", False: "NON_CONTACT"}[equipment.contact]
    if equipment.contact:
        immersion = equipment.immersion
        image.ImmersionMedia = immersion.replace("-", "_").upper() if immersion else ""
    image.OpticalMagnificationFactor = equipment.magnification
    if examined.lesion_uuid is not None:
        image.TrackingID = tracking_label(examined)
        image.TrackingUID = dicom_uid(examined.lesion_uuid)


@lru_cache(maxsize=1)
def _srgb_profile() -> bytes:
    from PIL import ImageCms

    content = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    return content + b"\0" * (len(content) % 2)
