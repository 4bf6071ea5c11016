"""Groups in which nothing was recorded although much was to be expected: a gap in recording, which no rate of 0.0 % may hide."""

from collections.abc import Sequence

import pandas as pd

# Of so many results expected, none at all comes by chance once in half a billion; where a group really has a quarter of the others' rate,
# once in a hundred and fifty.
LEAST_EXPECTED = 20.0
COLUMNS = ("observed", "exposure", "expected_peers", "expected_own", "expected")


def silent_groups(counts: pd.DataFrame, *, group: Sequence[str], part: Sequence[str], least: float = LEAST_EXPECTED) -> pd.DataFrame:
    """In which parts of which groups was nothing recorded, where others, or the group's own other parts, lead to expect much?

    Formula: expected by peers = exposure x results of the other groups in this part / their exposure; by itself = exposure x its results in its
    other parts / its exposure there; silent where none was observed and the larger of the two is `least` or more. A part (month) in which
    every group is silent is found by the groups' other parts.

    Parameters
    ----------
    counts
        One row per `group` and `part` columns: observed (results), exposure (cases, account-months).

    Returns
    -------
    The silent rows: group, part, and COLUMNS (expected: the larger). Sorted. Undefined expectations (nobody else, no other part) are 0.
    """
    keys = [*group, *part]
    table = counts[[*keys, "observed", "exposure"]].astype({"observed": float, "exposure": float})
    for name, by in (("expected_peers", list(part)), ("expected_own", list(group))):
        whole = table.groupby(by, dropna=False)[["observed", "exposure"]].transform("sum") if by else table[["observed", "exposure"]].sum()
        rest = {column: whole[column] - table[column] for column in ("observed", "exposure")}
        table[name] = (table["exposure"] * rest["observed"] / rest["exposure"].where(rest["exposure"] > 0)).fillna(0.0)
    table["expected"] = table[["expected_peers", "expected_own"]].max(axis=1)
    silent = table[(table["observed"] == 0) & (table["expected"] >= least)]
    return silent[[*keys, *COLUMNS]].sort_values(keys, ignore_index=True)
