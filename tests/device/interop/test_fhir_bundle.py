import base64
import io
import json
from dataclasses import replace
from datetime import date
from typing import Any

import msgspec
import numpy as np
import pytest
from PIL import Image

from device.diagnoses import CODES, Code
from device.inference.finding import Finding
from device.inference.recommendation import Recommendation
from device.interop.fhir_bundle import fhir_bundle
from device.interop.study import ExaminedLesion
from device.models.manifest import Manifest
from device.records.patients import Action, Decision
from tests.device.interop.studies import DECISION, ORDER, PATIENT, SECRETS, examined

MRN = "https://clinic.example/mrn"


@pytest.fixture(scope="module")
def refer(finding: Finding) -> Finding:
    return replace(finding, recommendation=Recommendation.REFER)


def resources(one: ExaminedLesion) -> dict[str, dict[str, Any]]:
    bundle = json.loads(json.dumps(fhir_bundle(one, one.patient, MRN)))
    assert bundle["type"] == "transaction"
    return {entry["resource"]["resourceType"]: entry["resource"] for entry in bundle["entry"]}


def requests(one: ExaminedLesion) -> dict[str, dict[str, str]]:
    bundle = fhir_bundle(one, one.patient, MRN)
    return {entry["resource"]["resourceType"]: entry["request"] for entry in bundle["entry"]}


def test_finding_is_an_observation_with_a_component_for_each_class(
    manifest: Manifest, refer: Finding
) -> None:
    observation = resources(examined(manifest, refer))["Observation"]
    measured = [c["valueQuantity"]["value"] for c in observation["component"][:8]]
    assert measured[:7] == pytest.approx([refer.probability(code) for code in CODES], abs=1e-6)
    assert measured[7] == pytest.approx(refer.malignancy, abs=1e-6)
    said = {c["code"]["coding"][0]["code"]: c for c in observation["component"]}
    assert said["recommendation"]["valueCodeableConcept"]["text"] == "Excise or refer"
    assert said["follow-up"]["valueBoolean"] is True
    assert observation["method"]["text"] == refer.model
    # A probability of melanoma is no melanoma: no index of diagnoses may find it.
    systems = {coding["system"] for c in observation["component"] for coding in c["code"]["coding"]}
    assert systems == {"urn:uuid:5b0a2c1e-6f0d-4f64-9a53-0d1b7c1f7a92"}


def test_what_the_model_says_is_preliminary_and_labelled_until_the_clinician_decides(
    manifest: Manifest, refer: Finding
) -> None:
    before = resources(examined(manifest, refer))
    after = resources(examined(manifest, refer, decision=DECISION))
    for kind in ("Observation", "DiagnosticReport"):
        assert (before[kind]["status"], after[kind]["status"]) == ("preliminary", "final")
        assert before[kind]["meta"]["tag"][0]["code"] == "undecided"
        assert "tag" not in after[kind]["meta"]
        assert before[kind]["meta"]["security"][0]["code"] == "AIAST"
    assert after["Observation"]["meta"]["security"][0]["code"] == "AIAST"
    assert "security" not in after["DiagnosticReport"]["meta"]
    assert "conclusionCode" not in before["DiagnosticReport"]


@pytest.mark.parametrize(
    ("code", "systems"),
    [
        (Code.BCC, ["http://snomed.info/sct", "http://hl7.org/fhir/sid/icd-10"]),
        (Code.MEL, ["http://snomed.info/sct", "http://hl7.org/fhir/sid/icd-10"]),
        (Code.NV, ["http://snomed.info/sct", "http://hl7.org/fhir/sid/icd-10"]),
        (Code.DF, ["http://hl7.org/fhir/sid/icd-10"]),
        # Groups of disorders, which no code names.
        (Code.AKIEC, []),
        (Code.VASC, []),
    ],
)
def test_clinicians_diagnosis_has_the_codes_that_are_sure(
    manifest: Manifest, code: Code, systems: list[str]
) -> None:
    decision = msgspec.structs.replace(DECISION, diagnosis=code)
    (concluded,) = resources(examined(manifest, decision=decision))["DiagnosticReport"][
        "conclusionCode"
    ]
    *sure, own = concluded["coding"]
    assert [coding["system"] for coding in sure] == systems
    assert (own["code"], concluded["text"]) == (code, own["display"])


