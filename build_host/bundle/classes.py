"""The manifest's ``classes`` section: what clinicians call the seven diagnoses.

SNOMED CT concepts name the group's commonest disorder; ICD-10 codes are the WHO's, without a site.
"""

from collections.abc import Collection
from typing import Final

import msgspec

from build_host.datasets.sources import SourceName
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
            "en": "Seborrhoeic keratosis / lentigo",
            "es": "Queratosis seborreica / léntigo",
            "pt": "Queratose seborreica / lentigo",
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

_WITH_CARCINOMA: Final = {
    "en": "Actinic keratosis / Bowen / SCC",
    "es": "Queratosis act. / Bowen / CEC",
    "pt": "Queratose act. / Bowen / CEC",
}
_WITHOUT_CARCINOMA: Final = frozenset({"ham10000", "isic-2017"})


def classes_of(sources: Collection[SourceName]) -> tuple[DiagnosisClass, ...]:
    """Return what the diagnoses are called by a model that was trained on these sources.

    HAM10000's akiec is actinic keratosis and Bowen's disease; all others count squamous cell
    carcinoma with it, and then its name says so.
    """
    if _WITHOUT_CARCINOMA.issuperset(sources):
        return CLASSES
    return tuple(
        msgspec.structs.replace(c, names=_WITH_CARCINOMA) if c.code == Code.AKIEC else c
        for c in CLASSES
    )
