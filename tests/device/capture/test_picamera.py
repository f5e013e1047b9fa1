from typing import Any

import numpy as np
import pytest

from device.capture.fake_picamera2 import FakeCameraPort, FakePicamera2, PortState
from device.capture.picamera import PREVIEW_SIZE, STILL_SIZE, PicameraSource, to_rgb
from device.errors import SourceError
from tests.device.capture.drivers import CLOCK, RED, middle, plain


@pytest.fixture
def port() -> FakeCameraPort:
    return FakeCameraPort(CLOCK, picture=lambda seconds: plain(size=(640, 480)))


def camera(port: FakeCameraPort) -> FakePicamera2:
    assert port.camera is not None
    return port.camera


def test_preview_and_still_have_the_sizes_asked_for(port: FakeCameraPort) -> None:
    with PicameraSource(port, CLOCK) as source:
        preview, still = source.read(10.0), source.still(10.0)
    assert preview.pixels.shape == (PREVIEW_SIZE[1], PREVIEW_SIZE[0], 3)
    assert still.pixels.shape == (STILL_SIZE[1], STILL_SIZE[0], 3)


def test_configuration_is_read_back(port: FakeCameraPort) -> None:
    port.largest = (800, 450)
    port.replaced = {"BGR888": "XBGR8888"}
    with PicameraSource(port, CLOCK) as source:
        preview, still = source.read(10.0), source.still(10.0)
    for frame in (preview, still):
        assert frame.pixels.shape == (450, 800, 3)
        np.testing.assert_allclose(middle(frame), RED, atol=4)


@pytest.mark.parametrize("given", ["BGR888", "RGB888", "XBGR8888", "XRGB8888"])
def test_colours_are_right_whatever_format_the_camera_gives(
    port: FakeCameraPort, given: str
) -> None:
    port.replaced = {"BGR888": given}
    with PicameraSource(port, CLOCK) as source:
        assert middle(source.still(10.0)) == RED


@pytest.mark.parametrize("still", [(1920, 1080), (1024, 576)])
def test_preview_has_the_colours_of_the_still(port: FakeCameraPort, still: tuple[int, int]) -> None:
    with PicameraSource(port, CLOCK, still_size=still) as source:
        np.testing.assert_allclose(middle(source.read(10.0)), middle(source.still(10.0)), atol=4)


def test_frame_rate_and_focus_are_set_where_the_camera_has_them(port: FakeCameraPort) -> None:
    with PicameraSource(port, CLOCK) as source:
        source.lock_exposure(True)
        assert camera(port).values == {
            "FrameDurationLimits": (33333, 33333),
            "AfMode": 2,
            "AeEnable": False,
            "AwbEnable": False,
        }
        source.lock_exposure(False)
        assert camera(port).values["AeEnable"] is True
        assert camera(port).values["AwbEnable"] is True


def test_camera_without_focus_or_controls_works(port: FakeCameraPort) -> None:
    port.controls = {"AeEnable": (False, True, True)}
    with PicameraSource(port, CLOCK) as source:
        source.lock_exposure(True)
        source.read(10.0)
        assert camera(port).values == {"AeEnable": False}


def test_every_request_is_given_back(port: FakeCameraPort) -> None:
    with PicameraSource(port, CLOCK) as source:
        for _ in range(12):
            source.read(10.0)


def test_absent_camera_is_told(port: FakeCameraPort) -> None:
    port.state = PortState.ABSENT
    with pytest.raises(SourceError, match=r"no camera is connected; .* ribbon cable"):
        PicameraSource(port, CLOCK)


def test_camera_in_use_is_told(port: FakeCameraPort) -> None:
    with (
        PicameraSource(port, CLOCK),
        pytest.raises(SourceError, match="in use by another program"),
    ):
        PicameraSource(port, CLOCK)


def test_camera_that_refuses_its_configuration_is_given_back(port: FakeCameraPort) -> None:
    port.replaced = {"YUV420": "YUV411"}
    with pytest.raises(SourceError, match="cannot be set up"):
        PicameraSource(port, CLOCK)
    port.replaced = {}
    PicameraSource(port, CLOCK).close()


def test_stalled_camera_is_told_and_goes_on_when_it_wakes(port: FakeCameraPort) -> None:
    with PicameraSource(port, CLOCK) as source:
        source.read(10.0)
        port.state = PortState.STALLED
        for _ in range(3):
            with pytest.raises(SourceError, match="has stopped giving pictures"):
                source.read(0.02)
        port.state = PortState.WORKING
        for _ in range(8):
            source.read(10.0)


def test_stalled_camera_can_be_closed_and_opened_again(port: FakeCameraPort) -> None:
    source = PicameraSource(port, CLOCK)
    port.state = PortState.STALLED
    with pytest.raises(SourceError):
        source.read(0.02)
    source.close()
    port.state = PortState.WORKING
    with PicameraSource(port, CLOCK) as again:
        again.read(10.0)


def test_failure_of_a_picture_is_told_and_its_request_given_back(
    port: FakeCameraPort, monkeypatch: pytest.MonkeyPatch
) -> None:
    with PicameraSource(port, CLOCK) as source:

        def fail(self: object, name: str) -> None:
            raise RuntimeError("failed to find buffer")

        with monkeypatch.context() as patch:
            patch.setattr("device.capture.fake_picamera2.FakeRequest.make_array", fail)
            for _ in range(6):
                with pytest.raises(SourceError, match="does not answer; switch"):
                    source.read(10.0)
        source.read(10.0)


def test_unknown_format_is_named() -> None:
    with pytest.raises(SourceError, match="SRGGB10 pictures, which are not understood"):
        to_rgb(plain(), (320, 240), "SRGGB10", "Rec709")


@pytest.mark.parametrize(
    ("kind", "order"),
    [
        ("BGR888", (0, 1, 2)),
        ("RGB888", (2, 1, 0)),
        ("XBGR8888", (0, 1, 2)),
        ("XRGB8888", (2, 1, 0)),
    ],
)
def test_packed_formats_lie_in_memory_as_libcamera_says(kind: str, order: Any) -> None:
    array = plain()[:, :, order]
    if kind.startswith("X"):
        array = np.dstack([array, np.full(array.shape[:2], 9, np.uint8)])
    rgb = to_rgb(np.ascontiguousarray(array), (320, 240), kind, "Rec709")
    np.testing.assert_array_equal(rgb, plain())
