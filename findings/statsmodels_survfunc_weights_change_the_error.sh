#!/usr/bin/env bash
# statsmodels 0.15.0: a survival curve of cases with counts has another standard error than the same cases written out, here up to 2.1 times it.
#
# Behaviour: SurvfuncRight(freq_weights=) has the curve, the numbers at risk and of events of the cases written out. Its standard error is the
# root of the sum of d / n^2, not multiplied by the curve: an error of the cumulative hazard. Without weights it is Greenwood's.
# Seen: counts 2, 3, 1, 4 (the last censored): 0.1414, 0.2586, 0.3269; as ten rows, and by hand, 0.1265, 0.1581, 0.1549. Counts of 1 change it too.
# What follows: bands of a curve from a table of counts come from Greenwood's formula by n_risk and n_events, or from the rows written out.
# Source: duration/survfunc.py of 0.15.0, _calc_survfunc_right ("Tsiatis' (1981) formula"), and what this script prints; by hand: curve times
# root of the sum of d / (n (n - d)).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/python" -m pip install --quiet --disable-pip-version-check statsmodels==0.15.0 numpy==2.4.6 pandas==3.1.1 scipy==1.17.1
"$folder/env/bin/python" - <<'PY'
import numpy as np
from statsmodels.duration.survfunc import SurvfuncRight

# Months to the first payment: 2 debts in month 1, 3 in month 2, 1 in month 3, 4 still unpaid in month 4.
month, paid, debts = np.array([1, 2, 3, 4]), np.array([1, 1, 1, 0]), np.array([2, 3, 1, 4])
counted = SurvfuncRight(month, paid, freq_weights=debts)
rows = SurvfuncRight(np.repeat(month, debts), np.repeat(paid, debts))
at_risk, events = np.array([10, 8, 5]), np.array([2, 3, 1])
curve = np.cumprod(1 - events / at_risk)
greenwood = curve * np.sqrt(np.cumsum(events / (at_risk * (at_risk - events))))
hazard = np.sqrt(np.cumsum(events / at_risk**2))
print("curve ", counted.surv_prob.round(4), rows.surv_prob.round(4))
print("error  counted", counted.surv_prob_se.round(4), " rows", rows.surv_prob_se.round(4), " by hand", greenwood.round(4))
assert np.allclose(counted.surv_prob, curve) and np.allclose(rows.surv_prob, curve)
assert np.allclose(rows.surv_prob_se, greenwood) and greenwood.round(4).tolist() == [0.1265, 0.1581, 0.1549]
assert np.allclose(counted.surv_prob_se, hazard) and hazard.round(4).tolist() == [0.1414, 0.2586, 0.3269]
ones = SurvfuncRight(np.repeat(month, debts), np.repeat(paid, debts), freq_weights=np.ones(10))
assert np.allclose(ones.surv_prob_se, hazard)
print("counts of 1 on each row give", ones.surv_prob_se.round(4))
PY
