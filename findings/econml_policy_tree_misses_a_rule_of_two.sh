#!/usr/bin/env bash
# econml 0.17.0: a rule "call where a and b agree" fits in a policy tree of depth 2; of 20 trees 17 find nothing of its value, 3 all of it.
#
# Behaviour: PolicyTree splits one node at a time by the gain of that split alone. Where the sign of an effect turns with two characteristics
# together, no first split gains anything and one is picked at random; at depth 2 the second cannot make good for it. No exhaustive search.
# Seen: 8 yes/no characteristics, every combination 16 times, gain +1 where a = b, else -1, no noise: value by hand 0.5; over 20 seeds 0 17 times
# and 0.5 three times. With a and b as the only characteristics always 0.5.
# What follows: rules of two characteristics are searched exhaustively; "the tree found no rule" is no evidence that there is none.
# Source: econml 0.17.0, policy.PolicyTree (its docstring states the objective and splitter="best", not the search), and what this script prints;
# exhaustive search: policy_tree of R's policytree, https://grf-labs.github.io/policytree/reference/policy_tree.html
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/python" -m pip install --quiet --disable-pip-version-check econml==0.17.0 numpy==2.4.6 scikit-learn==1.9.1 pandas==3.1.1 \
  scipy==1.17.1
"$folder/env/bin/python" -W ignore - <<'PY'
from collections import Counter
from itertools import product

import numpy as np
from econml.policy import PolicyTree


def values(characteristics):
    """Value per debt of the rule of each of 20 trees, against calling nobody."""
    debts = np.array(list(product((0.0, 1.0), repeat=characteristics)) * (4096 // 2**characteristics))
    gain = np.where(debts[:, 0] == debts[:, 1], 1.0, -1.0)
    by_arm = np.c_[np.zeros(len(debts)), gain]
    trees = [PolicyTree(max_depth=2, random_state=seed).fit(debts, by_arm) for seed in range(20)]
    return Counter(float((tree.predict(debts) * gain).mean()) for tree in trees)


alone, among_eight = values(2), values(8)
print("value: number of trees; a and b alone", dict(alone), " among eight", dict(among_eight))
assert alone == {0.5: 20}
assert among_eight == {0.0: 17, 0.5: 3}
print("by hand: call where a = b, half of the debts, gain 1 each: 0.5")
PY
