"""Real picamera2 on libcamera's virtual pipeline, beside which the stand-in must not lie.

Runs with make test-picamera.
"""

import inspect
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import CancelledError
from typing import Any

import pytest

from device.capture.fake_picamera2 import FakeCameraPort, FakePicamera2, FakeRequest
from device.capture.picamera import PicameraSource
from device.capture.reconnecting import ReconnectingSource
from device.errors import SourceError
from tests.device.capture.drivers import eventually, middle
from tests.device.capture.virtual.camera import SIZE, open_virtual, virtual_camera

pytestmark = pytest.mark.skipif(
    "DERMASCOPE_VIRTUAL_CAMERA" not in os.environ, reason="runs with make test-picamera"
)


def virtual() -> Any:
    return virtual_camera()()


def stand_in() -> Any:
    return FakeCameraPort(largest=SIZE)()


@pytest.fixture(params=[virtual, stand_in])
def camera(request: pytest.FixtureRequest) -> Iterator[Any]:
    camera = request.param()
    try:
        camera.configure(
            camera.create_video_configuration(
                main={"size": SIZE, "format": "BGR888"},
                lores={"size": SIZE, "format": "YUV420"},
                buffer_count=2,
            )
        )
        camera.start()
        yield camera
    finally:
        camera.cancel_all_and_flush()
        camera.close()


def parameters(function: Any) -> set[str]:
    return set(inspect.signature(function).parameters)


def test_virtual_standin_has_only_what_the_real_one_has() -> None:
    from picamera2 import Picamera2
    from picamera2.request import CompletedRequest

    for ours, real in ((FakePicamera2, Picamera2), (FakeRequest, CompletedRequest)):
        for name, member in vars(ours).items():
            if name.startswith("_") or name in ("values", "buffer_returned"):
                continue
            theirs = inspect.getattr_static(real, name)
            assert isinstance(member, property) == isinstance(theirs, property), name
            if not isinstance(member, property):
                assert parameters(member) <= parameters(theirs), name
    assert parameters(FakeCameraPort.__call__) <= parameters(Picamera2.__init__)
    assert callable(Picamera2.global_camera_info)


def test_virtual_configuration_is_read_back(camera: Any) -> None:
    given = camera.camera_configuration()
    for name in ("main", "lores"):
        assert given[name]["size"] == SIZE
        assert isinstance(given[name]["format"], str)
        assert given[name]["stride"] >= SIZE[0]
    assert str(given["colour_space"]) in (
        "<libcamera.ColorSpace 'SMPTE170M'>",
        "<libcamera.ColorSpace 'Rec709'>",
    )


def test_virtual_request_is_released_once(camera: Any) -> None:
    request = camera.capture_request(wait=10.0)
    assert request.make_array("lores").shape == (SIZE[1] * 3 // 2, SIZE[0])
    request.release()
    with pytest.raises(RuntimeError, match="negative ref_count"):
        request.release()


def test_virtual_stream_that_is_none_is_an_error(camera: Any) -> None:
    request = camera.capture_request(wait=10.0)
    with pytest.raises(RuntimeError, match="Stream 'other' is not defined"):
        request.make_array("other")
    request.release()


def test_virtual_control_that_is_not_advertised_is_an_error(camera: Any) -> None:
    with pytest.raises(RuntimeError, match="Control Iso is not advertised by libcamera"):
        camera.set_controls({"Iso": 100})


def test_virtual_running_camera_cannot_be_configured(camera: Any) -> None:
    with pytest.raises(RuntimeError, match="must be stopped"):
        camera.configure(camera.create_video_configuration(main={"size": SIZE}))


def stall(camera: Any) -> list[Any]:
    """Keep every buffer, so that no request is completed any more."""
    held = []
    for _ in range(10):
        try:
            held.append(camera.capture_request(wait=1.0))
        except TimeoutError:
            return held
    raise AssertionError("the camera has more buffers than it was given")


def test_virtual_stall_is_a_time_out_and_ends_with_its_cause(camera: Any) -> None:
    held = stall(camera)
    camera.cancel_all_and_flush()
    for request in held:
        request.release()
    camera.capture_request(wait=10.0).release()


def test_virtual_stop_waits_behind_requests_and_is_cancelled_with_them(camera: Any) -> None:
    held = stall(camera)
    cancelled = threading.Event()

    def stop() -> None:
        try:
            camera.stop()
        except CancelledError:
            cancelled.set()

    stopping = threading.Thread(target=stop, daemon=True)
    stopping.start()
    stopping.join(1.0)
    assert stopping.is_alive()
    camera.cancel_all_and_flush()
    assert cancelled.wait(20)
    del held


def test_virtual_no_time_to_wait_gives_a_promise(camera: Any) -> None:
    promise = camera.capture_request(wait=0)
    assert not hasattr(promise, "make_array")


def test_virtual_camera_is_opened_once_and_closed_twice(camera: Any) -> None:
    again = type(camera) if not isinstance(camera, FakePicamera2) else camera._port
    with pytest.raises(RuntimeError, match="Camera __init__ sequence did not complete"):
        again()
    camera.close()
    camera.close()
    assert camera.camera_controls == {}


def test_virtual_camera_in_use_is_told() -> None:
    with open_virtual(), pytest.raises(SourceError, match="in use by another program"):
        open_virtual()


def test_virtual_camera_opens_again_after_each_close() -> None:
    for _ in range(3):
        with open_virtual() as source:
            assert middle(source.read(10.0))[0] > 180


def test_virtual_stalled_source_is_told_closed_and_opened_again() -> None:
    opened: list[PicameraSource] = []

    def opener() -> PicameraSource:
        opened.append(PicameraSource(virtual_camera(), SIZE, SIZE))
        return opened[-1]

    with ReconnectingSource("camera", opener, (0.02, 0.1)) as source:
        before = eventually(source)
        held = stall(opened[0]._camera)
        opened[0]._camera.cancel_all_and_flush()
        with pytest.raises(SourceError, match="has stopped giving pictures"):
            source.read(0.5)
        del held
        assert eventually(source, 60.0).sequence > before.sequence
    assert len(opened) == 2


def test_virtual_camera_that_is_absent_is_told() -> None:
    code = (
        "from picamera2 import Picamera2; from device.capture.picamera import PicameraSource\n"
        "try: Picamera2()\n"
        "except RuntimeError as error: print(error)\n"
        "try: PicameraSource(Picamera2)\n"
        "except OSError as error: print(error)\n"
    )
    environment = os.environ | {"LIBCAMERA_PIPELINES_MATCH_LIST": "simple"}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert "No camera number 0 found" in done.stdout
    assert "no camera is connected" in done.stdout
