"""An examination as a FHIR transaction.

R4B (4.3.0), whose resources used here are those of R4 (4.0.1): a server of either takes them. Every
resource is created or updated by its identifier, so that what is sent again is the same.
"""

import base64
import io
import uuid
from typing import Any, Final

from PIL import Image

from device.diagnoses import CODES, Code
from device.inference.finding import FindingRecord
from device.interop import codes
from device.interop.codes import Coded, System
from device.interop.dicom_image import MANUFACTURER
from device.interop.extra import extra_installed
from device.interop.identifiers import derived_uuid
from device.interop.study import ExaminedLesion, asks_for_more
from device.records.model import PictureKind
from device.records.patients import Action, Decision, Patient, Sex

_URLS: Final = {
    System.SNOMED_CT: "http://snomed.info/sct",
    System.LOINC: "http://loinc.org",
    System.UCUM: "http://unitsofmeasure.org",
    System.ICD10: "http://hl7.org/fhir/sid/icd-10",
    System.DICOM: "http://dicom.nema.org/resources/ontology/DCM",
    System.OWN: "urn:uuid:5b0a2c1e-6f0d-4f64-9a53-0d1b7c1f7a92",
}
"""What FHIR calls the code systems (R4, 4.3.0 "Code Systems")."""

_OWN: Final = _URLS[System.OWN]
_URN: Final = "urn:ietf:rfc:3986"
_DICOM_UID: Final = "urn:dicom:uid"

_FROM_AI: Final = {
    # HL7 Terminology, v3-ObservationValue.
    "system": "http://terminology.hl7.org/CodeSystem/v3-ObservationValue",
    "code": "AIAST",
    "display": "Artificial Intelligence asserted",
}
_UNDECIDED: Final = {
    "system": _OWN,
    "code": "undecided",
    "display": "Output of a model; no clinician has decided yet",
}
_IMAGING: Final = {
    # HL7 Terminology.
    "coding": [
        {
            "system": "http://terminology.hl7.org/CodeSystem/observation-category",
            "code": "imaging",
            "display": "Imaging",
        }
    ]
}
_ACCESSION: Final = {
    # HL7 Terminology, v2 table 0203.
    "system": "http://terminology.hl7.org/CodeSystem/v2-0203",
    "code": "ACSN",
    "display": "Accession ID",
}
_GENDERS: Final = {Sex.FEMALE: "female", Sex.MALE: "male", Sex.OTHER: "other"}


def fhir_bundle(examined: ExaminedLesion, patient: Patient, patients: str) -> dict[str, Any]:
    """Return a transaction with all that is told of an examination.

    Parameters
    ----------
    examined
        The examination.
    patient
        Whose it is: a server is sent nothing that is filed under nobody.
    patients
        The system of the clinic's patient identifiers.

    Returns
    -------
    dict
        JSON, checked against the definition of every resource.

    Raises
    ------
    device.errors.ExportError
        If what it takes is not installed.
    """
    with extra_installed():
        from fhir.resources.R4B.bundle import Bundle

    made = _Resources(examined)
    made.create(_patient(patient, patients), patients, patient.identifier, examined.patient_uuid)
    made.update(_device(examined), examined.equipment.serial_number, _device_uuid(examined))
    made.update_own(_media(examined, made), examined.image_uuid)
    if examined.finding is not None:
        made.update_own(_observation(examined, examined.finding, made), made.of("observation"))
    if examined.finding is not None or examined.decision is not None:
        made.update_own(_report(examined, made), made.of("diagnostic-report"))
        made.create_tagged(_provenance(examined, made), examined.report_uuid)
    request = _request(examined, made)
    if request is not None:
        made.update_own(request, made.of("request"))
    bundle = {"resourceType": "Bundle", "type": "transaction", "entry": made.entries}
    Bundle.model_validate(bundle)
    return bundle


