import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from device.diagnoses import CODES, MALIGNANT
from device.inference.calibration import (
    NEAR_TIE,
    abstention_reason,
    agreement,
    energy,
    malignancy,
    prediction_set,
    probabilities,
)
from device.inference.network import NetworkOutput
from device.models.network_spec import Abstention, Calibration, Conformal

PLAIN = Calibration(temperature=1.0, bias=(0.0,) * 7, fitted_on="this test")

any_logits = arrays(
    np.float32, 7, elements=st.floats(width=32, allow_nan=False, allow_infinity=False)
)
usual_logits = arrays(np.float32, 7, elements=st.floats(-100, 100, width=32))
calibrations = st.builds(
    Calibration,
    temperature=st.floats(0.05, 50),
    bias=st.tuples(*[st.floats(-10, 10)] * 7),
    fitted_on=st.just("this test"),
)


def conformal(*thresholds: float) -> Conformal:
    return Conformal(coverage=0.9, thresholds=thresholds, fitted_on="this test")


def abstention(score: str, uncertain: float, unfamiliar: float | None) -> Abstention:
    return Abstention(
        score=score, uncertain_below=uncertain, unfamiliar_below=unfamiliar, fitted_on="this test"
    )


def spread(**by_code: float) -> np.ndarray:
    """Return seven probabilities: these, and the rest shared by the others."""
    others = (1.0 - sum(by_code.values())) / (7 - len(by_code))
    return np.array([by_code.get(code, others) for code in CODES])


@given(logits=any_logits, calibration=calibrations)
def test_probabilities_of_any_logits_sum_to_one(
    logits: np.ndarray, calibration: Calibration
) -> None:
    probability = probabilities(logits, calibration)
    assert probability.dtype == np.float64
    assert (probability >= 0).all()
    assert probability.sum() == pytest.approx(1.0, abs=1e-12)


@given(rows=arrays(np.float32, (5, 7), elements=st.floats(-100, 100, width=32)))
def test_rows_are_calibrated_one_by_one(rows: np.ndarray) -> None:
    together = probabilities(rows, PLAIN)
    np.testing.assert_array_equal(together, [probabilities(row, PLAIN) for row in rows])


@given(logits=usual_logits, calibration=calibrations)
def test_it_is_the_softmax_of_logits_over_temperature_plus_bias(
    logits: np.ndarray, calibration: Calibration
) -> None:
    scaled = logits.astype(float) / calibration.temperature + np.array(calibration.bias)
    logs = np.log(np.maximum(probabilities(logits, calibration), 1e-300))
    expected = scaled - np.logaddexp.reduce(scaled)
    far = expected < -600
    np.testing.assert_allclose(logs[~far], expected[~far], atol=1e-6)


def test_higher_temperature_softens_and_keeps_the_order() -> None:
    logits = np.array([3, 1, 0, -1, 5, 2, -4], np.float32)
    sharp = probabilities(logits, PLAIN)
    soft = probabilities(logits, msgspec.structs.replace(PLAIN, temperature=3.0))
    assert soft.max() < sharp.max()
    np.testing.assert_array_equal(np.argsort(soft), np.argsort(sharp))


def test_bias_favours_its_own_diagnosis() -> None:
    logits = np.zeros(7, np.float32)
    biased = probabilities(logits, msgspec.structs.replace(PLAIN, bias=(0, 0, 0, 0, 2.0, 0, 0)))
    assert CODES[int(np.argmax(biased))] == "mel"
    assert biased[4] / biased[0] == pytest.approx(np.exp(2.0))


def test_malignancy_is_the_sum_of_the_three() -> None:
    probability = np.array([0.1, 0.2, 0.3, 0.05, 0.15, 0.19, 0.01])
    assert float(malignancy(probability)) == pytest.approx(0.1 + 0.2 + 0.15)


@pytest.mark.parametrize("code", CODES)
def test_malignancy_counts_each_diagnosis_on_its_side(code: str) -> None:
    certain = np.array([float(c == code) for c in CODES])
    assert float(malignancy(certain)) == float(code in MALIGNANT)


@given(logits=any_logits, calibration=calibrations)
def test_malignancy_is_a_probability(logits: np.ndarray, calibration: Calibration) -> None:
    assert 0.0 <= float(malignancy(probabilities(logits, calibration))) <= 1.0


