"""Findings as a test needs them, without a model."""

from device.diagnoses import CODES, MALIGNANT, Code
from device.imaging.field_of_view import central_field
from device.imaging.quality import Quality, Shortcoming
from device.inference.finding import Finding, NoCallReason, SaliencyMap
from device.inference.recommendation import Recommendation


def make_finding(
    leading: Code = Code.NV,
    share: float = 0.79,
    *,
    probabilities: tuple[float, ...] | None = None,
    prediction_set: tuple[Code, ...] | None = None,
    abstention: NoCallReason | None = None,
    shortcomings: tuple[Shortcoming, ...] = (),
    saliency: SaliencyMap | None = None,
    model: str = "test 1.0.0",
    recommendation: Recommendation | None = None,
) -> Finding:
    """Return a finding in which one diagnosis leads and the others share the rest evenly."""
    if probabilities is None:
        rest = (1.0 - share) / (len(CODES) - 1)
        probabilities = tuple(share if code == leading else rest for code in CODES)
    return Finding(
        model=model,
        probabilities=probabilities,
        malignancy=sum(p for c, p in zip(CODES, probabilities, strict=True) if c in MALIGNANT),
        prediction_set=prediction_set or (leading,),
        abstention=abstention,
        field=central_field(200, 300),
        quality=Quality(10.0, 0.5, 0.0, 1.0, shortcomings),
        saliency=saliency,
        timings={"total": 1.0},
        recommendation=recommendation,
    )
