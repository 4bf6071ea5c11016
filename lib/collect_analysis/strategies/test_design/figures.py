"""Figures of a test design."""

import pandas as pd
from matplotlib.axes import Axes

from collect_analysis.report import texts
from collect_analysis.report.figures import style
from collect_analysis.report.figures.curves import line_curves


def detectable_by_size(table: pd.DataFrame, *, lang: str, size: float) -> Axes:
    """How large must a test be before its detectable change reaches the margin?

    One line per outcome, without and with covariates; the margin lies across, the declared size upright. Columns: outcome, cases, detectable,
    detectable_adjusted, margin.
    """
    known = table.dropna(subset=["detectable"])
    if known.empty:
        return style.nothing(texts.say("design_no_sizes", lang))
    parts = []
    for column, word in (("detectable", ""), ("detectable_adjusted", texts.say("design_with_covariates", lang))):
        names = [", ".join(filter(None, (texts.value("outcome", str(item), lang), word))) for item in known["outcome"]]
        if not word or (known["detectable_adjusted"] < known["detectable"] * 0.999).any():
            parts.append(known[["cases"]].assign(value=known[column], curve=names))
    axes = line_curves(
        pd.concat(parts, ignore_index=True),
        x="cases",
        xlabel=texts.say("design_axis_accounts", lang),
        ylabel=texts.say("design_axis_detectable", lang),
        lang=lang,
        curve="curve",
        percent=True,
    )
    margin = float(known["margin"].iloc[0])
    axes.axhline(margin, color=style.MUTED, linewidth=1.0, linestyle="--", label=texts.label("margin", lang))
    axes.axvline(size, color=style.MUTED, linewidth=1.0, linestyle=":", label=texts.say("design_this_size", lang))
    axes.set_ylim(bottom=0)
    style.number_axis(axes.xaxis, lang)
    axes.legend(loc="upper right")
    return axes
