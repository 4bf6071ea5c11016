"""Adjusted p-values against the published example, statsmodels, and the orders they must keep."""

import numpy as np
import pytest
from collect_analysis.errors import DataError
from collect_analysis.methods.rates.multiplicity import benjamini_hochberg, holm

# The fifteen p-values of Benjamini & Hochberg (1995), section 4.1.
FIFTEEN = [0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240, 0.4262, 0.5719, 0.6528, 0.7590, 1.0000]


def test_the_published_fifteen_give_three_and_four_rejections() -> None:
    assert (holm(FIFTEEN) <= 0.05).sum() == 3
    assert (benjamini_hochberg(FIFTEEN) <= 0.05).sum() == 4
    assert benjamini_hochberg(FIFTEEN)[4] == pytest.approx(0.0603, abs=5e-5)


def test_statsmodels_agrees_on_any_order() -> None:
    from statsmodels.stats.multitest import multipletests

    p = np.random.default_rng(1).permutation([*FIFTEEN, 0.0095, 0.3240])
    np.testing.assert_allclose(holm(p), multipletests(p, method="holm")[1], atol=1e-14)
    np.testing.assert_allclose(benjamini_hochberg(p), multipletests(p, method="fdr_bh")[1], atol=1e-14)


def test_an_unanswered_question_is_neither_adjusted_nor_counted() -> None:
    np.testing.assert_allclose(holm([0.01, np.nan, 0.04]), [0.02, np.nan, 0.04])
    np.testing.assert_allclose(benjamini_hochberg([0.01, np.nan, 0.04]), [0.02, np.nan, 0.04])


def test_adjusting_never_lowers_and_false_discovery_never_exceeds_family_wise() -> None:
    p = np.random.default_rng(2).uniform(size=200) ** 3
    assert (benjamini_hochberg(p) >= p).all()
    assert (holm(p) >= benjamini_hochberg(p)).all()
    assert holm([]).size == 0


def test_a_test_statistic_in_place_of_a_p_value_is_refused() -> None:
    with pytest.raises(DataError, match=r"1 of 3 lie outside 0 to 1 \(first: 2.3 at position 2\)"):
        holm([0.2, 2.3, 0.1])
