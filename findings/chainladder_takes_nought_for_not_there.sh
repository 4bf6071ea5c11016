#!/usr/bin/env bash
# chainladder 0.10.1: a batch that collected nothing in its first month falls out of the development factor, and the youngest batch is projected low.
#
# Behaviour: a cumulative 0 in the triangle is kept as an absent value, so its batch counts in neither side of the link ratio, though its later
# months were delivered. Replaced by 1, the same batch counts.
# Seen: factor of ages 1-2 is 1.5 (batch 1 alone); of the sums it is (150 + 60) / (100 + 0) = 2.1, and 2.089 with a 1 for the 0. A young batch
# with 90 is projected to 162.0 instead of 226.8.
# What follows: in unsecured debts nothing in the first month is ordinary; link ratios are taken of sums over the batches seen at both ages, zeros included.
# Source: chainladder 0.10.1, and what this script prints; factor of sums: Mack, "Distribution-free calculation of the standard error of chain
# ladder reserve estimates", ASTIN Bulletin 23 (1993).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/python" -m pip install --quiet --disable-pip-version-check chainladder==0.10.1 pandas==3.1.1
"$folder/env/bin/python" -W ignore - <<'PY'
import chainladder as cl
import pandas as pd

COLLECTED = [
    ("2026-01", "2026-01", 100), ("2026-01", "2026-02", 50), ("2026-01", "2026-03", 30),
    ("2026-02", "2026-02", 0), ("2026-02", "2026-03", 60),
    ("2026-03", "2026-03", 90),
]


def fitted(first_of_february):
    rows = [(batch, month, first_of_february if (batch, month) == ("2026-02",) * 2 else cash) for batch, month, cash in COLLECTED]
    frame = pd.DataFrame(rows, columns=["batch", "month", "cash"])
    triangle = cl.Triangle(frame, origin="batch", development="month", columns="cash", cumulative=False).incr_to_cum()
    development = cl.Development(average="volume").fit(triangle)
    projected = cl.Chainladder().fit(development.transform(triangle)).ultimate_.to_frame()
    return development.ldf_.to_frame().iloc[0, 0], projected.iloc[2, 0]


nought, projected = fitted(0)
one, _ = fitted(1)
by_hand = (150 + 60) / (100 + 0)
print("factor of ages 1-2 with 0:", nought, " with 1:", round(one, 3), " of the sums:", by_hand)
print("the youngest batch:", projected, " by the factor of the sums:", round(90 * by_hand * 1.2, 1))
assert nought == 1.5 and abs(one - (150 + 61) / 101) < 1e-9
assert abs(projected - 162) < 1e-9
print("a batch that collected nothing at first is left out of the factor")
PY
