"""What came of an attack: how often it was tried, what came out, how long it took at most."""

import argparse
import resource
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

SEED: Final = 15


@dataclass
class Outcome:
    """What came of the attempts of one kind.

    Attributes
    ----------
    tried
        How many there were.
    used, refused
        How many gave what was wanted, and how many one line that says why not.
    longest
        Seconds of the processor that the slowest took.
    """

    tried: int = 0
    used: int = 0
    refused: int = 0
    longest: float = 0.0

    def attempt(self, deed: Callable[[], None], refusal: type[Exception]) -> None:
        """Do something that works, or is refused in one line by an error of a kind.

        Raises
        ------
        Exception
            Any other: the attack has succeeded.
        """
        self.tried += 1
        start = time.thread_time()
        try:
            deed()
        except refusal as error:
            words = str(error)
            if len(words.splitlines()) != 1:
                raise AssertionError(f"told in several lines: {words}") from error
            self.refused += 1
        else:
            self.used += 1
        self.longest = max(self.longest, time.thread_time() - start)


def attempts(
    count: int,
    seed: int,
    kinds: Sequence[str],
    prepared: Callable[[str, int], Callable[[], None]],
    refusal: type[Exception],
) -> dict[str, Outcome]:
    """Do something odd of each kind in turn, and return what came of it, by kind.

    Parameters
    ----------
    count
        How often, over all kinds.
    seed
        Told with what succeeded, to do it again.
    kinds
        What is odd.
    prepared
        Makes what is odd, of a kind and a number, and returns what is done with it.
    refusal
        As in `Outcome.attempt`.

    Raises
    ------
    Exception
        As in `Outcome.attempt`.
    """
    outcomes = {kind: Outcome() for kind in kinds}
    for number in range(count):
        kind = kinds[number % len(kinds)]
        try:
            outcomes[kind].attempt(prepared(kind, number), refusal)
        except Exception as error:
            error.add_note(f"number {number} of seed {seed}, {kind}")
            raise
    return outcomes


def table(outcomes: dict[str, Outcome], kind: str, things: str, used: str) -> str:
    """Return outcomes as Markdown, and the peak of this process.

    Parameters
    ----------
    kind, things, used
        What the columns are called.
    """
    lines = [
        f"| {kind} | {things} | {used} | refused in one line | anything else | longest |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    lines += [
        f"| {kind} | {o.tried:,} | {o.used:,} | {o.refused:,} | {o.tried - o.used - o.refused:,} | "
        f"{1000 * o.longest:.0f} ms |"
        for kind, o in outcomes.items()
    ]
    total = sum(o.tried for o in outcomes.values())
    return "\n".join([*lines, "", f"{total:,} {things} in one process; its peak was {peak()} MiB."])


def peak() -> int:
    """Return the most memory that this process has taken, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def options(about: str | None, count: int) -> argparse.Namespace:
    """Return how often, and with what seed, the command line wants an attack."""
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("--count", type=int, default=count)
    parser.add_argument("--seed", type=int, default=SEED)
    return parser.parse_args()