@given(logits=usual_logits)
def test_energy_is_the_log_of_the_sum_of_the_powers(logits: np.ndarray) -> None:
    expected = np.logaddexp.reduce(logits.astype(np.float64))
    assert float(energy(logits)) == pytest.approx(expected, abs=1e-5)


def test_energy_of_rows_is_taken_one_by_one() -> None:
    rows = np.random.default_rng(0).normal(0, 5, (4, 7)).astype(np.float32)
    np.testing.assert_allclose(energy(rows), [float(energy(row)) for row in rows])


def test_set_holds_what_reaches_its_own_threshold_likeliest_first() -> None:
    probability = np.array([0.02, 0.12, 0.08, 0.01, 0.55, 0.15, 0.07])
    chosen = prediction_set(probability, conformal(0.5, 0.1, 0.2, 0.5, 0.30, 0.12, 0.9))
    assert chosen == ("mel", "nv", "bcc")


def test_a_rare_diagnosis_that_is_named_brings_no_likelier_one_with_it() -> None:
    probability = np.array([0.05, 0.10, 0.02, 0.02, 0.60, 0.13, 0.08])
    chosen = prediction_set(probability, conformal(0.9, 0.9, 0.9, 0.9, 0.9, 0.9, 0.08))
    assert chosen == ("mel", "vasc")


def test_near_tie_is_never_left_out() -> None:
    shipped = (0.019, 0.042, 0.067, 0.003, 0.084, 0.496, 0.006)
    probability = np.array([0.01, 0.02, 0.05, 0.002, 0.46, 0.453, 0.005])
    assert prediction_set(probability, conformal(*shipped)) == ("mel", "nv")
    for nv, named in ((0.21, True), (0.19, False)):
        assert ("nv" in prediction_set(spread(mel=0.6, nv=nv), conformal(*[0.99] * 7))) == named


def test_set_is_never_empty() -> None:
    assert prediction_set(spread(df=0.4), conformal(*[0.99] * 7)) == ("df",)


@given(logits=usual_logits, thresholds=st.tuples(*[st.floats(0, 1)] * 7))
def test_set_is_in_order_and_without_repeats(
    logits: np.ndarray, thresholds: tuple[float, ...]
) -> None:
    probability = probabilities(logits, PLAIN)
    chosen = prediction_set(probability, conformal(*thresholds))
    listed = [probability[CODES.index(code)] for code in chosen]
    assert listed == sorted(listed, reverse=True)
    assert len(set(chosen)) == len(chosen) >= 1
    reached = {code for code, p, t in zip(CODES, probability, thresholds, strict=True) if p >= t}
    assert reached <= set(chosen)
    left_out = [p for code, p in zip(CODES, probability, strict=True) if code not in chosen]
    assert max(left_out, default=0.0) < probability.max() * NEAR_TIE


LOGITS = np.zeros(7, np.float32)
ENERGY = float(np.log(7))
ANSWER = NetworkOutput(LOGITS, None, np.array([0.0, 2.0], np.float32))


@pytest.mark.parametrize(
    ("confidence", "expected"),
    [(0.49, "unfamiliar"), (0.5, "uncertain"), (0.69, "uncertain"), (0.7, None)],
)
def test_no_call_by_confidence(confidence: float, expected: str | None) -> None:
    rule = abstention("confidence", 0.7, 0.5)
    assert abstention_reason(ANSWER, spread(nv=confidence), rule) == expected


@pytest.mark.parametrize(
    ("unfamiliar", "confidence", "expected"),
    [
        (ENERGY + 0.01, 0.9, "unfamiliar"),
        (ENERGY + 0.01, 0.3, "unfamiliar"),
        (ENERGY - 0.01, 0.3, "uncertain"),
        (ENERGY - 0.01, 0.9, None),
    ],
)
def test_no_call_by_energy(unfamiliar: float, confidence: float, expected: str | None) -> None:
    rule = abstention("energy", 0.7, unfamiliar)
    assert abstention_reason(ANSWER, spread(nv=confidence), rule) == expected


