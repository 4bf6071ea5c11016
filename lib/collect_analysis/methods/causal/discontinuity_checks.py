"""Would the effect at a cut-off survive other choices? Covariates that must not jump, other bandwidths, cases at the cut-off left out."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from collect_analysis.errors import ParameterError
from collect_analysis.methods.causal.discontinuity import Bandwidths, Side, Where, jump, mse_bandwidths, sharp_discontinuity, split
from collect_analysis.methods.evidence import Condition
from collect_analysis.methods.rates.levels import CONFIDENCE
from collect_analysis.methods.rates.multiplicity import holm

_COLUMNS = ["check", "at", "estimate", "standard_error", "low", "high", "p_value", "bandwidth", "cases_below", "cases_above", "note"]
COVARIATE_LEVEL = 0.05


def covariate_placebo(
    running: ArrayLike, covariates: Mapping[str, ArrayLike], *, cutoff: float, cutoff_belongs_to: Where, level: float = CONFIDENCE
) -> pd.DataFrame:
    """Does anything jump at the cut-off that was settled before the treatment, and so must not?

    Formula: `sharp_discontinuity` with each covariate as outcome and its own bandwidths, robust row; p-values also adjusted by Holm.
    Shapes: running and each covariate (n,). Columns: covariate, estimate (above - below), standard_error, low, high, p_value,
    holm_p_value, bandwidth, cases_below, cases_above, note. Undefined (NaN + note) and errors as `sharp_discontinuity`.
    """
    rows = []
    for name, values in covariates.items():
        cases = pd.DataFrame({"running": np.asarray(running, dtype=float), "outcome": np.asarray(values, dtype=float)})
        result = sharp_discontinuity(cases, cutoff=cutoff, cutoff_belongs_to=cutoff_belongs_to, level=level)
        rows.append({"covariate": name, **result.effects.iloc[1].to_dict()})
    table = pd.DataFrame(rows, columns=["covariate", *_COLUMNS[2:]])
    table["holm_p_value"] = holm(table["p_value"])
    order = ["covariate", *_COLUMNS[2:7], "holm_p_value", *_COLUMNS[7:]]
    return table[order].sort_values("covariate", ignore_index=True)


def held_together(placebo: pd.DataFrame) -> pd.DataFrame:
    """Placebos that were computed apart as one table: p-values adjusted for all of them, rows by covariate."""
    return placebo.assign(holm_p_value=holm(placebo["p_value"])).sort_values("covariate", ignore_index=True)


def covariates_continuous(placebo: pd.DataFrame) -> Condition:
    """The condition that follows from `covariate_placebo`: no covariate jumps, at 5 % for all of them together, and else each could be tested."""
    jumping = placebo.loc[placebo["holm_p_value"] < COVARIATE_LEVEL, "covariate"].tolist()
    unknown = placebo.loc[placebo["p_value"].isna(), "covariate"].tolist()
    if unknown and not jumping:
        details = {"count": len(placebo), "untested": unknown}
        return Condition(name="covariates_tested", met=False, consequence="downgrade", details=details)
    details = {"count": len(placebo), "jumping": jumping}
    return Condition(name="covariates_smooth", met=not jumping, consequence="downgrade", details=details)


def bandwidth_sensitivity(
    cases: pd.DataFrame,
    *,
    cutoff: float,
    cutoff_belongs_to: Where,
    treated_side: Where = "above",
    multiples: Sequence[float] = (0.5, 0.75, 1.0, 1.25, 1.5, 2.0),
    level: float = CONFIDENCE,
) -> pd.DataFrame:
    """Does the effect hang on the bandwidth?

    Formula: the robust row at multiples of both data-driven bandwidths. Columns: check ("bandwidth"), at (the multiple), estimate,
    standard_error, low, high, p_value, bandwidth, cases_below, cases_above, note; rows by `at`.
    Undefined (NaN + note): too few distinct values inside. Raises DataError as `split`; ParameterError: a multiple not above 0.
    """
    if not all(multiple > 0 for multiple in multiples):
        raise ParameterError(f"multiples must be above 0, not {', '.join(f'{multiple:g}' for multiple in multiples)}.")
    below, above = split(cases, cutoff=cutoff, cutoff_belongs_to=cutoff_belongs_to)
    widths = _widths(below, above)
    rows = []
    for multiple in sorted(multiples):
        scaled = Bandwidths(widths.main * multiple, widths.bias * multiple) if widths else None
        rows.append({"check": "bandwidth", "at": multiple, **_robust(below, above, scaled, treated_side, level)})
    return pd.DataFrame(rows, columns=_COLUMNS)


def donut(
    cases: pd.DataFrame,
    *,
    cutoff: float,
    cutoff_belongs_to: Where,
    radii: Sequence[float],
    treated_side: Where = "above",
    level: float = CONFIDENCE,
) -> pd.DataFrame:
    """Does the effect hang on the cases closest to the cut-off, which are the easiest to move across it?

    Formula: the robust row without cases closer than each radius, at the bandwidths of all cases. Columns: check ("donut"), at (the
    radius, units of the running variable), then as `bandwidth_sensitivity`; rows by `at`.
    Undefined (NaN + note): too few distinct values left. Raises DataError as `split`; ParameterError: a radius below 0.
    """
    if not all(radius >= 0 for radius in radii):
        raise ParameterError(f"radii must not be below 0: {', '.join(f'{radius:g}' for radius in radii)}.")
    widths = _widths(*split(cases, cutoff=cutoff, cutoff_belongs_to=cutoff_belongs_to))
    rows = []
    for radius in sorted(radii):
        below, above = split(cases, cutoff=cutoff, cutoff_belongs_to=cutoff_belongs_to, donut=radius)
        rows.append({"check": "donut", "at": radius, **_robust(below, above, widths, treated_side, level)})
    return pd.DataFrame(rows, columns=_COLUMNS)


def sums_inside(cases: pd.DataFrame, *, cutoff: float, cutoff_belongs_to: Where, treated_side: Where, width: float) -> pd.DataFrame:
    """Sums of the outcomes within `width` of the cut-off by what the rule says, as `experiments.arm_means` takes them: the comparison
    of both sides that forgets that the outcome also moves with the running variable.

    Columns: arm (treated, untreated), cases, clusters, positive, sum_y, sum_y2, sum_yy, sum_yn, sum_nn. Raises DataError as `split`.
    """
    rows = []
    for side, name in zip(split(cases, cutoff=cutoff, cutoff_belongs_to=cutoff_belongs_to), ("below", "above"), strict=True):
        y = side.y[np.abs(side.x) < width]
        total, squares, count = float(y.sum()), float((y**2).sum()), len(y)
        row = {"arm": "treated" if name == treated_side else "untreated", "cases": count, "clusters": count, "positive": int((y > 0).sum())}
        rows.append({**row, "sum_y": total, "sum_y2": squares, "sum_yy": squares, "sum_yn": total, "sum_nn": count})
    return pd.DataFrame(rows)


# A local quadratic with a variance from three neighbours says nothing about fewer different values than this.
_MIN_INSIDE = 10


def _inside(side: Side, bandwidth: float) -> int:
    return len(np.unique(side.x[np.abs(side.x) < bandwidth]))


def _widths(below: Side, above: Side) -> Bandwidths | None:
    enough = min(_inside(below, np.inf), _inside(above, np.inf)) >= _MIN_INSIDE
    return mse_bandwidths(below, above) if enough else None


def _robust(below: Side, above: Side, widths: Bandwidths | None, treated_side: Where, level: float) -> dict[str, object]:
    if widths is None or min(_inside(side, widths.main) for side in (below, above)) < _MIN_INSIDE:
        width = widths.main if widths else float("nan")
        return {"bandwidth": width, "cases_below": 0, "cases_above": 0, "note": f"fewer than {_MIN_INSIDE} distinct values on a side"}
    sign = 1.0 if treated_side == "above" else -1.0
    return {str(name): value for name, value in jump(below, above, widths, level=level, sign=sign).iloc[1].items() if name in _COLUMNS}
