#!/usr/bin/env bash
# statsmodels 0.15.0: pooled by DerSimonian and Laird, effects that agree have a negative variance between them and an error ten times too small.
#
# Behaviour: combine_effects(method_re="dl") takes tau^2 = (Q - df) / c as it comes; where Q is below its degrees of freedom it is negative, is
# added to every variance, and the random-effects interval becomes narrower than the fixed one. No warning. "iterated" stops at 0.
# Seen: four effects near 0.11, each with standard error 0.10: tau^2 -0.0099, error of the mean 0.0048; fixed, and "iterated", 0.0500.
# What follows: take max(0, tau^2) (as DerSimonian and Laird do), and check that no random-effects error is below the fixed one.
# Source: stats/meta_analysis.py of 0.15.0, combine_effects, and what this script prints; DerSimonian and Laird, "Meta-analysis in clinical
# trials", Controlled Clinical Trials 7 (1986).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/python" -m pip install --quiet --disable-pip-version-check statsmodels==0.15.0 numpy==2.4.6 pandas==3.1.1 scipy==1.17.1
"$folder/env/bin/python" - <<'PY'
import numpy as np
from statsmodels.stats.meta_analysis import combine_effects

# Four quarters of one trial of a letter: effects on the share that paid, each with standard error 0.10.
effects, variances = np.array([0.10, 0.11, 0.12, 0.10]), np.full(4, 0.10**2)
one_step = combine_effects(effects, variances, method_re="dl")
iterated = combine_effects(effects, variances, method_re="iterated")
weights = 1 / variances
q = (weights * (effects - effects.mean()) ** 2).sum()
by_hand = (q - 3) / (weights.sum() - (weights**2).sum() / weights.sum())
print(f"dl       tau^2 {one_step.tau2:.4f}  error of the mean: fixed {one_step.sd_eff_w_fe:.4f}, random {one_step.sd_eff_w_re:.4f}")
print(f"iterated tau^2 {iterated.tau2:.4f}  error of the mean: fixed {iterated.sd_eff_w_fe:.4f}, random {iterated.sd_eff_w_re:.4f}")
assert abs(one_step.tau2 - by_hand) < 1e-9 and by_hand < 0
assert round(float(one_step.sd_eff_w_re), 4) == 0.0048 and round(float(one_step.sd_eff_w_fe), 4) == 0.05
assert iterated.tau2 == 0 and abs(iterated.sd_eff_w_re - 0.05) < 1e-9
PY
