import pytest

from device.faults import Fault, joined, unexpected


@pytest.mark.parametrize(
    ("message", "action", "text"),
    [
        ("gone", "", "gone"),
        ("gone", "plug it in", "gone; plug it in"),
        ("The analysis failed.", "Restart it.", "The analysis failed. Restart it."),
        ("{n} are left", "wait {n}", "3 are left; wait 3"),
    ],
)
def test_message_and_action_are_read_together(message: str, action: str, text: str) -> None:
    values = {"n": 3}
    assert joined(message, action, values) == text
    assert Fault(message, action, "camera", "bus", values).text == text


@pytest.mark.parametrize(
    ("where", "detail", "technical"),
    [("", "", ""), ("camera", "", "camera"), ("", "bus", "bus"), ("camera", "bus", "camera: bus")],
)
def test_what_it_is_about_stands_apart(where: str, detail: str, technical: str) -> None:
    assert Fault("gone", "", where, detail).technical == technical


def test_fault_of_an_error_that_nobody_foresaw_tells_its_kind() -> None:
    fault = unexpected("It failed.", "Restart it.", KeyError("tensor"))
    assert fault.text == "It failed. Restart it."
    assert fault.technical == "KeyError: 'tensor'"
