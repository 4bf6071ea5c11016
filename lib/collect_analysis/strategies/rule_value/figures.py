"""Figure of the value of rules."""

from collections.abc import Mapping

import pandas as pd
from matplotlib.axes import Axes

from collect_analysis.report import texts
from collect_analysis.report.figures import style
from collect_analysis.report.figures.intervals import interval_plot


def values_beside_the_log(
    table: pd.DataFrame, *, names: Mapping[str, str], proposed: list[str], outcome: str, lang: str, currency: str
) -> Axes:
    """Which rule would have brought more than what was done? What was done on top and as the dashed line, then each rule.

    Takes the rows of `policy_value.estimate_table` with column unit: logged and doubly_robust are drawn, proposed rules stand out.
    """
    drawn = table[table["estimator"].isin(["logged", "doubly_robust"])].reset_index(drop=True)
    if drawn["value"].iloc[1:].isna().all():
        return style.nothing(texts.say("rule_no_value", lang))
    drawn = drawn.assign(label=[names[str(rule)] for rule in drawn["rule"]], own=drawn["rule"].isin(proposed))
    axes = interval_plot(
        drawn,
        label="label",
        xlabel="",
        lang=lang,
        reference=float(drawn["value"].iloc[0]),
        highlight="own",
    )
    style.outcome_axis(axes.xaxis, str(drawn["unit"].iloc[0]), outcome, currency=currency, lang=lang)
    return axes
