"""What is said of a picture as a DICOM measurement report: PS3.16 TID 1500, a Comprehensive SR."""

from typing import TYPE_CHECKING, Any

from device.diagnoses import CODES
from device.inference.finding import FindingRecord
from device.interop import codes
from device.interop.codes import Coded
from device.interop.dicom_image import MANUFACTURER, text, tracking_label
from device.interop.extra import extra_installed
from device.interop.identifiers import derived_uuid, dicom_uid
from device.interop.study import ExaminedLesion, asks_for_more
from device.records.orders import Order
from device.records.patients import Decision

if TYPE_CHECKING:
    from pydicom import Dataset


def dicom_report(examined: ExaminedLesion, image: "Dataset") -> "Dataset | None":
    """Return the report of a picture; None where nothing is said of it.

    It is preliminary until the clinician has decided, and never verified: the instrument knows of
    its users no more than their role.

    Parameters
    ----------
    image
        The picture, as `device.interop.dicom_image.dicom_image` returns it.

    Raises
    ------
    device.errors.ExportError
        If what it takes is not installed.
    """
    if examined.finding is None and examined.decision is None:
        return None
    with extra_installed():
        from highdicom import sr
        from pydicom.sr.codedict import codes as dictionary

    context = sr.ObservationContext(
        observer_device_context=sr.ObserverContext(
            observer_type=dictionary.DCM.Device,
            observer_identifying_attributes=sr.DeviceObserverIdentifyingAttributes(
                uid=dicom_uid(derived_uuid("device", examined.equipment.serial_number)),
                manufacturer_name=MANUFACTURER,
                model_name=MANUFACTURER,
                serial_number=text(examined.equipment.serial_number),
            ),
        )
    )
    groups = []
    if examined.finding is not None:
        groups.append(_group(examined, image, _found(examined.finding)))
    if examined.decision is not None:
        groups.append(_group(examined, image, _decided(examined, examined.decision)))
    content = sr.MeasurementReport(
        observation_context=context,
        procedure_reported=_concept(codes.DERMOSCOPY),
        imaging_measurements=groups,
    )
    report = sr.ComprehensiveSR(
        evidence=[image],
        content=content[0],
        series_instance_uid=dicom_uid(derived_uuid("series", image.StudyInstanceUID, "SR")),
        series_number=3,
        sop_instance_uid=dicom_uid(examined.report_uuid),
        instance_number=image.InstanceNumber,
        manufacturer=MANUFACTURER,
        manufacturer_model_name=MANUFACTURER,
        device_serial_number=text(examined.equipment.serial_number),
        software_versions=text(examined.equipment.software),
        institution_name=text(examined.equipment.institution) or None,
        institutional_department_name=text(examined.equipment.department) or None,
        series_description="What was found and decided",
        requested_procedures=_requested(examined.order),
        is_complete=True,
        is_final=examined.decision is not None,
    )
    report.SpecificCharacterSet = "ISO_IR 192"
    report.TimezoneOffsetFromUTC = image.TimezoneOffsetFromUTC
    _date(report, image, examined)
    return report


def _requested(order: Order | None) -> "list[Dataset] | None":
    """Return what the report answers (PS3.3 C.17.2, Referenced Request Sequence)."""
    if order is None:
        return None
    from pydicom import Dataset

    request = Dataset()
    request.StudyInstanceUID = order.study_uid
    request.ReferencedStudySequence = []
    request.AccessionNumber = text(order.accession_number, 16)
    request.PlacerOrderNumberImagingServiceRequest = ""
    request.FillerOrderNumberImagingServiceRequest = ""
    request.RequestedProcedureID = text(order.procedure, 16)
    request.RequestedProcedureDescription = text(order.description)
    request.RequestedProcedureCodeSequence = []
    return [request]


