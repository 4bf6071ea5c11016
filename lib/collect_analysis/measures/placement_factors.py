"""What placements are compared by when recovery is expected of them: known wherever parameters are checked, so nothing heavy is imported."""

from collections.abc import Sequence

from collect_analysis.errors import ParameterError, nearest

DEFAULT_FACTORS = ("dpd_band", "balance_band", "score_band", "placement", "recency", "product", "batch")
FACTORS = (*DEFAULT_FACTORS, "region")


def known_placement_factors(names: Sequence[str]) -> tuple[str, ...]:
    """The factors as named, most important first: the last is the first to be given up where cells become too many.

    Raises
    ------
    ParameterError
        None, an unknown one, or one named twice.
    """
    problems = [f"there is no placement factor '{name}'; {nearest(name, FACTORS)}" for name in names if name not in FACTORS]
    problems += [f"placement factor '{name}' is named twice" for name in sorted({name for name in names if list(names).count(name) > 1})]
    if not names:
        problems.append(f"no placement factor is named; known: {', '.join(FACTORS)}")
    if problems:
        raise ParameterError(problems)
    return tuple(names)
