"""What records hold, as words that the catalogues hold: on the screen and on paper the same."""

from collections.abc import Mapping
from typing import Final

from device.anatomy import BodySite, BodySpot, Laterality
from device.inference.finding import NoCallReason
from device.inference.recommendation import Recommendation
from device.language import Translating, translatable
from device.records.patients import Action, Proof, Sex

SITES: Final[Mapping[BodySite, str]] = {
    BodySite.SCALP: translatable("Scalp"),
    BodySite.FOREHEAD: translatable("Forehead"),
    BodySite.FACE: translatable("Face"),
    BodySite.NOSE: translatable("Nose"),
    BodySite.LIP: translatable("Lip"),
    BodySite.EAR: translatable("Ear"),
    BodySite.NECK: translatable("Neck"),
    BodySite.CHEST: translatable("Chest"),
    BodySite.ABDOMEN: translatable("Abdomen"),
    BodySite.UPPER_BACK: translatable("Upper back"),
    BodySite.LOWER_BACK: translatable("Lower back"),
    BodySite.BUTTOCK: translatable("Buttock"),
    BodySite.GENITAL: translatable("Genital area"),
    BodySite.UPPER_ARM: translatable("Upper arm"),
    BodySite.FOREARM: translatable("Forearm"),
    BodySite.HAND: translatable("Back of the hand"),
    BodySite.PALM: translatable("Palm"),
    BodySite.FINGER: translatable("Finger"),
    BodySite.THIGH: translatable("Thigh"),
    BodySite.LOWER_LEG: translatable("Lower leg"),
    BodySite.FOOT: translatable("Top of the foot"),
    BodySite.SOLE: translatable("Sole"),
    BodySite.TOE: translatable("Toe"),
}
SIDES: Final[Mapping[Laterality, str]] = {
    Laterality.LEFT: translatable("{site}, on the left"),
    Laterality.RIGHT: translatable("{site}, on the right"),
}
SIDE_LETTERS: Final[Mapping[Laterality, str]] = {
    Laterality.LEFT: translatable("L"),
    Laterality.RIGHT: translatable("R"),
}
SEXES: Final[Mapping[Sex, str]] = {
    Sex.FEMALE: translatable("Female"),
    Sex.MALE: translatable("Male"),
    Sex.OTHER: translatable("Other"),
}
ACTIONS: Final[Mapping[Action, str]] = {
    Action.NOTHING: translatable("Nothing to do"),
    Action.FOLLOW_UP: translatable("Follow up"),
    Action.REFER: translatable("Refer"),
    Action.EXCISE: translatable("Excise"),
}
PROOFS: Final[Mapping[Proof, str]] = {
    Proof.HISTOPATHOLOGY: translatable("Histopathology"),
    Proof.FOLLOW_UP: translatable("Unchanged at follow-up"),
    Proof.CONSENSUS: translatable("Consensus of experts"),
    Proof.CONFOCAL: translatable("Confocal microscopy"),
}
RECOMMENDATIONS: Final[Mapping[Recommendation, str]] = {
    Recommendation.REFER: translatable("Excise or refer"),
    Recommendation.NOT_EXCLUDED: translatable("Follow up or refer"),
    Recommendation.NO_SIGN: translatable("No sign of malignancy"),
}
NO_CALLS: Final[Mapping[NoCallReason, str]] = {
    NoCallReason.QUALITY: translatable("No call: poor picture"),
    NoCallReason.UNFAMILIAR: translatable("No call: unfamiliar"),
    NoCallReason.UNCERTAIN: translatable("No call: uncertain"),
    NoCallReason.NOT_DERMOSCOPIC: translatable("No call: not dermoscopic"),
    NoCallReason.UNSTABLE: translatable("No call: unstable"),
}
NOTICE: Final = translatable("Decision support. The diagnosis is the clinician's.")


def site_line(spot: BodySpot | None, texts: Translating) -> str:
    """Return where a lesion lies; empty where that was not entered."""
    if spot is None:
        return ""
    site = texts.translate(SITES[spot.site])
    return texts.translate(SIDES[spot.laterality], site=site) if spot.laterality else site
