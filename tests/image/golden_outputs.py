"""Print what every shipped network answers to the known pictures, bit by bit.

Run on the instrument's processor and on this one: ``test_arm64`` compares what they print.
"""

import json
import platform
import sys

import numpy as np

from device.config import Config
from device.inference.known_answers import known_answers, known_pictures
from device.inference.network import Network, quantize
from device.models.bundle import load_bundle
from device.paths import shipped_models


def main() -> None:
    """Print the answers as JSON."""
    answers = {}
    for folder in sorted(path.parent for path in shipped_models().glob("*/manifest.json")):
        bundle = load_bundle(folder, Config().trusted_keys)
        manifest = bundle.manifest
        specs = [manifest.live, *([manifest.captured] if manifest.captured else [])]
        for spec in specs:
            network = Network(bundle, spec)
            outputs = [network.run(x) for x in known_pictures(spec.input.height, spec.input.width)]
            raw = [quantize(output.logits, spec.outputs.logits).tolist() for output in outputs]
            answers[spec.sha256] = {
                "model": f"{folder.name}/{spec.file}",
                "logits": raw,
                "known": known_answers().get(spec.sha256),
                "all": [[np.asarray(part).tobytes().hex() for part in output if part is not None]
                        for output in outputs],
            }  # fmt: skip
    json.dump({"machine": platform.machine(), "answers": answers}, sys.stdout)


if __name__ == "__main__":
    main()
