"""Every code stands where its comment says: in the part of DICOM's PS3.16 that pydicom holds."""

import pytest
from pydicom.sr._concepts_dict import concepts

from device.anatomy import BodySite, Laterality
from device.diagnoses import Code
from device.inference.finding import NoCallReason
from device.inference.recommendation import Recommendation
from device.interop import codes
from device.interop.codes import Coded, System
from device.records.patients import Action, Proof

_WHOLE_SITES = {
    BodySite.UPPER_ARM, BodySite.FOREARM, BodySite.THIGH, BodySite.LOWER_LEG,
}  # fmt: skip


def groups(coded: Coded) -> list[int]:
    """Return the context groups that a code is in, under the meaning that is told with it."""
    for named in concepts[coded.system].values():
        if coded.code in named:
            meaning, cids = named[coded.code]
            assert (
                meaning.removesuffix(" (procedure)").removesuffix(" (assessment scale)")
                == coded.meaning
            )
            return cids
    raise AssertionError(f"{coded} is not in the dictionary")


@pytest.mark.parametrize("site", BodySite)
def test_every_site_has_a_code_of_its_group(site: BodySite) -> None:
    assert (4031 if site in _WHOLE_SITES else 4029) in groups(codes.SITES[site])


@pytest.mark.parametrize(
    ("coded", "group"),
    [
        (codes.SKIN, 4029),
        (codes.SIDES[Laterality.LEFT], 244),
        (codes.SIDES[Laterality.RIGHT], 244),
        (codes.SKIN_LESION, 6054),
        (codes.YES, 231),
        (codes.NO, 231),
        (codes.ACTIONS[Action.EXCISE], 4409),
        *((kind, 4401) for kind in codes.SKIN_TYPES),
    ],
    ids=lambda value: getattr(value, "code", value),
)
def test_code_is_in_the_group_that_its_comment_names(coded: Coded, group: int) -> None:
    assert group in groups(coded)


@pytest.mark.parametrize("coded", [codes.DERMOSCOPY, codes.SKIN_TYPE], ids=lambda c: c.code)
def test_code_outside_of_groups_is_in_the_dictionary(coded: Coded) -> None:
    groups(coded)


def test_whatever_can_be_said_has_a_code_that_fits_and_says_one_thing() -> None:
    said = [
        *(codes.DIAGNOSES[code] for code in Code),
        *(codes.probability_of(codes.DIAGNOSES[code]) for code in Code),
        *(codes.RECOMMENDATIONS[one] for one in Recommendation),
        *(codes.NO_CALLS[one] for one in NoCallReason),
        *(codes.ACTIONS[one] for one in Action),
        *(codes.PROOFS[one] for one in Proof),
        codes.MALIGNANT_GROUP, codes.RECOMMENDATION, codes.NO_CALL, codes.FOLLOW_UP,
        codes.DECISION, codes.DIAGNOSIS, codes.AGREES, codes.PROOF,
    ]  # fmt: skip
    own = [one for one in said if one.system is System.OWN]
    assert len({one.code for one in own}) == len(own)
    for one in said:
        assert len(one.code) <= 16, one
        assert len(one.meaning) <= 64, one
