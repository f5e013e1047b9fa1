"""Write the golden outputs of the shipped models anew, after one was trained again.

``golden.json`` is for the tests; ``known_answers.json`` is what the device checks itself by.

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
from device.inference import known_answers
from device.inference.network import Network, quantize
from device.models.bundle import Bundle, load_bundle

GOLDEN = Path(__file__).with_name("golden.json")
KNOWN = Path(known_answers.__file__).with_suffix(".json")
SHIPPED = ("multicentre", "slim-96", "paper-28")


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


def answers(bundle: Bundle) -> list[list[int]]:
    """Return the raw logits of the pictures whose answers the device knows."""
    spec = bundle.manifest.live
    network = Network(bundle, spec)
    pictures = known_answers.known_pictures(spec.input.height, spec.input.width)
    raw = [quantize(network.run(pixels).logits, spec.outputs.logits) for pixels in pictures]
    return [logits.tolist() for logits in raw]


def main() -> None:
    """Write the files."""
    config = Config()
    # Those of before would refuse nothing, being keyed by the model, but are no longer shipped.
    KNOWN.write_text("{}\n")
    known_answers.known_answers.cache_clear()
    known = {}
    for name in SHIPPED:
        folder = model_folder(config).with_name(name)
        shipped = load_bundle(folder, config.trusted_keys)
        known[shipped.manifest.live.sha256] = answers(shipped)
    rows = ",\n".join(f'  "{sha256}": {json.dumps(raw)}' for sha256, raw in known.items())
    KNOWN.write_text(f"{{\n{rows}\n}}\n")
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