class _Resources:
    """The entries of a transaction, and how they refer to each other."""

    def __init__(self, examined: ExaminedLesion) -> None:
        self.entries: list[dict[str, Any]] = []
        self._examined = examined

    def of(self, what: str) -> uuid.UUID:
        """Return the identifier of what there is once for an examination as it is filed."""
        return derived_uuid(what, str(self._examined.image_uuid))

    def create(
        self, resource: dict[str, Any], system: str, value: str, identifier: uuid.UUID
    ) -> None:
        """Add what another system owns: it is made where it is missing, and never changed."""
        self._add(resource, identifier, "POST", resource["resourceType"])
        self.entries[-1]["request"]["ifNoneExist"] = _query("identifier", system, value)

    def create_tagged(self, resource: dict[str, Any], identifier: uuid.UUID) -> None:
        """Add a resource that FHIR gives no identifier: its tag says whether it is there."""
        tag = {"system": _OWN, "code": str(identifier)}
        resource.setdefault("meta", {}).setdefault("tag", []).append(tag)
        self._add(resource, derived_uuid("tagged", str(identifier)), "POST", "Provenance")
        self.entries[-1]["request"]["ifNoneExist"] = _query("_tag", _OWN, str(identifier))

    def update(self, resource: dict[str, Any], value: str, identifier: uuid.UUID) -> None:
        """Add a resource that the instrument owns, which is made or changed."""
        resource["identifier"] = [{"system": _OWN, "value": value}]
        query = _query("identifier", _OWN, value)
        self._add(resource, identifier, "PUT", f"{resource['resourceType']}?{query}")

    def update_own(self, resource: dict[str, Any], identifier: uuid.UUID) -> None:
        """Add a resource that the instrument owns, under an identifier of its own."""
        value = f"urn:uuid:{identifier}"
        resource.setdefault("identifier", []).insert(0, {"system": _URN, "value": value})
        query = _query("identifier", _URN, value)
        self._add(resource, identifier, "PUT", f"{resource['resourceType']}?{query}")

    def _add(self, resource: dict[str, Any], identifier: uuid.UUID, method: str, url: str) -> None:
        self.entries.append(
            {
                "fullUrl": _entry(identifier),
                "resource": resource,
                "request": {"method": method, "url": url},
            }
        )


def _query(parameter: str, system: str, value: str) -> str:
    from urllib.parse import quote

    # A comma, a bar or a dollar sign of the value is not to be read as FHIR's own (R4, 3.1.1.4.0).
    for sign in "\\,|$":
        value = value.replace(sign, f"\\{sign}")
    return f"{parameter}={quote(f'{system}|{value}', safe=':/|')}"


def _entry(identifier: uuid.UUID) -> str:
    """Return what an entry is called inside the transaction.

    Servers put their own name of the resource wherever they meet it; some, in identifiers too.
    """
    return f"urn:uuid:{derived_uuid('entry', str(identifier))}"


def _refer(identifier: uuid.UUID) -> dict[str, str]:
    return {"reference": _entry(identifier)}


def _concept(*coded: Coded, text: str = "") -> dict[str, Any]:
    coding = [
        {"system": _URLS[one.system], "code": one.code, "display": one.meaning} for one in coded
    ]
    words = text or (coded[0].meaning if coded else "")
    return {"coding": coding, "text": words} if coding else {"text": words}


def _patient(patient: Patient, patients: str) -> dict[str, Any]:
    resource: dict[str, Any] = {
        "resourceType": "Patient",
        "identifier": [{"system": patients, "value": patient.identifier}],
    }
    if patient.name:
        family, comma, given = (part.strip() for part in patient.name.partition(","))
        name = {"text": patient.name}
        resource["name"] = [name | ({"family": family, "given": [given]} if comma else {})]
    if patient.sex is not None:
        resource["gender"] = _GENDERS[patient.sex]
    if patient.birth_year is not None:
        resource["birthDate"] = f"{patient.birth_year:04d}"
    return resource


def _device_uuid(examined: ExaminedLesion) -> uuid.UUID:
    return derived_uuid("device", examined.equipment.serial_number)


def _device(examined: ExaminedLesion) -> dict[str, Any]:
    equipment = examined.equipment
    return {
        "resourceType": "Device",
        "manufacturer": MANUFACTURER,
        "serialNumber": equipment.serial_number,
        "deviceName": [{"name": MANUFACTURER, "type": "manufacturer-name"}],
        "type": {"text": "Dermatoscope with a model that classifies skin lesions"},
        "version": [{"type": {"text": "software"}, "value": equipment.software}],
    }


