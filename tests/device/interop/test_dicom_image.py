import io
import json
from dataclasses import replace
from pathlib import Path

import highdicom
import numpy as np
import pydicom
import pytest

from device.anatomy import BodySite, BodySpot, BodyView
from device.imaging.image_file import read_image
from device.interop.dicom_folder import dicom_bytes
from device.interop.dicom_image import dicom_image, person_name, text
from device.interop.study import ExaminedLesion
from device.models.manifest import Manifest
from device.records.model import PictureKind, Polarization
from tests.device.interop.studies import (
    EQUIPMENT,
    LESION,
    ORDER,
    PATIENT,
    examined,
    without_patient,
)


def read_back(one: ExaminedLesion) -> pydicom.Dataset:
    return pydicom.dcmread(io.BytesIO(dicom_bytes(dicom_image(one))))


def test_pixels_come_back_as_they_were_and_in_the_programs_own_reader(
    manifest: Manifest, tmp_path
) -> None:
    one = examined(manifest)
    path = tmp_path / "picture.dcm"
    path.write_bytes(dicom_bytes(dicom_image(one)))
    np.testing.assert_array_equal(pydicom.dcmread(path).pixel_array, one.examination.image)
    np.testing.assert_array_equal(read_image(path), one.examination.image)


def test_every_mandatory_module_has_its_attributes(manifest: Manifest) -> None:
    """Those of type 1 with a value, those of type 2 at least empty, by highdicom's tables."""
    tables = Path(highdicom.__file__).with_name("_standard")
    modules, attributes = (
        json.loads((tables / f"{name}_map.json").read_bytes())
        for name in ("iod_module", "module_attribute")
    )
    image = read_back(examined(manifest))
    wanted = [
        attribute
        for module in modules["dermoscopic-photography-image"]
        if module["usage"] == "M"
        for attribute in attributes[module["key"]]
        if not attribute["path"]
    ]
    assert len(wanted) > 100
    for attribute in wanted:
        if attribute["type"] in ("1", "2"):
            assert attribute["keyword"] in image, attribute
        if attribute["type"] == "1":
            assert image[attribute["keyword"]].value not in (None, ""), attribute


def test_the_picture_tells_of_whom_what_and_how(manifest: Manifest) -> None:
    image = read_back(examined(manifest))
    assert image.SOPClassUID == "1.2.840.10008.5.1.4.1.1.77.1.7"
    assert (image.PatientID, str(image.PatientName)) == ("MRN-4711", "Núñez^María")
    assert (image.PatientSex, image.PatientAge, image.PatientBirthDate) == ("F", "065Y", "")
    assert (image.InstitutionName, image.InstitutionalDepartmentName) == (
        "Clínica del Sur", "Dermatología",
    )  # fmt: skip
    assert image.PixelSpacing == [0.02, 0.02]
    assert (image.LightSourcePolarization, image.ContactMethod) == ("POLARIZED", "CONTACT")
    assert (image.ImmersionMedia, image.OpticalMagnificationFactor) == ("ALCOHOL", 10.0)
    (region,) = image.AnatomicRegionSequence
    assert region.CodeMeaning == "Forearm"
    assert region.AnatomicRegionModifierSequence[0].CodeMeaning == "Left"
    assert (image.ImageLaterality, image.ImageComments) == ("L", "left forearm")
    (skin,) = image.AcquisitionContextSequence
    assert skin.ConceptCodeSequence[0].CodeMeaning == "Fitzpatrick Skin Type III"


def test_the_picture_is_dated_by_the_clinics_wall_clock(manifest: Manifest) -> None:
    image = read_back(examined(manifest))
    assert (image.StudyDate, image.TimezoneOffsetFromUTC) == ("20260304", "-0500")
    assert image.AcquisitionDateTime == "20260304101617.123456-0500"


def test_what_is_not_known_is_left_open(manifest: Manifest) -> None:
    bare = replace(EQUIPMENT, contact=None, immersion=None, magnification=None, institution="")
    image = read_back(
        replace(
            without_patient(examined(manifest, polarization=None)),
            equipment=bare,
            mm_per_pixel=None,
        )
    )
    for name in ("LightSourcePolarization", "ContactMethod", "OpticalMagnificationFactor"):
        assert not image[name].value
    for name in ("PixelSpacing", "TrackingUID", "TrackingID", "PatientAge", "InstitutionName"):
        assert name not in image
    assert image.AnatomicRegionSequence[0].CodeMeaning == "Skin"
    assert image.ImageLaterality == "U"


