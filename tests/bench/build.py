"""``make bench-build``: the training input pipeline against a bare Keras ``fit`` on arrays."""

import time
from statistics import median

import numpy as np
from rich.console import Console
from rich.table import Table

from build_host.keras import keras
from build_host.training.architectures import paper_network
from build_host.training.config import AugmentationConfig
from build_host.training.input_pipeline import batches
from device.diagnoses import CODES
from device.imaging.preprocessing import InputSpec, scale_pixels

IMAGES = 8192
BATCH = 128
ROUNDS = 5


def main() -> None:
    spec = InputSpec(height=28, width=28, geometry="full-frame")
    random = np.random.default_rng(0)
    pixels = random.integers(0, 256, (IMAGES, 28, 28, 3), dtype=np.uint8)
    labels = random.integers(0, len(CODES), IMAGES)
    rows = np.arange(IMAGES)
    # What a bare fit is given was read and scaled before the clock starts.
    arrays = scale_pixels(pixels, spec), np.eye(len(CODES), dtype=np.float32)[labels]
    model = paper_network((28, 28, 3))
    model.compile(
        keras.optimizers.Adam(1e-3), keras.losses.CategoricalCrossentropy(from_logits=True)
    )

    def bare() -> None:
        model.fit(*arrays, batch_size=BATCH, verbose=0)

    def pipeline(augment: AugmentationConfig | None) -> None:
        model.fit(batches(pixels, labels, rows, spec, BATCH, 1, augment), verbose=0)

    ways = {
        "bare fit on arrays": bare,
        "the input pipeline": lambda: pipeline(None),
        "the input pipeline, augmenting": lambda: pipeline(AugmentationConfig()),
    }
    times: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(ROUNDS + 1):
        for name, train in ways.items():
            start = time.perf_counter()
            train()
            if number:  # the first round traces the graphs
                times[name].append(time.perf_counter() - start)
    reference = median(times["bare fit on arrays"])
    table = Table("training the paper's network", "images a second", "time against a bare fit")
    for name, taken in times.items():
        seconds = median(taken)
        table.add_row(name, f"{IMAGES / seconds:.0f}", f"{seconds / reference:.2f}")
    Console(width=110).print(table)


if __name__ == "__main__":
    main()