def _site(examined: ExaminedLesion) -> dict[str, Any]:
    spot = examined.lesion.spot if examined.lesion else None
    if spot is None:
        return _concept(codes.SKIN)
    side = f"{spot.laterality} " if spot.laterality else ""
    sides = (codes.SIDES[spot.laterality],) if spot.laterality else ()
    # FHIR has no place for the side of its own: of several codings the words say how they belong.
    return _concept(codes.SITES[spot.site], *sides, text=f"{side}{spot.site}")


def _based_on(examined: ExaminedLesion) -> dict[str, Any]:
    """Return which order is answered: the clinic's own resource, known by its number alone."""
    order = examined.order
    if order is None or not order.accession_number:
        return {}
    asked = {
        "type": "ServiceRequest",
        "identifier": {"type": {"coding": [dict(_ACCESSION)]}, "value": order.accession_number},
        "display": order.description or "Dermoscopy",
    }
    return {"basedOn": [asked]}


def _media(examined: ExaminedLesion, made: _Resources) -> dict[str, Any]:
    picture = io.BytesIO()
    Image.fromarray(examined.examination.image).save(picture, format="PNG")
    height, width = examined.examination.image.shape[:2]
    dermoscopic = examined.examination.record.kind is PictureKind.DERMOSCOPIC
    uid = f"urn:oid:2.25.{examined.image_uuid.int}"
    return {
        "resourceType": "Media",
        "identifier": [{"system": _DICOM_UID, "value": uid}],
        "status": "completed",
        "modality": _concept(codes.DERMOSCOPY) if dermoscopic else {"text": "Photograph"},
        "subject": _refer(examined.patient_uuid),
        "createdDateTime": examined.taken.isoformat(timespec="milliseconds"),
        "bodySite": _site(examined),
        **_based_on(examined),
        "device": _refer(_device_uuid(examined)),
        "height": height,
        "width": width,
        "content": {
            "contentType": "image/png",
            "data": base64.b64encode(picture.getvalue()).decode(),
        },
    }


def _observation(
    examined: ExaminedLesion, finding: FindingRecord, made: _Resources
) -> dict[str, Any]:
    measured = [(codes.DIAGNOSES[code], finding.probabilities[code]) for code in CODES]
    measured.append((codes.MALIGNANT_GROUP, finding.malignancy))
    components: list[dict[str, Any]] = [
        {
            "code": _concept(codes.probability_of(what)),
            "valueQuantity": {
                "value": round(value, 6),
                "unit": "1",
                "system": _URLS[System.UCUM],
                "code": codes.NO_UNITS.code,
            },
        }
        for what, value in measured
    ]
    if finding.recommendation is not None:
        asked = codes.RECOMMENDATIONS[finding.recommendation]
        components.append(
            {"code": _concept(codes.RECOMMENDATION), "valueCodeableConcept": _concept(asked)}
        )
    if finding.no_call is not None:
        reason = codes.NO_CALLS[finding.no_call]
        components.append(
            {"code": _concept(codes.NO_CALL), "valueCodeableConcept": _concept(reason)}
        )
    components.append({"code": _concept(codes.FOLLOW_UP), "valueBoolean": asks_for_more(finding)})
    return {
        "resourceType": "Observation",
        "meta": _meta(examined, by_ai=True),
        "status": _status(examined),
        "category": [_IMAGING],
        "code": {"text": "Classification of a skin lesion by a model from its dermoscopic picture"},
        "subject": _refer(examined.patient_uuid),
        "effectiveDateTime": examined.taken.isoformat(timespec="milliseconds"),
        "bodySite": _site(examined),
        **_based_on(examined),
        "method": {"text": finding.model},
        "device": _refer(_device_uuid(examined)),
        "derivedFrom": [_refer(examined.image_uuid)],
        "component": components,
    }


def _report(examined: ExaminedLesion, made: _Resources) -> dict[str, Any]:
    finding, decision = examined.finding, examined.decision
    report: dict[str, Any] = {
        "resourceType": "DiagnosticReport",
        "meta": _meta(examined, by_ai=decision is None),
        "status": _status(examined),
        "code": _concept(codes.IMAGING_REPORT, text="Dermoscopy of a skin lesion"),
        "subject": _refer(examined.patient_uuid),
        "effectiveDateTime": examined.taken.isoformat(timespec="milliseconds"),
        **_based_on(examined),
        "media": [{"link": _refer(examined.image_uuid)}],
        "conclusion": _conclusion(finding, decision),
    }
    if finding is not None:
        report["result"] = [_refer(made.of("observation"))]
    if decision is not None:
        report["issued"] = decision.decided.isoformat(timespec="milliseconds")
        diagnosed = _diagnosis(decision)
        if diagnosed is not None:
            report["conclusionCode"] = [diagnosed]
    return report


