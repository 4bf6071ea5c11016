#!/usr/bin/env bash
# ruptures 1.1.10: a break on day 12 of a daily series is reported on day 10, and a second one on day 15.
#
# Behaviour: every search but KernelCPD looks only at multiples of `jump`, which is 5 unless given; Pelt then needs two breaks to go round
# the day that it may not name. No warning. The last number is always the length of the series, not a break.
# Seen: Pelt [10, 15, 30], Binseg, BottomUp and Dynp [10, 30]; Pelt with jump=1 and KernelCPD [12, 30].
# What follows: a detector of a dialer that stopped logging, or of a feed that arrived half, dates the fault up to four days off; pass jump=1.
# Source: ruptures 1.1.10, constructors of Pelt, Binseg, BottomUp, Window and Dynp (`jump=5`), and what this script prints.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/python" -m pip install --quiet --disable-pip-version-check ruptures==1.1.10 numpy==2.4.6
"$folder/env/bin/python" - <<'PY'
import numpy as np
import ruptures as rpt

# Contacts logged a day: 100, and from day 12 on 60. No noise at all.
days = np.r_[np.full(12, 100.0), np.full(18, 60.0)]
seen = {
    "Pelt": rpt.Pelt(model="l2").fit_predict(days, pen=1),
    "Binseg": rpt.Binseg(model="l2").fit_predict(days, n_bkps=1),
    "BottomUp": rpt.BottomUp(model="l2").fit_predict(days, n_bkps=1),
    "Dynp": rpt.Dynp(model="l2").fit_predict(days, n_bkps=1),
    "Pelt, jump=1": rpt.Pelt(model="l2", jump=1).fit_predict(days, pen=1),
    "KernelCPD": rpt.KernelCPD(kernel="linear").fit_predict(days, n_bkps=1),
}
for name, breaks in seen.items():
    print(f"{name:14} {[int(day) for day in breaks]}")
expected = {
    "Pelt": [10, 15, 30], "Binseg": [10, 30], "BottomUp": [10, 30], "Dynp": [10, 30], "Pelt, jump=1": [12, 30], "KernelCPD": [12, 30],
}
assert {name: [int(day) for day in breaks] for name, breaks in seen.items()} == expected, seen
PY
