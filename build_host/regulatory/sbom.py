"""The software bill of materials, CycloneDX 1.6: packages, and models with their cards."""

import hashlib
import json
import uuid
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from build_host.regulatory.locked import Locked
from device import __version__
from device.models.bundle import Bundle
from device.models.manifest import Manifest

SPECIFICATION: Final = "1.6"
SUITE: Final = "trixie"
ON_THE_IMAGE: Final = "on the image of a card"
_NAMESPACE: Final = uuid.UUID("6e4f1a52-7a0c-5d3e-9a43-6b1f0c7f2d10")


def sbom(
    packages: Sequence[Locked], bundles: Sequence[Bundle], debian: Mapping[str, str] | None = None
) -> bytes:
    """Return the bill of materials as JSON: the same for the same packages and models.

    Parameters
    ----------
    packages
        All that is installed on a device.
    bundles
        The models that ship.
    debian
        Version of each Debian package of the image, by name.
    """
    from cyclonedx.model import HashAlgorithm, HashType, Property
    from cyclonedx.model.bom import Bom, BomMetaData
    from cyclonedx.model.component import Component, ComponentType
    from cyclonedx.model.license import DisjunctiveLicense
    from cyclonedx.output.json import JsonV1Dot6
    from packageurl import PackageURL

    program = Component(
        name="dermascope",
        version=__version__,
        type=ComponentType.APPLICATION,
        bom_ref="dermascope",
        licenses=[DisjunctiveLicense(id="Apache-2.0")],
        description="On-device analysis of dermoscopic images: decision support",
    )
    bom = Bom(metadata=BomMetaData(component=program, timestamp=_newest(bundles)))
    for package in packages:
        bom.components.add(
            Component(
                name=package.name,
                version=package.version,
                type=ComponentType.LIBRARY,
                bom_ref=f"pypi:{package.name}@{package.version}",
                purl=PackageURL("pypi", None, package.name, package.version),
                hashes=[HashType(alg=HashAlgorithm.SHA_256, content=h) for h in package.hashes],
                properties=[Property(name="dermascope:where", value=package.where)]
                if package.where
                else [],
            )
        )
    for name, version in (debian or {}).items():
        where = {"arch": "arm64", "distro": SUITE}
        bom.components.add(
            Component(
                name=name,
                version=version,
                type=ComponentType.LIBRARY,
                bom_ref=f"deb:{name}@{version}",
                purl=PackageURL("deb", "debian", name, version, where),
                properties=[Property(name="dermascope:where", value=ON_THE_IMAGE)],
            )
        )
    for bundle in bundles:
        manifest = bundle.manifest
        bom.components.add(
            Component(
                name=manifest.name,
                version=manifest.version,
                type=ComponentType.MACHINE_LEARNING_MODEL,
                bom_ref=_reference(manifest),
                hashes=[
                    HashType(alg=HashAlgorithm.SHA_256, content=network.sha256)
                    for network in manifest.networks
                ],
                licenses=[DisjunctiveLicense(name=manifest.provenance.licence)],
                description="Classifies dermoscopic images into seven diagnoses",
            )
        )
    bom.register_dependency(program, bom.components)
    # The same materials have the same number.
    bom.serial_number = uuid.uuid5(_NAMESPACE, _digest(packages, bundles, debian or {}))
    written: dict[str, Any] = json.loads(JsonV1Dot6(bom).output_as_string())
    # The library has no class for a model's card.
    cards = {_reference(bundle.manifest): model_card(bundle.manifest) for bundle in bundles}
    for component in written["components"]:
        if component["bom-ref"] in cards:
            component["modelCard"] = cards[component["bom-ref"]]
    return (json.dumps(written, indent=2, sort_keys=True, ensure_ascii=False) + "\n").encode()


def model_card(manifest: Manifest) -> dict[str, Any]:
    """Return a model's card as CycloneDX has it (``modelCard``)."""
    origin = manifest.provenance
    return {
        "modelParameters": {
            "task": "image classification",
            "architectureFamily": "convolutional neural network, int8",
            "modelArchitecture": manifest.name,
            "datasets": [{"type": "dataset", "name": source} for source in origin.sources],
            "inputs": [
                {"format": f"RGB image, {n.input.width} x {n.input.height}"}
                for n in manifest.networks
            ],
            "outputs": [
                {"format": f"probability of {c.code} ({c.names['en']})"} for c in manifest.classes
            ],
        },
        "quantitativeAnalysis": {
            "performanceMetrics": [
                {
                    "type": name,
                    "value": f"{figure.value:.3f}",
                    "confidenceInterval": {
                        "lowerBound": f"{figure.low:.3f}",
                        "upperBound": f"{figure.high:.3f}",
                    },
                }
                for name, figure in sorted(manifest.metrics.items())
            ]
        },
        "considerations": {
            "users": ["clinicians who use a dermatoscope"],
            "useCases": ["decision support for a pigmented or non-pigmented skin lesion"],
            "technicalLimitations": [
                "seven diagnoses; anything else is given the likeliest of them, or no call",
                "worse on images from other clinics than those it was trained on",
            ],
        },
        "properties": [
            {"name": "dermascope:dataset", "value": origin.dataset},
            {"name": "dermascope:split", "value": origin.split},
            {"name": "dermascope:code_revision", "value": origin.code_revision},
            {"name": "dermascope:run_digest", "value": origin.run_digest},
        ],
    }


def _reference(manifest: Manifest) -> str:
    return f"model:{manifest.name}@{manifest.version}"


def _newest(bundles: Iterable[Bundle]) -> datetime:
    """Return the day on which the newest model was made: that of building tells nothing."""
    created = max(bundle.manifest.provenance.created for bundle in bundles)
    return datetime.fromisoformat(created).replace(tzinfo=UTC)


def _digest(
    packages: Sequence[Locked], bundles: Sequence[Bundle], debian: Mapping[str, str]
) -> str:
    told = [f"{p.name}=={p.version} {' '.join(p.hashes)}" for p in packages]
    told += [f"{name}={version}" for name, version in debian.items()]
    told += [n.sha256 for bundle in bundles for n in bundle.manifest.networks]
    return hashlib.sha256("\n".join((__version__, *told)).encode()).hexdigest()
