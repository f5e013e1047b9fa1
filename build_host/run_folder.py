"""The one place that knows the names of a run's files."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from device.models.manifest import MODEL_FILE

METRICS_FILE: Final = "metrics.json"
"""What was measured of the model, in the run's folder and in the bundle's."""


@dataclass(frozen=True, slots=True)
class RunFolder:
    """The files in a run's folder.

    Lowest of the build host's layers, since training writes some of them, the pipeline others,
    and a reproduction trains each of its networks in such a folder.
    """

    path: Path

    @property
    def config(self) -> Path:
        """The TOML file that describes the run."""
        return self.path / "run.toml"

    @property
    def variant(self) -> Path:
        """The same for a variant of an ablation, whose settings are in no TOML file."""
        return self.path / "variant.json"

    @property
    def distillation_targets(self) -> Path:
        """Names of the folders beside the run's with its teachers' predictions."""
        return self.path / "distillation-targets.txt"

    @property
    def weights(self) -> Path:
        """The trained network's weights (Keras HDF5)."""
        return self.path / "weights.h5"

    @property
    def history(self) -> Path:
        """What each epoch gave."""
        return self.path / "history.json"

    @property
    def checkpoints(self) -> Path:
        """Folder of TensorFlow checkpoints to resume from."""
        return self.path / "checkpoint"

    @property
    def float_model(self) -> Path:
        """The network before quantization, as a ``.tflite`` file."""
        return self.path / "float.tflite"

    @property
    def model(self) -> Path:
        """The int8 ``.tflite`` file."""
        return self.path / MODEL_FILE

    @property
    def draft(self) -> Path:
        """The unsigned manifest of `model`."""
        return self.path / "draft.json"

    @property
    def metrics(self) -> Path:
        """The assessment of `model` (`build_host.evaluation.assessment.Assessment`)."""
        return self.path / METRICS_FILE

    @property
    def quality_study(self) -> Path:
        """Accuracy under image degradation (`build_host.calibration.degradation.Study`)."""
        return self.path / "quality.json"

    @property
    def quality_plot(self) -> Path:
        """The same as a plot."""
        return self.path / "quality.png"

    @property
    def ablation(self) -> Path:
        """A table of the run's variants; its bundle keeps it."""
        return self.path / "ablation.json"

    @property
    def similar_cases(self) -> Path:
        """An index of the training lesions, for captured pictures."""
        return self.path / "similar-cases.npz"

    @property
    def leave_one_out(self) -> Path:
        """What to expect at an unseen clinic; the run's bundle keeps it."""
        return self.path / "leave_one_out.json"

    @property
    def peers(self) -> Path:
        """A comparison with other models; its bundle keeps it."""
        return self.path / "peers.json"

    @property
    def reproduction(self) -> Path:
        """The results of a reproduction; its bundle keeps them."""
        return self.path / "reproduction.json"

    @property
    def cache(self) -> Path:
        """Folder of decoded images, shared by all runs beside this one."""
        return self.path.parent / "cache"

    def of_worker(self, index: int) -> "RunFolder":
        """Return where a worker of a distributed training writes; the first owns the run."""
        return self if index == 0 else RunFolder(self.path / f"worker-{index}")
