import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.faults import Fault
from device.language import Language
from device.models.manifest import Manifest
from device.screen.wording import Wording, percent


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


@pytest.mark.parametrize(
    ("fault", "sentence"),
    [
        (Fault("the disk is full", "delete something"), "The disk is full; delete something."),
        (Fault("The analysis failed.", "Restart it."), "The analysis failed. Restart it."),
        (Fault("no such file or folder", where="a.png", detail="2"), "No such file or folder."),
        (Fault("{n} of them", "take {n}", values={"n": 3}), "3 of them; take 3."),
        (Fault("no {place} is filled"), "No {place} is filled."),
        (Fault(""), ""),
    ],
    ids=str,
)
def test_fault_is_one_sentence(manifest: Manifest, fault: Fault, sentence: str) -> None:
    assert Wording(Language.ENGLISH, manifest).sentence(fault) == sentence


def test_fault_is_translated_before_its_values_are_filled_in(manifest: Manifest) -> None:
    message = "the camera answers with error {status}"
    fault = Fault(message, "check the address", values={"status": 404})
    assert Wording(Language.SPANISH, manifest).sentence(fault) == (
        "La cámara responde con el error 404; revise la dirección."
    )
