"""What placements are compared by when recovery is expected of them: known wherever parameters are checked, so nothing heavy is imported."""

from collections.abc import Sequence

from collect_analysis.measures.account_factors import named_factors

DEFAULT_FACTORS = ("dpd_band", "balance_band", "score_band", "placement", "recency", "product", "batch")
FACTORS = (*DEFAULT_FACTORS, "region")


def known_placement_factors(names: Sequence[str]) -> tuple[str, ...]:
    """The factors as named, most important first: the last is the first to be given up where cells become too many.

    Raises
    ------
    ParameterError
        None, an unknown one, or one named twice.
    """
    return named_factors(names, known=FACTORS, what="placement factor")