def test_other_diagnosis_is_told_in_words(manifest: Manifest) -> None:
    decision = msgspec.structs.replace(DECISION, diagnosis=None, other_diagnosis="Angioqueratoma")
    report = resources(examined(manifest, decision=decision))["DiagnosticReport"]
    assert report["conclusionCode"] == [{"text": "Angioqueratoma"}]
    assert DECISION.note in report["conclusion"]


def decided(action: Action, due: date | None = None) -> Decision:
    return msgspec.structs.replace(DECISION, action=action, due=due)


def test_request_is_a_proposal_then_the_clinicians_and_is_taken_back(
    manifest: Manifest, refer: Finding, finding: Finding
) -> None:
    proposal = resources(examined(manifest, refer))["ServiceRequest"]
    assert (proposal["status"], proposal["intent"]) == ("active", "proposal")
    again = decided(Action.FOLLOW_UP, date(2026, 6, 1))
    plan = resources(examined(manifest, refer, decision=again))["ServiceRequest"]
    assert (plan["status"], plan["intent"]) == ("active", "plan")
    assert plan["occurrenceDateTime"] == "2026-06-01"
    nothing = resources(examined(manifest, refer, decision=decided(Action.NOTHING)))
    assert nothing["ServiceRequest"]["status"] == "revoked"
    withdrawn = resources(examined(manifest, None, decision=decided(Action.NOTHING)))
    assert withdrawn["ServiceRequest"]["status"] == "revoked"
    none = replace(finding, recommendation=Recommendation.NO_SIGN)
    assert "ServiceRequest" not in resources(examined(manifest, none))
    assert "ServiceRequest" in resources(examined(manifest, none, decision=again))


def test_what_is_sent_answers_the_clinics_order(manifest: Manifest, refer: Finding) -> None:
    sent = resources(examined(manifest, refer, order=ORDER))
    for kind in ("Media", "Observation", "DiagnosticReport"):
        (asked,) = sent[kind]["basedOn"]
        assert (asked["type"], asked["identifier"]["value"]) == ("ServiceRequest", "ACC1")
    assert "basedOn" not in sent["ServiceRequest"]
    assert all("basedOn" not in one for one in resources(examined(manifest, refer)).values())


def test_picture_is_whole_and_tells_nothing_beside(manifest: Manifest) -> None:
    one = examined(manifest)
    media = resources(one)["Media"]
    picture = Image.open(io.BytesIO(base64.b64decode(media["content"]["data"])))
    np.testing.assert_array_equal(np.asarray(picture), one.examination.image)
    assert picture.info == {}
    assert media["bodySite"]["text"] == "left forearm"


def test_every_resource_is_made_or_changed_by_its_identifier(
    manifest: Manifest, refer: Finding
) -> None:
    one = examined(manifest, refer)
    asked = requests(one)
    assert asked["Patient"]["ifNoneExist"] == f"identifier={MRN}|{PATIENT.identifier}"
    assert asked["Provenance"]["ifNoneExist"].startswith("_tag=urn:uuid:")
    for kind in ("Device", "Media", "Observation", "DiagnosticReport", "ServiceRequest"):
        assert asked[kind]["method"] == "PUT"
        assert asked[kind]["url"].startswith(f"{kind}?identifier=")
    later = requests(examined(manifest, refer, decision=DECISION))
    for kind in ("Observation", "DiagnosticReport", "ServiceRequest", "Media"):
        assert later[kind] == asked[kind]
    assert later["Provenance"] != asked["Provenance"]
    assert json.dumps(fhir_bundle(one, PATIENT, MRN)) == json.dumps(fhir_bundle(one, PATIENT, MRN))


def test_identifier_with_signs_of_fhir_asks_for_itself(manifest: Manifest) -> None:
    strange = msgspec.structs.replace(PATIENT, identifier="A|B,C&identifier=D")
    asked = requests(examined(manifest, patient=strange))["Patient"]["ifNoneExist"]
    assert asked == f"identifier={MRN}|A%5C|B%5C%2CC%26identifier%3DD"


def test_keys_of_the_archive_stand_in_nothing_that_leaves(
    manifest: Manifest, refer: Finding
) -> None:
    said = json.dumps(fhir_bundle(examined(manifest, refer), PATIENT, MRN))
    keys = [secret for secret in SECRETS if len(secret) == 32]
    assert keys
    assert not any(key in said for key in keys)