def _found(finding: FindingRecord) -> dict[str, Any]:
    """Return the part of a group that the model answers for."""
    from highdicom import sr

    name, _, version = finding.model.rpartition(" ")
    parameters = [f"case mix: {finding.case_mix}"] if finding.case_mix else None
    measured = [(codes.DIAGNOSES[code], finding.probabilities[code]) for code in CODES]
    measured.append((codes.MALIGNANT_GROUP, finding.malignancy))
    said = [(codes.FOLLOW_UP, codes.YES if asks_for_more(finding) else codes.NO)]
    if finding.recommendation is not None:
        said.insert(0, (codes.RECOMMENDATION, codes.RECOMMENDATIONS[finding.recommendation]))
    if finding.no_call is not None:
        said.insert(0, (codes.NO_CALL, codes.NO_CALLS[finding.no_call]))
    return {
        "algorithm_id": sr.AlgorithmIdentification(
            name=name or finding.model, version=version, parameters=parameters
        ),
        "measurements": [
            sr.Measurement(
                name=_concept(codes.probability_of(what)),
                value=round(value, 6),
                unit=_concept(codes.NO_UNITS),
            )
            for what, value in measured
        ],
        "qualitative_evaluations": [_evaluation(what, value) for what, value in said],
    }


def _decided(examined: ExaminedLesion, decision: Decision) -> dict[str, Any]:
    """Return the part of a group that the clinician answers for; the note stays where it was."""
    said = [
        (codes.DECISION, codes.ACTIONS[decision.action]),
        (codes.FOLLOW_UP, codes.YES if examined.flagged else codes.NO),
    ]
    if decision.diagnosis is not None:
        said.append((codes.DIAGNOSIS, codes.DIAGNOSES[decision.diagnosis]))
    elif words := text(decision.other_diagnosis):
        said.append((codes.DIAGNOSIS, Coded(codes.System.OWN, "other", words)))
    if decision.agrees is not None:
        said.append((codes.AGREES, codes.YES if decision.agrees else codes.NO))
    if decision.proof is not None:
        said.append((codes.PROOF, codes.PROOFS[decision.proof]))
    return {"qualitative_evaluations": [_evaluation(what, value) for what, value in said]}


def _group(examined: ExaminedLesion, image: "Dataset", said: dict[str, Any]) -> Any:
    """Return a measurement group (TID 1501) on the lesion."""
    from highdicom import sr

    lesion = examined.lesion
    spot = lesion.spot if lesion else None
    site = sr.FindingSite(
        anatomic_location=_concept(codes.SITES[spot.site] if spot else codes.SKIN),
        laterality=_concept(codes.SIDES[spot.laterality]) if spot and spot.laterality else None,
    )
    tracked = examined.lesion_uuid or examined.image_uuid
    return sr.MeasurementsAndQualitativeEvaluations(
        tracking_identifier=sr.TrackingIdentifier(
            uid=dicom_uid(tracked), identifier=tracking_label(examined)
        ),
        finding_type=_concept(codes.SKIN_LESION),
        finding_sites=[site],
        source_images=[sr.SourceImageForMeasurementGroup.from_source_image(image)],
        **said,
    )


def _date(report: "Dataset", image: "Dataset", examined: ExaminedLesion) -> None:
    """Date the report by what it says, not by when it is written: sent again it is the same."""
    decision = examined.decision
    said = decision.decided.astimezone() if decision else examined.taken
    report.ContentDate = report.InstanceCreationDate = f"{said:%Y%m%d}"
    report.ContentTime = report.InstanceCreationTime = f"{said:%H%M%S}"
    for equipment in report.ContributingEquipmentSequence:
        equipment.ContributionDateTime = image.AcquisitionDateTime


def _evaluation(what: Coded, value: Coded) -> Any:
    from highdicom import sr

    return sr.QualitativeEvaluation(name=_concept(what), value=_concept(value))


def _concept(coded: Coded) -> Any:
    from highdicom.sr import CodedConcept

    return CodedConcept(
        value=coded.code, scheme_designator=coded.system.value, meaning=coded.meaning
    )
