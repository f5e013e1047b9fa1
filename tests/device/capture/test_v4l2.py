import os
import struct
from pathlib import Path

from device.capture.v4l2 import (
    UsbCamera,
    camera_modes,
    gives_pictures_over_usb,
    usb_cameras,
)

CAPTURE, METADATA, OUTPUT, DEVICE_CAPS = 0x1, 0x00800000, 0x2, 0x80000000


def capability(bus: bytes, node: int, whole: int | None = None) -> bytes:
    """Return struct v4l2_capability as the kernel lays it out."""
    whole = node | DEVICE_CAPS if whole is None else whole
    return struct.pack("=16s32s32s6I", b"driver", b"card", bus, 0x060C00, whole, node, 0, 0, 0)


USB = b"usb-0000:01:00.0-1.2"


def test_pictures_of_a_usb_camera_are_told_from_its_other_devices() -> None:
    assert gives_pictures_over_usb(capability(USB, CAPTURE))
    assert not gives_pictures_over_usb(capability(USB, METADATA, CAPTURE | METADATA | DEVICE_CAPS))
    assert not gives_pictures_over_usb(capability(USB, OUTPUT))
    assert not gives_pictures_over_usb(capability(b"platform:bcm2835-isp", CAPTURE))


def test_old_driver_without_capabilities_of_a_node_is_understood() -> None:
    assert gives_pictures_over_usb(capability(USB, 0, CAPTURE))


def test_cameras_are_found_in_the_order_of_its_number(tmp_path: Path) -> None:
    devices = {
        "video0": capability(b"platform:unicam", CAPTURE),
        "video2": capability(USB, METADATA, CAPTURE | METADATA | DEVICE_CAPS),
        "video3": capability(USB, CAPTURE),
        "video10": capability(USB, CAPTURE),
    }
    for name in (*devices, "video1", "video"):
        (tmp_path / name).touch()

    def query(device: Path) -> bytes:
        if device.name not in devices:
            raise OSError(19, os.strerror(19))
        return devices[device.name]

    bus = USB.decode()
    assert usb_cameras(tmp_path, query) == [
        UsbCamera(tmp_path / "video3", "card", bus),
        UsbCamera(tmp_path / "video10", "card", bus),
    ]


def test_file_that_is_no_device_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "video0").touch()
    assert usb_cameras(tmp_path) == []


def test_what_a_camera_calls_itself_is_made_printable(tmp_path: Path) -> None:
    (tmp_path / "video0").touch()
    name = b"Scope\x1b[2J\xff \0garbage"
    content = capability(USB, CAPTURE).replace(b"card\0".ljust(32, b"\0"), name.ljust(32, b"\0"))
    (camera,) = usb_cameras(tmp_path, lambda device: content)
    assert camera.card == "Scope\\x1b[2J\ufffd"


def test_modes_are_what_the_kernel_lists() -> None:
    formats = {b"MJPG": [(1280, 720), (640, 480)], b"YUYV": [(640, 480)]}

    def ask(request: int, answer: bytearray) -> None:
        index = struct.unpack_from("=I", answer)[0]
        if request == 0xC0405602:  # VIDIOC_ENUM_FMT
            if index >= len(formats):
                raise OSError(22, "Invalid argument")
            answer[44:48] = list(formats)[index]
        else:
            assert request == 0xC02C564A  # VIDIOC_ENUM_FRAMESIZES
            sizes = formats[bytes(answer[4:8])]
            if index >= len(sizes):
                raise OSError(22, "Invalid argument")
            struct.pack_into("=3I", answer, 8, 1, *sizes[index])

    assert camera_modes(Path("/dev/video0"), ask) == (
        "MJPG 1280x720", "MJPG 640x480", "YUYV 640x480",
    )  # fmt: skip


def test_modes_from_smallest_to_largest_are_told_by_the_largest() -> None:
    def ask(request: int, answer: bytearray) -> None:
        index = struct.unpack_from("=I", answer)[0]
        if index:
            raise OSError(22, "Invalid argument")
        if request == 0xC0405602:
            answer[44:48] = b"RGB3"
        else:
            struct.pack_into("=7I", answer, 8, 3, 32, 4056, 2, 32, 3040, 2)

    assert camera_modes(Path("/dev/video0"), ask) == ("RGB3 4056x3040",)


def test_camera_that_is_gone_has_no_modes() -> None:
    assert camera_modes(Path("/no/such/device")) == ()