@pytest.mark.parametrize(
    ("unfamiliar", "expected"), [(-1.99, "unfamiliar"), (-2.0, None), (-3.0, None)]
)
def test_no_call_by_distance(unfamiliar: float, expected: str | None) -> None:
    # The mean of the squares of 0 and 2.
    assert (
        abstention_reason(ANSWER, spread(nv=0.9), abstention("distance", 0.7, unfamiliar))
        == expected
    )


@pytest.mark.parametrize("score", ["confidence", "energy", "distance"])
def test_nothing_is_unfamiliar_without_a_threshold(score: str) -> None:
    rule = abstention(score, 0.7, None)
    assert abstention_reason(ANSWER, spread(nv=0.3), rule) == "uncertain"
    assert abstention_reason(ANSWER, spread(nv=0.9), rule) is None


def views(*codes: str) -> NetworkOutput:
    """Return an answer with a view that calls each of these, and their mean."""
    each = np.array([[5.0 * (code == called) for code in CODES] for called in codes], np.float32)
    return NetworkOutput(each.mean(axis=0), None, None, views=each)


@pytest.mark.parametrize(
    ("called", "agreed"),
    [
        (["mel"] * 8, 1.0),
        (["mel"] * 6 + ["nv"] * 2, 0.75),
        (["nv"] * 3 + ["mel"] * 5, 0.625),
        (["mel"] * 3 + ["nv", "nv", "bkl", "bkl", "df"], 0.375),
    ],
)
def test_agreement_is_the_share_of_views_that_call_what_their_mean_calls(
    called: list[str], agreed: float
) -> None:
    assert agreement(views(*called), PLAIN) == agreed


def test_views_are_called_as_the_picture_is_with_its_calibration() -> None:
    divided = views(*["mel"] * 6, "nv", "nv")
    for_naevi = msgspec.structs.replace(PLAIN, bias=(0, 0, 0, 0, 0, 4.0, 0))
    # Naevus 4 + 1.25 against melanoma 3.75 in the mean, 4 against 5 in each of the six.
    assert agreement(divided, for_naevi) == 0.25
    # And 6 against 5: now each of the eight is called a naevus.
    more = msgspec.structs.replace(PLAIN, bias=(0, 0, 0, 0, 0, 6.0, 0))
    assert agreement(divided, more) == 1.0
    # Nothing is called that the mean calls.
    tied = np.zeros((2, 7), np.float32)
    tied[0, :3], tied[1, 1:4] = (6.0, 5.0, 0.0), (5.0, 0.0, 6.0)
    nobody = NetworkOutput(tied.mean(axis=0), None, None, views=tied)
    assert agreement(nobody, PLAIN) == 0.0


def test_picture_of_one_view_agrees_with_nobody() -> None:
    assert agreement(ANSWER, PLAIN) is None


@pytest.mark.parametrize(
    ("taken", "agreed", "confidence", "expected"),
    [
        (-1.01, 1.0, 0.9, "not-dermoscopic"),
        (-1.01, 0.0, 0.3, "not-dermoscopic"),
        (-1.0, 1.0, 0.9, None),
        (None, 1.0, 0.9, None),
        (3.0, 0.62, 0.9, "unstable"),
        (3.0, 0.625, 0.9, None),
        (3.0, 0.0, 0.3, "uncertain"),
        (3.0, None, 0.9, None),
    ],
)
def test_no_call_for_the_gravest_reason(
    taken: float | None, agreed: float | None, confidence: float, expected: str | None
) -> None:
    rule = msgspec.structs.replace(
        abstention("energy", 0.7, None), not_dermoscopic_below=-1.0, unstable_below=0.625
    )
    answer = ANSWER._replace(dermoscopic=taken)
    assert abstention_reason(answer, spread(nv=confidence), rule, agreed) == expected
    unlike = msgspec.structs.replace(rule, unfamiliar_below=ENERGY + 1.0)
    told = "not-dermoscopic" if expected == "not-dermoscopic" else "unfamiliar"
    assert abstention_reason(answer, spread(nv=confidence), unlike, agreed) == told
    without = abstention("energy", 0.7, None)
    expected = "uncertain" if confidence < 0.7 else None
    assert abstention_reason(answer, spread(nv=confidence), without, agreed) == expected
