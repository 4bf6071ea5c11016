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
    return named_factors(names, known=FACTORS, what="factor")


def named_factors(names: Sequence[str], *, known: Sequence[str], what: str) -> tuple[str, ...]:
    """The factors as named, each of them one of `known`; `what` names them in messages.

    Raises
    ------
    ParameterError
        As `known_factors`.
    """
    problems = [f"there is no {what} '{name}'; {nearest(name, known)}" for name in names if name not in known]
    problems += [f"{what} '{name}' is named twice" for name in sorted({name for name in names if list(names).count(name) > 1})]
    if not names:
        problems.append(f"no {what} is named; known: {', '.join(known)}")
    if problems:
        raise ParameterError(problems)
    return tuple(names)
