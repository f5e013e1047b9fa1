"""Real picamera2 with the virtual pipeline's three particulars taken care of."""

from device.capture.picamera import PicameraSource
from device.capture.source import FrameSource
from device.platform.clock import Clock

SIZE = (1024, 576)


def virtual_camera() -> type:
    """Return ``Picamera2`` as it opens the virtual camera: no raw stream, libcamera's buffers."""
    from picamera2 import Picamera2
    from picamera2.allocators import LibcameraAllocator

    class VirtualCamera(Picamera2):
        def __init__(self, camera_num: int = 0) -> None:
            super().__init__(camera_num)
            self.allocator = LibcameraAllocator(self.camera)

        def _get_raw_modes(self) -> list[dict[str, object]]:
            return [{"format": "SRGGB10", "size": SIZE}]

    return VirtualCamera


def open_virtual() -> FrameSource:
    """Open the source of frames under test on it."""
    return PicameraSource(virtual_camera(), Clock(), still_size=SIZE, preview_size=SIZE)
