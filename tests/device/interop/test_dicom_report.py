import io
from dataclasses import replace

import msgspec
import pydicom
import pytest

from device.diagnoses import CODES
from device.inference.finding import Finding, NoCallReason
from device.inference.recommendation import Recommendation
from device.interop.dicom_folder import dicom_bytes
from device.interop.dicom_image import dicom_image
from device.interop.dicom_report import dicom_report
from device.interop.study import ExaminedLesion
from device.models.manifest import Manifest
from device.records.patients import Action, Proof
from tests.device.interop.studies import DECISION, ORDER, examined


def report(one: ExaminedLesion) -> pydicom.Dataset:
    made = dicom_report(one, dicom_image(one))
    assert made is not None
    return pydicom.dcmread(io.BytesIO(dicom_bytes(made)))


def items(dataset: pydicom.Dataset) -> list[tuple[str, object]]:
    """Return every name and value of a report's tree."""
    found = []
    for item in dataset.get("ContentSequence", []):
        name = item.ConceptNameCodeSequence[0].CodeMeaning
        if item.ValueType == "NUM":
            found.append((name, float(item.MeasuredValueSequence[0].NumericValue)))
        elif item.ValueType == "CODE":
            found.append((name, item.ConceptCodeSequence[0].CodeMeaning))
        elif item.ValueType == "TEXT":
            found.append((name, item.TextValue))
        elif item.ValueType == "UIDREF":
            found.append((name, item.UID))
        elif item.ValueType == "IMAGE":
            found.append((name, item.ReferencedSOPSequence[0].ReferencedSOPInstanceUID))
        found += items(item)
    return found


def test_the_report_says_what_the_model_says(manifest: Manifest, finding: Finding) -> None:
    finding = replace(finding, recommendation=Recommendation.REFER)
    one = examined(manifest, finding)
    said = items(report(one))
    probabilities = [value for name, value in said if name.startswith("Probability: ")]
    assert probabilities[:7] == pytest.approx([finding.probability(c) for c in CODES], abs=1e-6)
    assert probabilities[7] == pytest.approx(finding.malignancy, abs=1e-6)
    told = dict(said)
    assert f"{told['Algorithm Name']} {told['Algorithm Version']}" == finding.model
    assert told["What the finding asks for"] == "Excise or refer"
    assert told["The lesion is to be seen again"] == "Yes"
    image = dicom_image(one)
    assert told["Source of Measurement"] == image.SOPInstanceUID
    assert told["Tracking Unique Identifier"] == image.TrackingUID
    assert (told["Finding Site"], told["Laterality"]) == ("Forearm", "Left")


def test_why_no_call_is_made_is_told(manifest: Manifest, finding: Finding) -> None:
    one = examined(
        manifest, replace(finding, abstention=NoCallReason.UNFAMILIAR, recommendation=None)
    )
    if one.finding.no_call is not NoCallReason.UNFAMILIAR:
        pytest.skip("the drawn picture is too poor")
    told = dict(items(report(one)))
    assert told["Why no diagnosis should be read from it"] == "Unlike what the model knows"
    assert "What the finding asks for" not in told
    assert told["The lesion is to be seen again"] == "No"


def test_the_report_is_preliminary_until_the_clinician_decides(
    manifest: Manifest, finding: Finding
) -> None:
    before = report(examined(manifest, finding))
    after = report(examined(manifest, finding, decision=DECISION))
    assert (before.PreliminaryFlag, after.PreliminaryFlag) == ("PRELIMINARY", "FINAL")
    assert before.VerificationFlag == after.VerificationFlag == "UNVERIFIED"
    assert before.SOPInstanceUID != after.SOPInstanceUID
    assert before.SeriesInstanceUID == after.SeriesInstanceUID
    assert before.StudyInstanceUID == after.StudyInstanceUID


def test_the_decision_is_told_as_the_clinicians(manifest: Manifest, finding: Finding) -> None:
    told = dict(items(report(examined(manifest, finding, decision=DECISION))))
    assert told["What the clinician does"] == "Excision of skin"
    assert told["The clinician's diagnosis"] == "Melanoma"
    assert told["The clinician agrees with the model"] == "Yes"
    nothing = msgspec.structs.replace(
        DECISION, action=Action.NOTHING, diagnosis=None, agrees=None,
        other_diagnosis="Angioma\\trombosado", proof=Proof.HISTOPATHOLOGY,
    )  # fmt: skip
    told = dict(items(report(examined(manifest, None, decision=nothing))))
    assert told["The lesion is to be seen again"] == "No"
    assert told["The clinician's diagnosis"] == "Angioma/trombosado"
    assert told["How the diagnosis was proven"] == "Histopathology"
    assert "Algorithm Name" not in told


def test_the_same_report_is_the_same_bytes(manifest: Manifest, finding: Finding) -> None:
    """What is sent twice must not differ under one identifier."""
    one = examined(manifest, finding, decision=DECISION)
    first, again = (dicom_bytes(dicom_report(one, dicom_image(one))) for _ in range(2))
    assert first == again


def test_picture_of_which_nothing_is_said_has_no_report(manifest: Manifest) -> None:
    one = examined(manifest)
    assert dicom_report(one, dicom_image(one)) is None


def test_report_answers_the_clinics_order(manifest: Manifest, finding: Finding) -> None:
    made = report(examined(manifest, finding, order=ORDER))
    assert (made.StudyInstanceUID, made.AccessionNumber) == ("1.2.3.4", "ACC1")
    assert made.ReferringPhysicianName == "Gómez^Rita"
    (request,) = made.ReferencedRequestSequence
    assert (request.RequestedProcedureID, request.AccessionNumber) == ("P7", "ACC1")
