"""Print what the instrument finds in a frame of libcamera's virtual camera; run in the machine."""

import json
import os
import sys

from device.capture.picamera import PicameraSource
from device.config import Config
from device.inference.analyzer import Analyzer
from device.models.chosen import open_bundle
from device.platform.clock import Clock

SIZE = (1024, 576)


def main() -> None:
    """Read a frame and analyze it."""
    from camera import virtual_camera

    config = Config()
    source = PicameraSource(virtual_camera(), Clock(), still_size=SIZE, preview_size=SIZE)
    frame = source.still(60.0)
    finding = Analyzer(open_bundle(config), config.threads, Clock()).analyze(frame)
    found = {"shape": frame.pixels.shape, "probabilities": len(finding.probabilities)}
    sys.stdout.write(json.dumps(found) + "\n")
    sys.stdout.flush()
    # picamera2 asks for a dma_heap again to close the camera; the emulated machine has none.
    os._exit(0)


if __name__ == "__main__":
    main()
