"""What a picture of a cut-off shows: mean outcomes of bins on both sides, and the two lines that the effect is read from."""

import numpy as np
import pandas as pd

from collect_analysis.methods.causal.discontinuity import Bandwidths, Side, Where, split
from collect_analysis.methods.causal.local_polynomial import fit_weights

_BINS = 20
_LINE = 25


def binned_means(
    cases: pd.DataFrame, *, cutoff: float, cutoff_belongs_to: Where, width: float, min_cases: int = 10, bins: int = _BINS
) -> pd.DataFrame:
    """How high is the outcome at each distance from the cut-off?

    Formula: within `width` of the cut-off each side is cut into bins of equal width, as many as leave `min_cases` cases in the median one,
    at most `bins`; a bin never holds cases of both sides. Columns: series ("cases"), side, running (mean), value (mean outcome), cases.
    Empty bins are left out. Raises DataError as `discontinuity.split`.
    """
    parts = []
    for side, name in zip(split(cases, cutoff=cutoff, cutoff_belongs_to=cutoff_belongs_to), ("below", "above"), strict=True):
        inside = np.abs(side.x) <= width
        x, y = side.x[inside], side.y[inside]
        count = int(np.clip(len(x) // min_cases, 1, bins))
        place = np.minimum((np.abs(x) / width * count).astype(int), count - 1)
        frame = pd.DataFrame({"place": place, "running": x + cutoff, "value": y})
        means = frame.groupby("place", as_index=False).agg(running=("running", "mean"), value=("value", "mean"), cases=("value", "size"))
        parts.append(means.assign(series="cases", side=name))
    table = pd.concat(parts, ignore_index=True).sort_values("running", ignore_index=True)
    return table[["series", "side", "running", "value", "cases"]]


def fitted_lines(below: Side, above: Side, widths: Bandwidths, *, cutoff: float) -> pd.DataFrame:
    """The local linear fits whose ends at the cut-off the effect is read from.

    Columns: series ("fit"), side, running, value; from the edge of the bandwidth, or the last case, to the cut-off.
    """
    parts = []
    for side, name, direction in ((below, "below", -1.0), (above, "above", 1.0)):
        level, slope = (float(fit_weights(side.x, order=1, bandwidth=widths.main, coefficient=place) @ side.y) for place in (0, 1))
        steps = direction * np.linspace(0, min(widths.main, float(np.abs(side.x).max())), _LINE)
        parts.append(pd.DataFrame({"series": "fit", "side": name, "running": steps + cutoff, "value": level + slope * steps}))
    return pd.concat(parts, ignore_index=True).sort_values(["side", "running"], ascending=[False, True], ignore_index=True)
