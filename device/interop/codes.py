"""Codes that other systems read, each with where it was looked up.

A code that could not be looked up is not used: the words stand alone.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from device.anatomy import BodySite, Laterality
from device.diagnoses import Code
from device.inference.finding import NoCallReason
from device.inference.recommendation import Recommendation
from device.records.patients import Action, Proof


class System(StrEnum):
    """A code system, by DICOM's name for it (PS3.16, 8)."""

    SNOMED_CT = "SCT"
    DICOM = "DCM"
    UCUM = "UCUM"
    LOINC = "LN"
    ICD10 = "I10"
    OWN = "99DERMASCOPE"


@dataclass(frozen=True, slots=True)
class Coded:
    """A code, and what it means in English."""

    system: System
    code: str
    meaning: str


def _sct(code: str, meaning: str) -> Coded:
    return Coded(System.SNOMED_CT, code, meaning)


def _own(code: str, meaning: str) -> Coded:
    return Coded(System.OWN, code, meaning)


SITES: Final[dict[BodySite, Coded]] = {
    # DICOM PS3.16, CID 4029 "Dermatology Anatomic Sites".
    BodySite.SCALP: _sct("43067004", "Skin of scalp"),
    BodySite.FOREHEAD: _sct("68698007", "Skin of forehead"),
    BodySite.FACE: _sct("73897004", "Skin of face"),
    BodySite.NOSE: _sct("113179006", "Skin of nose"),
    BodySite.LIP: _sct("88089004", "Skin of lip"),
    BodySite.EAR: _sct("1902009", "Skin of ear"),
    BodySite.NECK: _sct("43081002", "Skin of neck"),
    BodySite.CHEST: _sct("244106003", "Skin of anterior surface of thorax"),
    BodySite.ABDOMEN: _sct("75093004", "Skin of abdomen"),
    BodySite.UPPER_BACK: _sct("699893008", "Skin of back of upper thoracic region"),
    BodySite.LOWER_BACK: _sct("113182001", "Skin of lower back"),
    BodySite.BUTTOCK: _sct("22180002", "Skin of buttock"),
    BodySite.GENITAL: _sct("60944009", "Skin of external genitalia"),
    BodySite.HAND: _sct("33712006", "Skin of hand"),
    BodySite.PALM: _sct("70887009", "Skin of palm of hand"),
    BodySite.FINGER: _sct("244169007", "Skin of digit of hand"),
    BodySite.FOOT: _sct("60496002", "Skin of foot"),
    # It has no code for the whole sole.
    BodySite.SOLE: _sct("60496002", "Skin of foot"),
    BodySite.TOE: _sct("52034004", "Skin of toe"),
    # It tells apart front and back of these, which the body map does not; CID 4031 "Common
    # Anatomic Regions" names the whole.
    BodySite.UPPER_ARM: _sct("40983000", "Upper arm"),
    BodySite.FOREARM: _sct("14975008", "Forearm"),
    BodySite.THIGH: _sct("68367000", "Thigh"),
    BodySite.LOWER_LEG: _sct("30021000", "Lower leg"),
}

SKIN: Final = _sct("39937001", "Skin")
"""CID 4029; where the site was not entered."""

SIDES: Final[dict[Laterality, Coded]] = {
    # DICOM PS3.16, CID 244 "Laterality".
    Laterality.LEFT: _sct("7771000", "Left"),
    Laterality.RIGHT: _sct("24028007", "Right"),
}

DERMOSCOPY: Final = _sct("446078004", "Dermoscopic photography")
"""DICOM PS3.16, Annex D, as pydicom's dictionary of it has it."""

SKIN_LESION: Final = _sct("95324001", "Skin lesion")
"""DICOM PS3.16, CID 6054."""

SKIN_TYPE: Final = _sct("443635002", "Fitzpatrick classification of skin type")
"""DICOM PS3.16, as `DERMOSCOPY`."""

SKIN_TYPES: Final = tuple(
    # DICOM PS3.16, CID 4401 "Fitzpatrick Skin Type".
    Coded(System.LOINC, f"C745{69 + i}", f"Fitzpatrick Skin Type {numeral}")
    for i, numeral in enumerate(("I", "II", "III", "IV", "V", "VI"))
)

NO_UNITS: Final = Coded(System.UCUM, "1", "no units")
"""DICOM PS3.16, CID 7181."""

