"""Reading a manifest's bytes, whichever version of the contract they are of."""

from typing import Annotated, Final, Literal

import msgspec

from device.imaging.preprocessing import InputSpec
from device.imaging.quality import QualityLimits
from device.models.manifest import (
    MODEL_FILE,
    DiagnosisClass,
    Interval,
    Manifest,
    Provenance,
    Version,
)
from device.models.network_spec import (
    Abstention,
    Calibration,
    Conformal,
    Label,
    Name,
    NetworkSpec,
    OperatingPoints,
    Outputs,
    Saliency,
    Section,
    Sha256,
    TensorSpec,
    TestTimeAugmentation,
)

READABLE_VERSIONS: Final = (1, 2)


class _SaliencyVersion1(Section, frozen=True):
    """What version 1 said of the map, with the method for a captured picture under ``frozen``."""

    method: Literal["occlusion", "class-activation-map"]
    patch: Annotated[int, msgspec.Meta(ge=1, le=1024)] = 8
    stride: Annotated[int, msgspec.Meta(ge=1, le=1024)] = 2
    frozen: Literal["rise"] | None = None
    masks: Annotated[int, msgspec.Meta(ge=1, le=4000)] = 400
    cells: Annotated[int, msgspec.Meta(ge=2, le=32)] = 8

    def upgraded(self) -> Saliency:
        """Return the same as version 2 has it."""
        return Saliency(
            method=self.method,
            patch=self.patch,
            stride=self.stride,
            captured_method=self.frozen,
            masks=self.masks,
            cells=self.cells,
        )


class _ManifestVersion1(Section, frozen=True):
    """What version 1 said of its one network."""

    name: Name
    version: Version
    classes: Annotated[tuple[DiagnosisClass, ...], msgspec.Meta(min_length=7, max_length=7)]
    input: InputSpec
    input_tensor: TensorSpec
    outputs: Outputs
    calibration: Calibration
    operating_points: OperatingPoints
    conformal: Conformal
    abstention: Abstention
    quality: QualityLimits
    saliency: _SaliencyVersion1
    model_sha256: Sha256
    provenance: Provenance
    metrics: Annotated[dict[Label, Interval], msgspec.Meta(max_length=200)]
    averaging: TestTimeAugmentation = "none"

    def upgraded(self) -> Manifest:
        """Return the same as version 2 has it."""
        live = NetworkSpec(
            file=MODEL_FILE,
            sha256=self.model_sha256,
            input=self.input,
            input_tensor=self.input_tensor,
            outputs=self.outputs,
            calibration=self.calibration,
            operating_points=self.operating_points,
            conformal=self.conformal,
            abstention=self.abstention,
            saliency=self.saliency.upgraded(),
            test_time_augmentation=self.averaging,
        )
        return Manifest(
            name=self.name,
            version=self.version,
            classes=self.classes,
            live=live,
            quality=self.quality,
            provenance=self.provenance,
            metrics=self.metrics,
        )


def decode_manifest(content: bytes) -> Manifest:
    """Return the manifest in a file's bytes, whichever of `READABLE_VERSIONS` it is of.

    Raises
    ------
    ValueError
        If it is none, is of another version, or contradicts itself.
    """
    keys = msgspec.json.decode(content, type=dict[str, msgspec.Raw])
    if "schema_version" not in keys:
        raise ValueError("it names no schema version (schema_version)")
    version = " ".join(bytes(keys["schema_version"]).decode().split())[:40]
    if version not in map(str, READABLE_VERSIONS):
        readable = " and ".join(map(str, READABLE_VERSIONS))
        raise ValueError(
            f"it has schema version {version}, and this program reads {readable}; use the release "
            "that the bundle was made for"
        )
    if version == "1":
        return msgspec.json.decode(content, type=_ManifestVersion1).upgraded()
    manifest = msgspec.json.decode(content, type=Manifest)
    for network in manifest.networks:
        for mix in network.case_mixes:
            if mix.name == manifest.case_mix and not network.is_read_for(mix):
                raise ValueError(
                    f"how {network.file} is read is not as its case mix {mix.name} has it"
                )
    return manifest
