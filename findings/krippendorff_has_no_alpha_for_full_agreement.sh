#!/usr/bin/env bash
# krippendorff 0.9.0: listeners who agree on every call have no alpha, and one disagreement in forty calls gives about 0.
#
# Behaviour: where every call got the same mark, alpha raises (the domain needs two values). With one mark that differs, alpha is at or below 0
# however many calls agree: chance agreement is nearly 1 when nearly every call passes.
# Seen: two listeners, forty calls, all passed: ValueError; 39 of 40 alike: alpha 0.0, raw agreement 0.975.
# What follows: calibrations of call quality tell raw agreement beside alpha, and hold alpha undefined (not low) where too few calls failed;
# sample failed calls more often.
# Source: krippendorff 0.9.0, and what this script prints; by hand: 1 - (observed disagreement) / (disagreement by chance), over pairs of marks.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/python" -m pip install --quiet --disable-pip-version-check krippendorff==0.9.0 numpy==2.3.5
"$folder/env/bin/python" - <<'PY'
import krippendorff

PASSED, CALLS = 1, 40


def alpha(first, second):
    return krippendorff.alpha(reliability_data=[first, second], level_of_measurement="nominal")


alike = [PASSED] * CALLS
try:
    alpha(alike, alike)
    raised = False
except ValueError as error:
    raised = True
    print("all alike:", error)
one_apart = alpha(alike, alike[:-1] + [0])
# By hand: 80 marks, one of them 0; pairs that differ within calls 2 of 80, over all marks 2 * 79 of 80 * 79.
by_hand = 1 - (2 / 80) / (2 * 79 / (80 * 79))
print("39 of 40 alike: alpha", one_apart, " by hand", by_hand, " raw agreement", 39 / 40)
assert raised
assert abs(one_apart - by_hand) < 1e-9 and abs(one_apart) < 1e-9
PY
