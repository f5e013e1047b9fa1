"""The manifest's ``classes`` section: what clinicians call the seven diagnoses.

SNOMED CT concepts name the group's commonest disorder; ICD-10 codes are the WHO's, without a site.
"""

from typing import Final

from device.diagnoses import Code
from device.models.manifest import DiagnosisClass

CLASSES: Final = (
    DiagnosisClass(
        code=Code.AKIEC,
        names={
            "en": "Actinic keratosis / Bowen",
            "es": "Queratosis actínica / Bowen",
            "pt": "Queratose actínica / Bowen",
        },
        malignant=True,
        snomed_ct="201101007",
        icd10="L57.0",
    ),
    DiagnosisClass(
        code=Code.BCC,
        names={
            "en": "Basal cell carcinoma",
            "es": "Carcinoma basocelular",
            "pt": "Carcinoma basocelular",
        },
        malignant=True,
        snomed_ct="254701007",
        icd10="C44.9",
    ),
    DiagnosisClass(
        code=Code.BKL,
        names={
            "en": "Benign keratosis",
            "es": "Queratosis benigna",
            "pt": "Queratose benigna",
        },
        malignant=False,
        snomed_ct="25499005",
        icd10="L82",
    ),
    DiagnosisClass(
        code=Code.DF,
        names={"en": "Dermatofibroma", "es": "Dermatofibroma", "pt": "Dermatofibroma"},
        malignant=False,
        snomed_ct="",
        icd10="D23.9",
    ),
    DiagnosisClass(
        code=Code.MEL,
        names={"en": "Melanoma", "es": "Melanoma", "pt": "Melanoma"},
        malignant=True,
        snomed_ct="93655004",
        icd10="C43.9",
    ),
    DiagnosisClass(
        code=Code.NV,
        names={
            "en": "Melanocytic naevus",
            "es": "Nevo melanocítico",
            "pt": "Nevo melanocítico",
        },
        malignant=False,
        snomed_ct="400096001",
        icd10="D22.9",
    ),
    DiagnosisClass(
        code=Code.VASC,
        names={"en": "Vascular lesion", "es": "Lesión vascular", "pt": "Lesão vascular"},
        malignant=False,
        snomed_ct="400210000",
        icd10="D18.0",
    ),
)
