"""Write the golden outputs of the shipped model anew, after it was trained again.

    python -m tests.device.inference.make_golden

Outputs of another runtime are dropped: they were another model's.
"""

import json
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from device.capture.demo import SCENES, demo_frame
from device.config import Config, model_folder
from device.frame import Frame
from device.imaging.preprocessing import resize_to_input
from device.inference.network import Network, quantize
from device.models.bundle import Bundle, load_bundle

GOLDEN = Path(__file__).with_name("golden.json")


def inputs(bundle: Bundle, frames: Iterable[Frame]) -> list[NDArray[np.uint8]]:
    """Return the fixed inputs: the frames as the model is shown them, and noise."""
    spec = bundle.manifest.live.input
    noise = np.random.default_rng(28).integers(0, 256, (spec.height, spec.width, 3), np.uint8)
    return [*(resize_to_input(frame.pixels, spec) for frame in frames), noise]


def outputs(bundle: Bundle, frames: Iterable[Frame]) -> tuple[str, list[list[int]]]:
    """Return the runtime's name and the raw logits, as the tensor holds them, of each input."""
    network = Network(bundle, bundle.manifest.live)
    spec = bundle.manifest.live.outputs.logits
    raw = [quantize(network.run(pixels)[0], spec).tolist() for pixels in inputs(bundle, frames)]
    return network.runtime, raw


def main() -> None:
    """Write the file."""
    config = Config()
    bundle = load_bundle(model_folder(config), config.trusted_keys)
    runtime, raw = outputs(bundle, (demo_frame(scene) for scene in SCENES))
    rows = ",\n".join(f"      {json.dumps(row)}" for row in raw)
    GOLDEN.write_text(
        "{\n"
        f'  "model_sha256": "{bundle.manifest.live.sha256}",\n'
        '  "logits": {\n'
        f'    "{runtime}": [\n{rows}\n    ]\n'
        "  }\n"
        "}\n"
    )


if __name__ == "__main__":
    main()
