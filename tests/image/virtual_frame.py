"""Print what the instrument finds in a frame of libcamera's virtual camera; run in the machine."""

import json
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
    try:
        frame = source.still(60.0)
    finally:
        source.close()
    finding = Analyzer(open_bundle(config), config.threads, Clock()).analyze(frame)
    json.dump(
        {"shape": frame.pixels.shape, "probabilities": len(finding.probabilities)}, sys.stdout
    )


if __name__ == "__main__":
    main()
