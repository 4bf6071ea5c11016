"""Portfolio and flow as it is read: its tables, in the language of the page."""

from collections.abc import Sequence

import pandas as pd

from collect_analysis.book.store import Book
from collect_analysis.measures.flow import EXITS
from collect_analysis.measures.provision import CAUSES
from collect_analysis.measures.scopes import UNASSIGNED
from collect_analysis.portfolio.portfolio_flow.decision import CURED, ROLLED
from collect_analysis.portfolio.portfolio_flow.parameters import PortfolioFlow
from collect_analysis.portfolio.portfolio_flow.study import CASH, PROVISION
from collect_analysis.report import tables
from collect_analysis.report.texts import formats, phrase, say, value

# Rows of the table of what needs somebody; the file holds all.
MOST_ACTIONS = 15
OPENING, CLOSING = "opening", "closing"


def bucket_name(bucket: object, params: PortfolioFlow) -> str:
    """A bucket as read: the last one holds all from there on."""
    return f"{bucket}+" if str(bucket) == str(params.top_bucket) else str(bucket)


def product_names(book: Book, lang: str):
    """A function from product code to what a reader calls it."""
    codes = book.table("code")
    label_of = codes.label_en if lang == "en" else codes.label_vi.coalesce(codes.label_en)
    found = book.frame(codes.filter(codes.list.isin(["product", "product_code"])).select("code", label=label_of))
    named = dict(zip(found["code"], found["label"], strict=True))

    def name(code: str) -> str:
        return say("flow_no_product", lang) if code == UNASSIGNED else str(named.get(code, code))

    return name


def act_table(judged: pd.DataFrame, params: PortfolioFlow, book: Book) -> tables.ShownTable | tables.Absent:
    """What lies outside what ordinary months allow, worst first; or that nothing does, or why that cannot be said."""
    lang = params.lang
    outside = judged[judged["standing"].isin(["escalate", "watch", "better"])].head(MOST_ACTIONS)
    if outside.empty:
        known = (judged["standing"] != "unknown").any()
        return tables.Absent(say("flow_none_outside", lang) if known else phrase(str(judged["note"].iloc[0]), lang))
    names = product_names(book, lang)
    shown = outside.assign(
        product_name=[names(code) for code in outside["product_code"]],
        bucket=[bucket_name(bucket, params) for bucket in outside["from"]],
        flow_rate=outside["rate"],
        flow_standing=outside["standing"],
        accounts=outside["denominator"],
        unit="minor",
    )
    columns = [
        "flow_standing", "product_name", "bucket", "flow_rate", "accounts", "value", "centre", "watch_low", "watch_high", "beyond_minor",
    ]  # fmt: skip
    percent = ["value", "centre", "watch_low", "watch_high"]
    return tables.show(shown, lang=lang, columns=columns, percent=percent, by_unit=["beyond_minor"], currency=book.currency, compact=True)


def rate_columns(rates: pd.DataFrame, keys: Sequence[str]) -> pd.DataFrame:
    """Rates one column each: keys, accounts, rolled, cured."""
    base = rates.groupby(list(keys), as_index=False).agg(accounts=("denominator", "max"))
    for rate in (ROLLED, CURED):
        part = rates.loc[rates["rate"] == rate, [*keys, "value", "low", "high"]]
        part = part.rename(columns={"value": f"flow_{rate}", "low": f"flow_{rate}_low", "high": f"flow_{rate}_high"})
        base = base.merge(part, on=list(keys), how="left", validate="one_to_one")
    return base


RATE_COLUMNS = ("flow_rolled", "flow_rolled_low", "flow_rolled_high", "flow_cured", "flow_cured_low", "flow_cured_high")


def rates_table(rates: pd.DataFrame, params: PortfolioFlow) -> tables.ShownTable:
    """The last month by bucket."""
    wide = rate_columns(rates, ["from"])
    wide.insert(0, "bucket", [bucket_name(bucket, params) for bucket in wide["from"]])
    return tables.show(wide.drop(columns="from"), lang=params.lang, percent=RATE_COLUMNS)


def product_table(rates: pd.DataFrame, params: PortfolioFlow, book: Book) -> tables.ShownTable | tables.Absent:
    """The rates by product and bucket."""
    names = product_names(book, params.lang)
    wide = rate_columns(rates, ["product_code", "from"])
    wide = wide.rename(columns={"accounts": "flow_account_months"})
    wide.insert(0, "product_name", [names(code) for code in wide["product_code"]])
    wide.insert(1, "bucket", [bucket_name(bucket, params) for bucket in wide["from"]])
    return tables.show(wide.drop(columns=["product_code", "from"]), lang=params.lang, percent=RATE_COLUMNS)


