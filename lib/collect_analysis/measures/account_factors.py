"""What accounts are compared by: known wherever parameters are checked, so nothing heavy is imported here."""

from collections.abc import Sequence

from collect_analysis.errors import ParameterError, nearest

DEFAULT_FACTORS = ("bucket", "recency", "score_band", "balance_band", "product")
# Other facts known at the opening that a caller may compare within.
FACTORS = (*DEFAULT_FACTORS, "region", "portfolio", "sub_function")


def known_factors(names: Sequence[str]) -> tuple[str, ...]:
    """The factors as named, most important first.

    Raises
    ------
    ParameterError
        None, an unknown one, or one named twice.
    """
    problems = [f"there is no factor '{name}'; {nearest(name, FACTORS)}" for name in names if name not in FACTORS]
    problems += [f"factor '{name}' is named twice" for name in sorted({name for name in names if list(names).count(name) > 1})]
    if not names:
        problems.append(f"no factor is named; known: {', '.join(FACTORS)}")
    if problems:
        raise ParameterError(problems)
    return tuple(names)
