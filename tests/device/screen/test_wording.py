import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.screen.wording import percent


@given(probability=st.floats(0, 1))
def test_percent_is_whole_and_never_0_or_100(probability: float) -> None:
    words = percent(probability)
    assert words.endswith(" %")
    if words == "< 1 %":
        assert probability < 0.01
    elif words == "> 99 %":
        assert probability > 0.99
    else:
        number = int(words.removesuffix(" %"))
        assert 1 <= number <= 99
        assert abs(number - probability * 100) <= 0.5 + 1e-9


@pytest.mark.parametrize(
    ("probability", "words"),
    [
        (0.0, "< 1 %"),
        (0.00999, "< 1 %"),
        (0.01, "1 %"),
        (0.334, "33 %"),
        (0.99, "99 %"),
        (0.9901, "> 99 %"),
        (1.0, "> 99 %"),
    ],
)
def test_percent_as_it_is_read(probability: float, words: str) -> None:
    assert percent(probability) == words
