from device import errors
from device.errors import DermascopeError, SourceError
from device.faults import Fault


def test_message_names_the_thing_says_the_values_and_the_detail() -> None:
    error = SourceError(
        "the picture is {width} wide",
        action="set it to {least}",
        where="/dev/video0",
        detail="mode {3}",
        width=160,
        least=240,
    )
    assert str(error) == "/dev/video0: the picture is 160 wide; set it to 240 (mode {3})"
    assert error.fault == Fault(
        "the picture is {width} wide",
        "set it to {least}",
        "/dev/video0",
        "mode {3}",
        {"width": 160, "least": 240},
    )


def test_message_without_values_may_hold_anything() -> None:
    assert str(DermascopeError("{a} and {")) == "{a} and {"


def test_error_again_is_another_that_says_the_same() -> None:
    error = SourceError("{n} gone", action="wait", where="camera", detail="bus", n=3)
    again = error.again()
    assert again is not error
    assert type(again) is SourceError
    assert again.fault == error.fault
    assert str(again) == str(error)


def test_every_error_has_the_projects_base_and_a_builtin() -> None:
    kinds = [
        k for k in vars(errors).values() if isinstance(k, type) and k.__module__ == "device.errors"
    ]
    assert DermascopeError in kinds
    for kind in kinds:
        assert issubclass(kind, DermascopeError)
        assert kind is DermascopeError or issubclass(kind, (ValueError, OSError))
