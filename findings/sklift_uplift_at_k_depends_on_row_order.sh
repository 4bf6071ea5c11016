#!/usr/bin/env bash
# scikit-uplift 0.5.1: uplift at k of equal scores depends on the order of the rows, and can be NaN.
#
# Behaviour: the first k of the rows sorted by score are compared, treated against control, with ties cut where they happen to lie. A rule table or
# a shallow tree gives whole segments one score, so the share k almost always cuts through a tie.
# Seen: all scores equal, control rows first: nan ("overall"), shuffled -0.0300; "by_group" +0.0333 and -0.0267: the sign turns.
# What follows: score a rule with its whole segments (cut only between scores), or average over random orders of ties.
# Source: sklift/metrics/metrics.py of 0.5.1, uplift_at_k (argsort, then a slice), and what this script prints.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/python" -m pip install --quiet --disable-pip-version-check scikit-uplift==0.5.1 scikit-learn==1.9.1 numpy==2.4.6 pandas==3.1.1
"$folder/env/bin/python" - <<'PY'
import warnings

import numpy as np
from sklift.metrics import uplift_at_k

warnings.simplefilter("ignore")
rng = np.random.default_rng(0)
treated = np.repeat([0, 1], 500)
paid = rng.binomial(1, 0.10 + 0.05 * treated)
# A rule table gives whole segments one score; here all accounts have the same.
score = np.zeros(1000)
mixed = rng.permutation(1000)
as_stored = uplift_at_k(paid, score, treated, strategy="overall", k=0.3)
shuffled = uplift_at_k(paid[mixed], score[mixed], treated[mixed], strategy="overall", k=0.3)
by_group = uplift_at_k(paid, score, treated, strategy="by_group", k=0.3)
by_group_shuffled = uplift_at_k(paid[mixed], score[mixed], treated[mixed], strategy="by_group", k=0.3)
effect = paid[treated == 1].mean() - paid[treated == 0].mean()
print(f"effect in all rows {effect:+.4f}")
print(f"overall  rows as stored {as_stored:+.4f}  shuffled {shuffled:+.4f}")
print(f"by_group rows as stored {by_group:+.4f}  shuffled {by_group_shuffled:+.4f}")
assert np.isnan(as_stored) and abs(shuffled - -0.0300) < 5e-4, (as_stored, shuffled)
assert abs(by_group - 0.0333) < 5e-4 and abs(by_group_shuffled - -0.0267) < 5e-4, (by_group, by_group_shuffled)
PY
