import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.inference.recommendation import Recommendation, recommend
from device.models.network_spec import OperatingPoint

THRESHOLDS = {
    "melanoma-0.90": 0.06,
    "melanoma-0.95": 0.03,
    "malignant-0.90": 0.15,
    "malignant-0.95": 0.08,
    "malignant-specificity-0.90": 0.40,
}


def points(*without: str) -> list[OperatingPoint]:
    return [
        OperatingPoint(
            name=name,
            score="mel" if name.startswith("melanoma") else "malignant",
            threshold=threshold,
            sensitivity=0.9,
            specificity=0.5,
            fitted_on="fold 4",
        )
        for name, threshold in THRESHOLDS.items()
        if name not in without
    ]


@pytest.mark.parametrize(
    ("melanoma", "malignancy", "expected"),
    [
        (0.01, 0.02, "no-sign"),
        (0.03, 0.04, "not-excluded"),
        (0.01, 0.08, "not-excluded"),
        (0.029, 0.079, "no-sign"),
        (0.39, 0.399, "not-excluded"),
        (0.39, 0.40, "refer"),
        (0.0, 0.99, "refer"),
    ],
)
def test_band_is_that_of_the_thresholds_reached(
    melanoma: float, malignancy: float, expected: str
) -> None:
    assert recommend(melanoma, malignancy, points(), called=True) == expected


def test_nothing_says_that_there_is_no_sign_in_what_is_not_called() -> None:
    assert recommend(0.01, 0.02, points(), called=False) is None
    # But what speaks for malignancy is said all the same.
    assert recommend(0.03, 0.04, points(), called=False) == Recommendation.NOT_EXCLUDED
    assert recommend(0.30, 0.60, points(), called=False) == Recommendation.REFER


def test_bundle_without_the_sensitive_thresholds_recommends_nothing() -> None:
    for name in ("melanoma-0.95", "malignant-0.95"):
        assert recommend(0.9, 0.95, points(name), called=True) is None
    assert recommend(0.9, 0.95, [], called=True) is None


def test_older_bundle_never_goes_beyond_not_excluded() -> None:
    older = points("malignant-specificity-0.90")
    assert recommend(0.9, 0.95, older, called=True) == Recommendation.NOT_EXCLUDED
    assert recommend(0.01, 0.02, older, called=True) == Recommendation.NO_SIGN


shares = st.floats(0.0, 1.0)


@given(shares, shares, shares, shares)
def test_higher_probability_never_asks_for_less(a: float, b: float, c: float, d: float) -> None:
    order = [Recommendation.NO_SIGN, Recommendation.NOT_EXCLUDED, Recommendation.REFER]
    low = recommend(min(a, b), min(c, d), points(), called=True)
    high = recommend(max(a, b), max(c, d), points(), called=True)
    assert low is not None
    assert high is not None
    assert order.index(low) <= order.index(high)