def _diagnosis(decision: Decision) -> dict[str, Any] | None:
    if decision.diagnosis is not None:
        own = codes.DIAGNOSES[decision.diagnosis]
        named = codes.CONDITIONS.get(Code(decision.diagnosis), ())
        return _concept(*named, own, text=own.meaning)
    return {"text": decision.other_diagnosis} if decision.other_diagnosis else None


def _conclusion(finding: FindingRecord | None, decision: Decision | None) -> str:
    """Return in words what was decided, or else what the model asks for."""
    said = []
    if decision is not None:
        said.append(f"Decided: {codes.ACTIONS[decision.action].meaning}.")
        if decision.due is not None:
            said.append(f"To be seen again on {decision.due.isoformat()}.")
        if decision.proof is not None:
            said.append(f"Proven by: {codes.PROOFS[decision.proof].meaning}.")
        if decision.note:
            said.append(decision.note)
    elif finding is not None:
        said.append("Output of a model; no clinician has decided yet.")
        if finding.no_call is not None:
            said.append(f"No call: {codes.NO_CALLS[finding.no_call].meaning}.")
        if finding.recommendation is not None:
            said.append(f"{codes.RECOMMENDATIONS[finding.recommendation].meaning}.")
    return " ".join(said)


def _provenance(examined: ExaminedLesion, made: _Resources) -> dict[str, Any]:
    finding, decision = examined.finding, examined.decision
    said = decision.decided if decision else examined.taken
    targets = [_refer(made.of("diagnostic-report"))]
    agents: list[dict[str, Any]] = []
    if finding is not None:
        targets.append(_refer(made.of("observation")))
        agents.append(
            {
                "type": {"text": f"model {finding.model}"},
                "who": _refer(_device_uuid(examined)),
            }
        )
    if decision is not None:
        # The instrument knows of its users no more than their role.
        agents.append({"type": {"text": "decided"}, "who": {"display": decision.role.value}})
    return {
        "resourceType": "Provenance",
        "target": targets,
        "recorded": said.isoformat(timespec="milliseconds"),
        "agent": agents,
        "entity": [{"role": "source", "what": _refer(examined.image_uuid)}],
    }


def _request(examined: ExaminedLesion, made: _Resources) -> dict[str, Any] | None:
    """Return what is asked for; None where nothing is and nothing can have been.

    Where a clinician does nothing it may take back what was decided, and sent, before.
    """
    decision, finding = examined.decision, examined.finding
    if decision is None and not (finding is not None and asks_for_more(finding)):
        return None
    action = decision.action if decision else Action.REFER
    due = decision.due if decision else None
    request: dict[str, Any] = {
        "resourceType": "ServiceRequest",
        "meta": _meta(examined, by_ai=decision is None),
        # What the model or an earlier decision asked for and the clinician does not is taken back.
        "status": "active" if examined.flagged else "revoked",
        "intent": "proposal" if decision is None else "plan",
        "code": (
            _concept(codes.FOLLOW_UP)
            if decision is None
            else _concept(codes.ACTIONS[action], text=codes.ACTIONS[action].meaning)
        ),
        "subject": _refer(examined.patient_uuid),
        "authoredOn": (decision.decided if decision else examined.taken).isoformat(
            timespec="milliseconds"
        ),
        "bodySite": [_site(examined)],
        "supportingInfo": [_refer(examined.image_uuid)],
    }
    if due is not None:
        request["occurrenceDateTime"] = due.isoformat()
    return request


def _status(examined: ExaminedLesion) -> str:
    return "preliminary" if examined.decision is None else "final"


def _meta(examined: ExaminedLesion, *, by_ai: bool) -> dict[str, Any]:
    """Return the labels of what a model said, and of what no clinician has confirmed."""
    meta: dict[str, Any] = {}
    if by_ai:
        meta["security"] = [dict(_FROM_AI)]
    if examined.decision is None:
        meta["tag"] = [dict(_UNDECIDED)]
    return meta
