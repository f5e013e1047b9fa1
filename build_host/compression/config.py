"""The settings of pruning."""

from build_host.training.config import Positive, Section, Share


class PruningConfig(Section, frozen=True):
    """Magnitude pruning with a polynomial schedule (arXiv:1710.01878).

    Attributes
    ----------
    initial_sparsity, final_sparsity
        Share of weights that are zero at the first and the last pruning step.
    begin_step, end_step, frequency
        The first and last training step at which weights are pruned, and every how many steps.
    recovery_steps
        Training steps after the last of them.
    """

    initial_sparsity: Share = 0.85
    final_sparsity: Share = 0.95
    begin_step: int = 2000
    end_step: Positive = 5000
    frequency: Positive = 100
    recovery_steps: Positive = 500


class RewindingConfig(Section, frozen=True):
    """Iterative magnitude pruning with weight rewinding (arXiv:1912.05671).

    Attributes
    ----------
    rounds
        How often the smallest of the remaining weights are pruned.
    final_sparsity
        Share of weights that are zero after the last round.
    rewind_epochs
        The weights are rewound to what they were after so many epochs.
    epochs
        Of each round.
    """

    rounds: Positive = 3
    final_sparsity: Share = 0.95
    rewind_epochs: Positive = 1
    epochs: Positive = 10