DIAGNOSES: Final[dict[Code, Coded]] = {
    # HAM10000's classes are groups, for which there are no codes: these name what is measured.
    Code.AKIEC: _own("akiec", "Actinic keratosis or intraepithelial carcinoma"),
    Code.BCC: _own("bcc", "Basal cell carcinoma"),
    Code.BKL: _own("bkl", "Benign keratosis"),
    Code.DF: _own("df", "Dermatofibroma"),
    Code.MEL: _own("mel", "Melanoma"),
    Code.NV: _own("nv", "Melanocytic naevus"),
    Code.VASC: _own("vasc", "Vascular lesion"),
}


def probability_of(what: Coded) -> Coded:
    """Return what the probability of a diagnosis, or of a group of them, is called."""
    return _own(f"p-{what.code}", f"Probability: {what.meaning}")


CONDITIONS: Final[dict[Code, tuple[Coded, ...]]] = {
    # A clinician's diagnosis, where it is one disorder and not one of several: akiec, bkl and vasc
    # are told in words alone. ICD-10: WHO, volume 1, chapter II, of the skin, site unspecified.
    # SNOMED CT: bcc as the Mondo ontology has it for MONDO:0005341; mel as HL7's value set
    # mcode-primary-cancer-disorder-vs 2.0.0; nv as HL7's terminology server (tx-dev.fhir.org) shows
    # the edition 83821000000107 of 2023-04-12. For df no source but word of mouth was found.
    Code.BCC: (
        _sct("254701007", "Basal cell carcinoma of skin"),
        Coded(System.ICD10, "C44.9", "Malignant neoplasm of skin, unspecified"),
    ),
    Code.DF: (Coded(System.ICD10, "D23.9", "Other benign neoplasm of skin, unspecified"),),
    Code.MEL: (
        _sct("93655004", "Malignant melanoma of skin"),
        Coded(System.ICD10, "C43.9", "Malignant melanoma of skin, unspecified"),
    ),
    Code.NV: (
        _sct("400096001", "Melanocytic nevus"),
        Coded(System.ICD10, "D22.9", "Melanocytic naevi, unspecified"),
    ),
}

IMAGING_REPORT: Final = Coded(System.LOINC, "18748-4", "Diagnostic imaging study")
"""HL7 C-CDA R2.1, Diagnostic Imaging Report."""

MALIGNANT_GROUP: Final = _own("malignant", "Malignant or pre-malignant")
RECOMMENDATION: Final = _own("recommendation", "What the finding asks for")
RECOMMENDATIONS: Final[dict[Recommendation, Coded]] = {
    Recommendation.REFER: _own("refer", "Excise or refer"),
    Recommendation.NOT_EXCLUDED: _own("not-excluded", "Malignancy is not excluded"),
    Recommendation.NO_SIGN: _own("no-sign", "No sign of malignancy"),
}
NO_CALL: Final = _own("no-call", "Why no diagnosis should be read from it")
NO_CALLS: Final[dict[NoCallReason, Coded]] = {
    NoCallReason.QUALITY: _own("quality", "Poor picture"),
    NoCallReason.UNFAMILIAR: _own("unfamiliar", "Unlike what the model knows"),
    NoCallReason.UNCERTAIN: _own("uncertain", "No diagnosis is likely enough"),
    NoCallReason.NOT_DERMOSCOPIC: _own("not-dermoscopic", "No dermatoscope took the picture"),
    NoCallReason.UNSTABLE: _own("unstable", "Not the same when turned or mirrored"),
}
FOLLOW_UP: Final = _own("follow-up", "The lesion is to be seen again")
YES: Final = _sct("373066001", "Yes")
NO: Final = _sct("373067005", "No")
"""DICOM PS3.16, CID 231 "Yes-No Only"."""

DECISION: Final = _own("decision", "What the clinician does")
ACTIONS: Final[dict[Action, Coded]] = {
    Action.NOTHING: _own("nothing", "Nothing"),
    Action.FOLLOW_UP: _own("see-again", "Follow-up"),
    Action.REFER: _own("referral", "Referral"),
    # DICOM PS3.16, CID 4409 "Skin Procedures".
    Action.EXCISE: _sct("440258006", "Excision of skin"),
}
DIAGNOSIS: Final = _own("diagnosis", "The clinician's diagnosis")
AGREES: Final = _own("agrees", "The clinician agrees with the model")
PROOF: Final = _own("proof", "How the diagnosis was proven")
PROOFS: Final[dict[Proof, Coded]] = {
    Proof.HISTOPATHOLOGY: _own("histo", "Histopathology"),
    Proof.FOLLOW_UP: _own("follow_up", "Follow-up"),
    Proof.CONSENSUS: _own("consensus", "Consensus of experts"),
    Proof.CONFOCAL: _own("confocal", "Confocal microscopy"),
}
