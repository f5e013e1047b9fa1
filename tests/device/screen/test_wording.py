import errno
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.faults import Fault
from device.language import Language
from device.models.manifest import Manifest
from device.screen.wording import REASONS, Wording, percent


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


@pytest.mark.parametrize(
    ("fault", "technical"),
    [
        (Fault("a", where="/var/a", detail="No space left on device"),
         "Para el técnico: /var/a: no queda espacio en el disco"),
        (Fault("a", detail="/var/a: Read-only file system"),
         "Para el técnico: /var/a: el disco es de solo lectura"),
        (Fault("a", where="/dev/video0"), "Para el técnico: /dev/video0"),
        (Fault("a", detail="OSError: {3}"), "Para el técnico: OSError: {3}"),
        # A folder may be called anything.
        (Fault("a", where="Live"), "Para el técnico: Live"),
        (Fault("a"), ""),
    ],
    ids=str,
)  # fmt: skip
def test_details_are_said_in_the_clinicians_language(
    manifest: Manifest, fault: Fault, technical: str
) -> None:
    assert Wording(Language.SPANISH, manifest).technical(fault) == technical


def test_reasons_are_those_of_the_operating_system() -> None:
    said = {os.strerror(code) for code in errno.errorcode}
    assert set(REASONS) <= said