def errors_table(errors: pd.DataFrame, params: PortfolioFlow) -> tables.ShownTable | tables.Absent:
    """How far earlier projections were off one month ahead and as far as could be tried, and how often the interval held."""
    if errors.empty:
        return tables.Absent(say("flow_no_backtest", params.lang))
    last = int(errors["step"].max())
    rows = []
    for state in [*sorted((name for name in set(errors["state"]) if str(name).isdigit()), key=int), *EXITS]:
        part = errors[errors["state"] == state]
        if part.empty:
            continue
        first, far = part[part["step"] == 1], part[part["step"] == last]
        row: dict[str, object] = {"flow_state": state_name(str(state), params)}
        row |= {"flow_projected_first": _first(first["projected"]), "flow_actual_first": _first(first["actual"])}
        row |= {"flow_projected_last": _first(far["projected"]), "flow_actual_last": _first(far["actual"])}
        row |= {"flow_held": int(part["held"].sum()), "flow_tried": int(part["forecasts"].sum())}
        rows.append(row)
    caption = say("flow_backtest_caption", params.lang, months=last)
    return tables.show(pd.DataFrame(rows).round(), lang=params.lang, caption=caption)


def money_table(
    money: pd.DataFrame, params: PortfolioFlow, book: Book, errors: pd.DataFrame | None = None
) -> tables.ShownTable | tables.Absent:
    """Cash of each coming month and provision at its end, under how often earlier forecasts of them held (`Review.money_errors`); or why
    there is neither.
    """
    lang = params.lang
    told = money[money["note"] == ""]
    if told.empty:
        why = [f"{value('flow_money', str(row['state']), lang)}: {phrase(str(row['note']), lang)}" for row in money.to_dict("records")]
        return tables.Absent("; ".join(why))
    base = pd.DataFrame({"flow_month": list(dict.fromkeys(told.sort_values("step")["month"]))})
    for state in (CASH, PROVISION):
        part = told.loc[told["state"] == state, ["month", "value", "low", "high"]]
        if len(part):
            part = part.rename(
                columns={"month": "flow_month", "value": f"flow_{state}", "low": f"flow_{state}_low", "high": f"flow_{state}_high"}
            )
            base = base.merge(part, on="flow_month", how="left", validate="one_to_one")
    names = [name for name in base.columns if name != "flow_month"]
    base["flow_month"] = [f"{month[5:]}/{month[:4]}" for month in base["flow_month"]]
    shown, caption = base.assign(unit="minor"), money_held(errors, lang)
    return tables.show(shown, lang=lang, columns=list(base.columns), by_unit=names, currency=book.currency, caption=caption, compact=True)


def money_held(errors: pd.DataFrame | None, lang: str) -> str:
    """How often earlier forecasts of cash and provision held, in a sentence; empty without one."""
    if errors is None or errors.empty:
        return ""
    parts = [
        say("flow_money_held", lang, what=value("flow_money", str(row["state"]), lang), held=row["held"], tried=row["forecasts"],
            off=formats.share(float(row["off"]), lang))
        for row in errors.to_dict("records")
    ]  # fmt: skip
    return say("flow_money_tried", lang, parts="; ".join(parts))


def fates_table(fates: pd.DataFrame, months: pd.DataFrame, params: PortfolioFlow) -> tables.ShownTable | tables.Absent:
    """Of 100 accounts in a bucket: how many come back to current, how many end how, and how long it takes on average."""
    buckets = list(dict.fromkeys(months["from"].sort_values()))
    base = pd.DataFrame({"bucket": [bucket_name(bucket, params) for bucket in buckets]}, index=buckets)
    back = fates[fates["end"] == "current"].set_index("from")
    base["flow_current"] = back["value"].reindex(buckets)
    base["flow_until_current"] = months[months["state"] == "current"].set_index("from")["value"].reindex(buckets)
    ended = [name for name in EXITS if name in set(fates["end"])]
    for name in ended:
        base[f"flow_{name}"] = fates[fates["end"] == name].set_index("from")["value"].reindex(buckets)
    whole = months[months["state"] == "all"].set_index("from")
    for column, source in (("flow_months", "value"), ("flow_months_low", "low"), ("flow_months_high", "high"), ("note", "note")):
        base[column] = whole[source].reindex(buckets)
    percent = ["flow_current", *[f"flow_{name}" for name in ended]]
    return tables.show(base.reset_index(drop=True), lang=params.lang, percent=percent)


def cures_table(cures: pd.DataFrame, params: PortfolioFlow, book: Book) -> tables.ShownTable | tables.Absent:
    """Which share of cures lasted: of all, by bucket cured from, by product."""
    lang = params.lang
    names = product_names(book, lang)
    written = {
        "all": lambda key: say("flow_all", lang),
        "bucket": lambda key: say("flow_from_bucket", lang, bucket=bucket_name(key, params)),
        "product": names,
    }
    scope = [written[kind](key) for kind, key in zip(cures["scope_type"], cures["scope_key"], strict=True)]
    shown = cures.assign(flow_scope=scope, flow_cures=cures["denominator"], flow_lasted=cures["value"], flow_left=cures["left"],
                         flow_lasted_low=cures["low"], flow_lasted_high=cures["high"], flow_km=cures["all_cohorts"])  # fmt: skip
    # The same remark on every row is read once.
    shown["note"] = shown["note"].mask(shown["note"].duplicated(), "")
    columns = ["flow_scope", "flow_cures", "flow_lasted", "flow_lasted_low", "flow_lasted_high", "flow_left", "flow_km"]
    return tables.show(shown, lang=lang, columns=columns, percent=["flow_lasted", "flow_lasted_low", "flow_lasted_high", "flow_km"])


