"""The stand-in behaves as picamera2 0.3.38 does; the real one is asked with make test-picamera."""

import threading
from concurrent.futures import CancelledError

import numpy as np
import pytest

from device.capture.fake_picamera2 import FakeCameraPort, FakePicamera2
from tests.device.capture.drivers import plain


@pytest.fixture
def port() -> FakeCameraPort:
    return FakeCameraPort(picture=lambda seconds: plain(size=(640, 480)))


@pytest.fixture
def camera(port: FakeCameraPort) -> FakePicamera2:
    camera = port()
    camera.configure(
        camera.create_video_configuration(
            main={"size": (640, 480), "format": "RGB888"},
            lores={"size": (320, 240), "format": "YUV420"},
            buffer_count=2,
        )
    )
    camera.start()
    return camera


def test_rgb888_lies_in_memory_as_blue_green_red(camera: FakePicamera2) -> None:
    array = camera.capture_request(wait=10.0).make_array("main")
    assert array.shape == (480, 640, 3)
    assert array[240, 320].tolist() == [20, 30, 220]


def test_lores_is_planar_with_padded_rows(camera: FakePicamera2) -> None:
    stride = camera.camera_configuration()["lores"]["stride"]
    array = camera.capture_request(wait=10.0).make_array("lores")
    assert array.shape == (360, stride)
    assert stride % 64 == 0


def test_configuration_is_adjusted_in_silence() -> None:
    camera = FakeCameraPort(largest=(800, 600), replaced={"BGR888": "XRGB8888"})()
    camera.configure(camera.create_video_configuration({"size": (1921, 1081), "format": "BGR888"}))
    main = camera.camera_configuration()["main"]
    assert (main["size"], main["format"]) == ((800, 600), "XRGB8888")


def test_stream_that_was_not_asked_for_is_an_error(port: FakeCameraPort) -> None:
    camera = port()
    camera.configure(camera.create_video_configuration({"size": (640, 480)}))
    camera.start()
    with pytest.raises(RuntimeError, match="Stream 'lores' is not defined"):
        camera.capture_request(wait=10.0).make_array("lores")


@pytest.mark.parametrize(
    ("lores", "words"),
    [
        ({"size": (800, 600)}, "lores stream dimensions may not exceed main stream"),
        ({"size": (320, 240), "format": "RGB888"}, "lores stream must be YUV"),
        ({"size": (320, 240), "format": "YUV999"}, "Bad format YUV999"),
    ],
)
def test_configurations_that_the_real_one_refuses(
    port: FakeCameraPort, lores: dict[str, object], words: str
) -> None:
    camera = port()
    with pytest.raises(RuntimeError, match=words):
        camera.configure(camera.create_video_configuration({"size": (640, 480)}, lores))


def test_running_camera_cannot_be_configured(camera: FakePicamera2) -> None:
    with pytest.raises(RuntimeError, match="must be stopped"):
        camera.configure(camera.create_video_configuration({"size": (640, 480)}))


def test_camera_that_was_not_configured_cannot_be_started(port: FakeCameraPort) -> None:
    with pytest.raises(RuntimeError, match="not been configured"):
        port().start()


def test_control_that_is_not_advertised_is_an_error(camera: FakePicamera2) -> None:
    with pytest.raises(RuntimeError, match="Control Iso is not advertised by libcamera"):
        camera.set_controls({"Iso": 100})


def test_missing_camera_is_an_error(port: FakeCameraPort) -> None:
    port.state = "absent"
    assert port.global_camera_info() == []
    with pytest.raises(RuntimeError, match="No camera number 0 found"):
        port()


def test_camera_is_opened_once(port: FakeCameraPort) -> None:
    camera = port()
    with pytest.raises(RuntimeError, match="Camera __init__ sequence did not complete"):
        port()
    camera.close()
    camera.close()
    port().close()


def test_request_is_released_once(camera: FakePicamera2) -> None:
    request = camera.capture_request(wait=10.0)
    request.release()
    with pytest.raises(RuntimeError, match="negative ref_count"):
        request.release()


def test_buffers_that_are_kept_stall_the_camera(camera: FakePicamera2) -> None:
    held = [camera.capture_request(wait=10.0) for _ in range(2)]
    with pytest.raises(TimeoutError):
        camera.capture_request(wait=0.2)
    camera.cancel_all_and_flush()
    held[0].release()
    camera.capture_request(wait=10.0)


def test_request_that_timed_out_takes_the_next_buffer_unless_it_is_cancelled(
    port: FakeCameraPort, camera: FakePicamera2
) -> None:
    port.state = "stalled"
    for _ in range(2):
        with pytest.raises(TimeoutError):
            camera.capture_request(wait=0.01)
    port.state = "working"
    with pytest.raises(TimeoutError):
        camera.capture_request(wait=0.5)


def test_stop_waits_behind_requests_and_is_cancelled_with_them(
    port: FakeCameraPort, camera: FakePicamera2
) -> None:
    port.state = "stalled"
    with pytest.raises(TimeoutError):
        camera.capture_request(wait=0.01)
    cancelled = threading.Event()

    def stop() -> None:
        try:
            camera.stop()
        except CancelledError:
            cancelled.set()

    stopping = threading.Thread(target=stop, daemon=True)
    stopping.start()
    stopping.join(0.2)
    assert stopping.is_alive()
    camera.cancel_all_and_flush()
    assert cancelled.wait(20)
    camera.stop()
    camera.close()


def test_no_time_to_wait_gives_a_promise(camera: FakePicamera2) -> None:
    promise = camera.capture_request(wait=0)
    assert not hasattr(promise, "make_array")


def test_closed_camera_has_no_controls_and_cannot_be_configured(camera: FakePicamera2) -> None:
    camera.close()
    assert camera.camera_controls == {}
    with pytest.raises(RuntimeError, match="Camera not opened"):
        camera.create_video_configuration({"size": (640, 480)})


def test_timetable_decides_the_state(monkeypatch: pytest.MonkeyPatch) -> None:
    port = FakeCameraPort(timetable=(("working", 2.0), ("stalled", 1.0), ("absent", 1.0)))
    clock = [port._start]
    monkeypatch.setattr("device.capture.fake_picamera2.time.monotonic", lambda: clock[0])
    seen = []
    for second in range(9):
        clock[0] = port._start + 0.5 + second
        seen.append(port.now())
    assert seen == ["working", "working", "stalled", "absent"] * 2 + ["working"]


def test_pictures_are_those_of_the_demonstration() -> None:
    camera = FakeCameraPort()()
    camera.configure(camera.create_video_configuration({"size": (1024, 768), "format": "BGR888"}))
    camera.start()
    array = camera.capture_request(wait=20.0).make_array("main")
    red, green, blue = array[200:560, 300:700].reshape(-1, 3).mean(axis=0)
    assert red > green > blue > 30
    assert np.all(array[0, 0] == 0)
