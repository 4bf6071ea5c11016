#!/usr/bin/env bash
# lifelines 0.30.0: the variance returned beside a restricted mean is as large for a thousand debts as for ten.
#
# Behaviour: restricted_mean_survival_time(return_variance=True) returns the variance of the restricted time of one case, E[min(T, t)^2] less the
# mean squared, not that of the mean. return_variance is not in the docstring.
# Seen: times 1 to 10, t = 6: mean 4.5 and variance 3.25 for 10, 100 and 1,000 cases; the variance of the mean is 0.325, 0.0325, 0.00325.
# What follows: a difference of two restricted means hardly ever looks proven with it; take the error by Greenwood's sum over the event times.
# Source: utils/__init__.py of 0.30.0, restricted_mean_survival_time, and what this script prints; known and open:
# https://github.com/CamDavidsonPilon/lifelines/issues/1682; formula: Klein and Moeschberger, "Survival Analysis" (2003).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/python" -m pip install --quiet --disable-pip-version-check lifelines==0.30.0 numpy==2.4.6 pandas==3.1.1 scipy==1.17.1 \
  autograd==1.9.1 autograd-gamma==0.5.0 formulaic==1.2.2 matplotlib==3.11.2
"$folder/env/bin/python" - <<'PY'
import numpy as np
from lifelines import KaplanMeierFitter
from lifelines.utils import restricted_mean_survival_time

LIMIT = 6
for times in (1, 10, 100):
    # Every debt paid, in months 1 to 10; nothing censored, so mean and variance follow from the months themselves.
    months = np.tile(np.arange(1, 11), times)
    fitted = KaplanMeierFitter().fit(months, np.ones(len(months)))
    mean, variance = restricted_mean_survival_time(fitted, t=LIMIT, return_variance=True)
    restricted = np.minimum(months, LIMIT)
    # Greenwood's sum: (area under the curve from the event to the limit)^2 * d / (n (n - d)).
    table = fitted.event_table.query("observed > 0 and event_at < @LIMIT")
    curve = fitted.survival_function_at_times(np.arange(LIMIT)).to_numpy()
    areas = np.array([curve[int(month):].sum() for month in table.index])
    greenwood = (areas**2 * table.observed / (table.at_risk * (table.at_risk - table.observed))).sum()
    print(f"{len(months):4} debts: mean {mean:.2f}, variance returned {variance:.3f}, variance of the mean {greenwood:.5f}")
    assert abs(mean - restricted.mean()) < 1e-9 and abs(variance - 3.25) < 1e-9
    assert abs(greenwood - restricted.var() / len(months)) < 1e-9
PY
