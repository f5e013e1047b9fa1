"""The settings of pruning."""

from build_host.training.config import Positive, Share, _Section


class PruningConfig(_Section, frozen=True):
    """Magnitude pruning with a polynomial schedule (arXiv:1710.01878).

    Attributes
    ----------
    initial, final
        Share of weights that are zero at the first and the last pruning step.
    begin, end, every
        The steps at which weights are set to zero.
    recovery
        Steps of fitting after the last of them.
    """

    initial: Share = 0.85
    final: Share = 0.95
    begin: int = 2000
    end: Positive = 5000
    every: Positive = 100
    recovery: Positive = 500


class RewindingConfig(_Section, frozen=True):
    """Iterative magnitude pruning with rewinding (arXiv:1912.05671).

    Attributes
    ----------
    rounds
        How often the smallest of the remaining weights are removed.
    final
        Share of weights that are zero after the last round.
    rewind_epochs
        The weights return to what they were after so many epochs.
    epochs
        Of each round.
    """

    rounds: Positive = 3
    final: Share = 0.95
    rewind_epochs: Positive = 1
    epochs: Positive = 10
