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
from device.imaging.preprocessing import InputSpec, resize_to_input
from device.inference import known_answers
from device.inference.network import Network, quantize
from device.models.bundle import Bundle, load_bundle
from device.models.network_spec import NetworkSpec

GOLDEN = Path(__file__).with_name("golden.json")
KNOWN = Path(known_answers.__file__).with_suffix(".json")
SHIPPED = ("multicentre", "paper-28")


def inputs(spec: InputSpec, frames: Iterable[Frame]) -> list[NDArray[np.uint8]]:
    """Return the fixed inputs: the frames as the model is shown them, and noise."""
    noise = np.random.default_rng(28).integers(0, 256, (spec.height, spec.width, 3), np.uint8)
    return [*(resize_to_input(frame.pixels, spec) for frame in frames), noise]


def outputs(
    bundle: Bundle, spec: NetworkSpec, frames: Iterable[Frame]
) -> tuple[str, list[list[int]]]:
    """Return the runtime's name and the raw logits, as the tensor holds them, of each input."""
    network = Network(bundle, spec)
    logits = [network.run(pixels).logits for pixels in inputs(spec.input, frames)]
    return network.runtime, [quantize(one, spec.outputs.logits).tolist() for one in logits]


def answers(bundle: Bundle, spec: NetworkSpec) -> list[list[int]]:
    """Return the raw logits of the pictures whose answers the device knows."""
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
        for spec in shipped.manifest.networks:
            known[spec.sha256] = answers(shipped, spec)
    rows = ",\n".join(f'  "{sha256}": {json.dumps(raw)}' for sha256, raw in known.items())
    KNOWN.write_text(f"{{\n{rows}\n}}\n")
    bundle = load_bundle(model_folder(config), config.trusted_keys)
    frames = [demo_frame(scene) for scene in SCENES]
    golden = {}
    for spec in bundle.manifest.networks:
        runtime, raw = outputs(bundle, spec, frames)
        rows = ",\n".join(f"      {json.dumps(row)}" for row in raw)
        golden[spec.sha256] = f'{{\n    "{runtime}": [\n{rows}\n    ]\n  }}'
    content = ",\n".join(f'  "{sha256}": {logits}' for sha256, logits in golden.items())
    GOLDEN.write_text(f"{{\n{content}\n}}\n")


if __name__ == "__main__":
    main()