def group_table(matrix: pd.DataFrame, params: PortfolioFlow) -> tables.ShownTable | tables.Absent:
    """Debtors by regulatory group at the start and the end of the last month."""
    lang = params.lang
    if "from_group" not in matrix:
        return tables.Absent(phrase(str(matrix["note"].iloc[0]), lang))
    wide = matrix.pivot(index="from_group", columns="to", values="value")  # noqa: PD010  (a repeated cell must fail)
    wide = wide[list(dict.fromkeys(matrix["to"]))]
    held = matrix.drop_duplicates("from_group").set_index("from_group")["cases"]
    names = {to: f"flow_to_{to}" for to in wide.columns}
    table = wide.rename(columns=names).reset_index().rename(columns={"from_group": "flow_group"})
    table.insert(1, "flow_debtors", held.reindex(table["flow_group"]).to_numpy())
    return tables.show(table.astype({"flow_group": str}), lang=lang, percent=list(names.values()))


def bridge_table(causes: pd.DataFrame, params: PortfolioFlow, book: Book) -> tables.ShownTable | tables.Absent:
    """Why provision moved: in the last month, and over all months read (`Review.causes`, as recorded)."""
    lang = params.lang
    if "cause" not in causes:
        return tables.Absent(phrase(str(causes["note"].iloc[0]), lang))
    whole, last = (causes[(causes["month"] == "all") == is_all].set_index("cause") for is_all in (True, False))
    rows = [{"flow_cause": OPENING, "flow_last_month": last["opening_minor"].max(), "flow_all_months": whole["opening_minor"].max()}]
    for cause in [name for name in CAUSES if name in whole.index]:
        now = last.loc[cause] if cause in last.index else {"count": 0, "amount_minor": 0.0}
        one = {"flow_last_month": now["amount_minor"], "flow_all_months": whole.loc[cause, "amount_minor"]}
        rows.append({"flow_cause": cause, "accounts": now["count"], **one})
    rows.append({"flow_cause": CLOSING, "flow_last_month": last["closing_minor"].max(), "flow_all_months": whole["closing_minor"].max()})
    shown = pd.DataFrame(rows, columns=["flow_cause", "accounts", "flow_last_month", "flow_all_months"]).assign(unit="minor")
    by_unit = ["flow_last_month", "flow_all_months"]
    return tables.show(shown, lang=lang, columns=list(shown.columns[:-1]), by_unit=by_unit, currency=book.currency, compact=True)


def memory_table(memory: pd.DataFrame, params: PortfolioFlow) -> tables.ShownTable | tables.Absent:
    """What accounts of a bucket do next, by how they came into it."""
    wide = rate_columns(memory, ["from", "came"])
    wide = wide.rename(columns={"came": "flow_came"})
    wide.insert(0, "bucket", [bucket_name(bucket, params) for bucket in wide["from"]])
    return tables.show(wide.drop(columns="from"), lang=params.lang, percent=RATE_COLUMNS)


def tests_table(order: pd.DataFrame, steadiness: pd.DataFrame, params: PortfolioFlow) -> tables.ShownTable | tables.Absent:
    """Both tests by bucket: does the bucket before matter, are months alike."""
    both = order.merge(steadiness, on="from", how="outer", suffixes=("_order", "_steady"))
    both["place"] = both["from"].map(lambda name: 99 if name == "all" else int(name))
    both = both.sort_values("place", ignore_index=True)
    lang = params.lang
    names = [say("flow_all_buckets", lang) if name == "all" else bucket_name(name, params) for name in both["from"]]
    shown = pd.DataFrame({"bucket": names, "cases": both["cases_order"].fillna(both["cases_steady"])})
    for test in ("order", "steady"):
        shown[f"flow_effect_{test}"] = both[f"effect_{test}"]
        # What is too small for the machine is small, not zero.
        shown[f"flow_p_{test}"] = both[f"p_value_{test}"].mask(both[f"p_value_{test}"] == 0, 1e-300)
    notes = both["note_order"].fillna("").where(both["note_order"].fillna("") != "", both["note_steady"].fillna(""))
    return tables.show(shown.assign(note=notes), lang=lang)


def state_name(state: str, params: PortfolioFlow) -> str:
    """A bucket or an exit as read."""
    return say("flow_bucket", params.lang, bucket=bucket_name(state, params)) if state.isdigit() else value("to", state, params.lang)


def _first(values: pd.Series) -> float:
    return float(values.iloc[0]) if len(values) else float("nan")
