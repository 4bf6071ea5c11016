#!/usr/bin/env bash
# pyworkforce 0.5.1: with fewer agents than calls need, the probability of waiting is 1.957 and the occupancy 125 %.
#
# Behaviour: Erlang C holds only where agents outnumber the traffic in erlangs. Below that the formula is evaluated all the same: no error, no NaN.
# Seen: 8 agents for 10 erlangs: probability of waiting 1.9568, occupancy 1.25, service level 0; 14 agents: 0.1741, 0.8884 (as published).
# What follows: a queue with agents <= erlangs has no steady state; refuse it before asking, and check 0 <= p <= 1 after.
# Source: pyworkforce 0.5.1, queuing/erlang.py, and what this script prints.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/python" -m pip install --quiet --disable-pip-version-check pyworkforce==0.5.1 numpy==2.4.6
"$folder/env/bin/python" - <<'PY'
from pyworkforce.queuing import ErlangC

# 100 calls in 30 minutes of 3 minutes each: 10 agents' worth of talk.
queue = ErlangC(transactions=100, aht=3, interval=30, asa=20 / 60)
for agents in (8, 10, 11, 14):
    print(agents, round(queue.waiting_probability(agents), 4), round(queue.service_level(agents), 4), round(queue.achieved_occupancy(agents), 4))
assert round(queue.waiting_probability(14), 4) == 0.1741 and round(queue.service_level(14), 4) == 0.8884
assert round(queue.waiting_probability(8), 3) == 1.957 and queue.service_level(8) == 0 and queue.achieved_occupancy(8) == 1.25
PY
