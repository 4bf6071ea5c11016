"""How a number is cut into levels: known wherever parameters are checked, so nothing heavy is imported here."""

import itertools
from collections.abc import Sequence

# More levels than this are a search for the best one, not a declared question.
MOST_LEVELS = 6


def level_names(cuts: Sequence[float]) -> list[str]:
    """The levels that rising cut points make, each holding its lower cut: `< 10`, `10 to < 20`, `>= 20`."""
    points = [f"{cut:.12g}" for cut in cuts]
    inner = [f"{low} to < {high}" for low, high in itertools.pairwise(points)]
    return [f"< {points[0]}", *inner, f">= {points[-1]}"]