def test_pictures_without_a_patient_are_not_put_together(manifest: Manifest) -> None:
    one, other = (read_back(without_patient(examined(manifest, number=n))) for n in (1, 2))
    assert one.PatientID.startswith("unfiled-")
    assert one.PatientID != other.PatientID
    assert one.StudyInstanceUID != other.StudyInstanceUID
    assert str(one.PatientName) == ""


def test_identifiers_are_the_same_each_time_and_hold_a_visit_and_a_lesion_together(
    manifest: Manifest,
) -> None:
    first, again, second = (read_back(examined(manifest, number=n)) for n in (1, 1, 2))
    assert first.SOPInstanceUID == again.SOPInstanceUID != second.SOPInstanceUID
    assert first.StudyInstanceUID == second.StudyInstanceUID
    assert first.SeriesInstanceUID == second.SeriesInstanceUID
    assert first.TrackingUID == second.TrackingUID
    for name in ("SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID", "TrackingUID"):
        assert first[name].value.startswith("2.25.")
        assert int(PATIENT.key, 16) != int(first[name].value[5:])
        assert int(LESION.key, 16) != int(first[name].value[5:])


def test_picture_that_is_filed_elsewhere_is_another_object(manifest: Manifest) -> None:
    """One identifier in two patients' studies is what no archive can bear."""
    one = examined(manifest)
    assert read_back(one).SOPInstanceUID != read_back(without_patient(one)).SOPInstanceUID


def test_the_clinics_order_names_the_study(manifest: Manifest) -> None:
    one = examined(manifest, order=ORDER)
    image = read_back(one)
    assert (image.StudyInstanceUID, image.AccessionNumber) == ("1.2.3.4", "ACC1")
    (request,) = image.RequestAttributesSequence
    assert (request.RequestedProcedureID, request.ScheduledProcedureStepID) == ("P7", "S8")
    assert (request.StudyInstanceUID, request.AccessionNumber) == ("1.2.3.4", "ACC1")
    assert image.StudyDescription == request.RequestedProcedureDescription == "Skin check"
    assert image.ReferringPhysicianName == "Gómez^Rita"
    (person,) = image.ReferringPhysicianIdentificationSequence
    assert person.InstitutionName == "Centro 5"
    (code,) = person.PersonIdentificationCodeSequence
    assert (code.CodeValue, code.CodingSchemeDesignator) == ("7788", "L")
    # In another study it is another object.
    assert image.SOPInstanceUID != read_back(examined(manifest)).SOPInstanceUID


@pytest.mark.parametrize(
    ("site", "seen"), [(BodySite.FINGER, "YES"), (BodySite.PALM, "YES"), (BodySite.BUTTOCK, "NO")]
)
def test_fingerprints_are_told(manifest: Manifest, site: BodySite, seen: str) -> None:
    spot = BodySpot(BodyView.HANDS, 0.5, 0.5, site)
    lesion = type(LESION)(key=LESION.key, patient=PATIENT.key, number=1, spot=spot)
    image = read_back(examined(manifest, lesion=lesion))
    assert image.RecognizableVisualFeatures == seen


def test_picture_of_a_region_is_a_photograph(manifest: Manifest) -> None:
    image = read_back(examined(manifest, kind=PictureKind.REGION))
    assert (image.SOPClassUID, image.Modality) == ("1.2.840.10008.5.1.4.1.1.77.1.4", "XC")
    assert image.RecognizableVisualFeatures == "YES"
    assert "ContactMethod" not in image


def test_unpolarized_light_is_told(manifest: Manifest) -> None:
    image = read_back(examined(manifest, polarization=Polarization.UNPOLARIZED))
    assert image.LightSourcePolarization == "NON_POLARIZED"


def test_words_are_made_safe_for_dicom() -> None:
    assert text("a\\b\n c\x00 ") == "a/b c"
    assert len(text("x" * 99)) == 64
    assert person_name("Doe, Jane") == "Doe^Jane"
    assert person_name("Jane^Doe=x") == "Jane Doe x"
