#!/usr/bin/env bash
# statsmodels 0.15.0: a comparison without a p-value is counted as a member of the family, and takes a finding away from the others.
#
# Behaviour: multipletests takes NaN for one more p-value, sorted last. Bonferroni and Holm multiply by the count with it; Benjamini-Hochberg
# returns NaN for every corrected value, yet decides. No warning, and the docstring does not say.
# Seen: of 0.001, 0.012, 0.03 and 0.2, Holm rejects two (0.004, 0.036); with two NaN beside them one (0.006, 0.060). Benjamini-Hochberg three
# (0.004, 0.024, 0.040, 0.2), then two, all corrected values NaN.
# What follows: drop the comparisons that could not be made before the correction, put their NaN back after it, and say how many were made.
# Source: stats/multitest.py of 0.15.0, multipletests (ntests = len(pvals)), and what this script prints; asked in 2016, still open:
# https://github.com/statsmodels/statsmodels/issues/2899
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/python" -m pip install --quiet --disable-pip-version-check statsmodels==0.15.0 numpy==2.4.6 pandas==3.1.1 scipy==1.17.1
"$folder/env/bin/python" - <<'PY'
import numpy as np
from statsmodels.stats.multitest import multipletests

tested = np.array([0.001, 0.012, 0.03, 0.2])
# Two teams had no debts in one arm: their difference has no p-value.
with_gaps = np.r_[tested, np.nan, np.nan]
expected = {"bonferroni": (2, 1), "holm": (2, 1), "fdr_bh": (3, 2)}
corrected = {}
for method, counts in expected.items():
    alone, beside = multipletests(tested, method=method), multipletests(with_gaps, method=method)
    print(f"{method:10} alone {alone[0].sum()} rejected {alone[1].round(3)}  beside two NaN {beside[0].sum()} {beside[1].round(3)}")
    assert (alone[0].sum(), beside[0].sum()) == counts
    corrected[method] = alone[1], beside[1]
for method in ("bonferroni", "holm"):
    assert np.isclose(corrected[method][0][0], 0.001 * 4) and np.isclose(corrected[method][1][0], 0.001 * 6)
assert np.isfinite(corrected["fdr_bh"][0]).all() and np.isnan(corrected["fdr_bh"][1]).all()
PY
