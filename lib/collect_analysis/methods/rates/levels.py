"""Levels: of confidence, in one place, from where texts have them, too; and how a number is cut into levels.

Known wherever parameters are checked and texts are said, so nothing heavy is imported here.
"""

import itertools
from collections.abc import Sequence

# Of an interval and the errors of a test, of a forecast's band, of a funnel's inner and outer limits, where nobody says otherwise.
CONFIDENCE = 0.95
ERROR = 0.05
BAND = 0.8
INNER, OUTER = 0.95, 0.998
# A test finds the effect it is made for with this probability.
POWER = 0.8
# Of the ranks that a unit may hold.
RANKS = 0.90
# By how much better than its peers a unit is to be told from them.
BETTER = 0.10
# A departure from what a table of moves supposes that matters (root of chi-square over cases).
DEPARTURE = 0.1
# Amounts above this quantile are cut at it; those who paid most; the largest payers.
WINSORISED_AT, TOP_SHARE, LARGEST = 0.995, 0.01, 10
# What was paid before is read over so many days.
PAID_BEFORE_DAYS = 90
# Months that a forecast is made from, and one to hold it against.
FEWEST_MONTHS = 6
WHOLE_MONTHS = FEWEST_MONTHS + 1
# Officers within so much of a step of the pay may aim at it.
NEAR = 0.05
# More levels than this are a search for the best one, not a declared question.
MOST_LEVELS = 6


def level_names(cuts: Sequence[float]) -> list[str]:
    """The levels that rising cut points make, each holding its lower cut: `< 10`, `10 to < 20`, `>= 20`."""
    points = [f"{cut:.12g}" for cut in cuts]
    inner = [f"{low} to < {high}" for low, high in itertools.pairwise(points)]
    return [f"< {points[0]}", *inner, f">= {points[-1]}"]
