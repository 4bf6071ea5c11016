"""Portfolio and flow as it is computed: one review object, each of its tables made once."""

from collections.abc import Hashable, Sequence
from datetime import date
from functools import cached_property

import numpy as np
import pandas as pd

from collect_analysis.book.policy import policy
from collect_analysis.book.presence import absent, delivered, require
from collect_analysis.book.store import Book
from collect_analysis.measures import groups, provision
from collect_analysis.measures.expected import expected_of_stock
from collect_analysis.measures.flow import EXITS, MISSING
from collect_analysis.measures.periods import KpiWindows, Period, month_start
from collect_analysis.measures.scopes import Directory
from collect_analysis.measures.sustained_cure import after_cure, sustained
from collect_analysis.measures.transitions import Scope, Transitions, tet_months
from collect_analysis.methods.evidence import Condition, Grade, grade, refused
from collect_analysis.methods.forecast.control_band import control_bands
from collect_analysis.methods.forecast.markov import Chain, Total, chain_of, fan, fates, per_account, stays
from collect_analysis.methods.forecast.markov_backtest import COLUMNS, backtest, coverage, errors_by, learned, origins_of, widened
from collect_analysis.methods.forecast.markov_tests import departures, order_test, stationarity_test
from collect_analysis.methods.rates.levels import BAND
from collect_analysis.methods.rates.rates import rate_table
from collect_analysis.portfolio.portfolio_flow import decision
from collect_analysis.portfolio.portfolio_flow.parameters import PortfolioFlow

CASH, PROVISION = "cash", "provision"
RATE_KPI = {decision.ROLLED: "F1", decision.CURED: "F5"}
# How an account came into its bucket: from a better one, from the same, from a worse one.
CAME = ("from_better", "from_same", "from_worse")
LONG_STAY = "longer than the months read: an extrapolation"
NO_MOVE = "no account in this bucket"


class Review:
    """Everything the report says in numbers. Heavy steps run when first asked for, once."""

    def __init__(self, book: Book, params: PortfolioFlow) -> None:
        self.book, self.params = book, params
        self.period = Period(params.period_start, params.period_end)
        require(book, ("month_end",), (month_start(self.period.end, -1), self.period.end), asks="where accounts went in the last month")
        if book.has("payment"):
            require(book, ("payment",), self.period.month_starts, asks="what accounts of each bucket bring")
        self.windows = KpiWindows.of(policy("kpi_windows", on=params.period_end))
        scope = Scope(self.period, params.top_bucket, params.vintage, tuple(params.portfolios))
        self.flows = Transitions(book, scope)
        self.buckets = scope.buckets
        self.tet = tet_months(book, self.period)

    @cached_property
    def counts(self) -> pd.DataFrame:
        """Moves by month and product (`Transitions.counted`)."""
        return self.flows.counted("month", "product_code")

    @cached_property
    def _moves(self) -> pd.DataFrame:
        """Moves by month, of all products, without those whose next month end is missing."""
        known = self.counts[self.counts["to"] != MISSING]
        return known.groupby(["month", "from", "to"], as_index=False).agg(count=("count", "sum"))

    @cached_property
    def months(self) -> list[date]:
        """The closing month ends that moves are known of."""
        return sorted(self._moves["month"].unique())

    @cached_property
    def ends(self) -> tuple[str, ...]:
        """The exits that happened."""
        return tuple(name for name in EXITS if name in set(self._moves["to"]))

    @cached_property
    def fitted(self) -> pd.DataFrame:
        """The moves that make the projection."""
        return self._moves[self._moves["month"].isin(self.months[-self.params.fit_months :])]

    def chain(self, moves: pd.DataFrame) -> Chain:
        """These moves as a chain."""
        return chain_of(moves, states=self.buckets, ends=self.ends)

    def matrix(self) -> pd.DataFrame:
        """Where accounts went in a month, all months together: columns as `flow.roll_matrix`; re-aged accounts stand where they are."""
        known = self.counts.groupby(["from", "to"], as_index=False)[["count", "open_minor"]].sum()
        others = [name for name in (*EXITS, MISSING) if name in set(known["to"])]
        grid = pd.MultiIndex.from_product([self.buckets, [*self.buckets, *others]], names=["from", "to"])
        full = known.set_index(["from", "to"]).reindex(grid, fill_value=0).reset_index()
        full["cases"] = full.groupby("from")["count"].transform("sum")
        parts = []
        for version, column in (("count", "count"), ("balance", "open_minor")):
            behind = full["cases"] if version == "count" else full["count"]
            part = full[["from", "to", "cases"]].assign(version=version, numerator=full[column], accounts=behind)
            part["denominator"] = part.groupby("from")["numerator"].transform("sum")
            part = part if version == "count" else part.assign(low=np.nan, high=np.nan)
            parts.append(rate_table(part, undefined=NO_MOVE))
        table = pd.concat(parts, ignore_index=True).rename(columns={"from": "from_bucket"}).astype({"from_bucket": int})
        thin = (table["cases"] > 0) & (table["cases"] < self.params.few_accounts)
        table["note"] = table["note"].mask(thin, f"rests on fewer than {self.params.few_accounts} accounts")
        return table[["version", "from_bucket", "to", "numerator", "denominator", "value", "low", "high", "cases", "accounts", "note"]]

    def transitions(self) -> pd.DataFrame:
        """The matrices by product and vintage: product_code, vintage, from_bucket, to, numerator, denominator, value, low, high, open_minor."""
        found = self.flows.counted("product_code", "vintage")
        keys = ["product_code", "vintage", "from"]
        cells = found.groupby([*keys, "to"], as_index=False).agg(numerator=("count", "sum"), open_minor=("open_minor", "sum"))
        cells["denominator"] = cells.groupby(keys)["numerator"].transform("sum")
        return rate_table(cells, undefined=NO_MOVE).rename(columns={"from": "from_bucket"})

    @cached_property
    def bands(self) -> pd.DataFrame:
        """The rates of each bucket of the whole portfolio by month, with their control bands (`control_bands` of `flow_series`)."""
        whole = self.counts.groupby(["month", "from", "to", "state"], as_index=False)[["count", "open_minor"]].sum()
        series = decision.flow_series(whole, top_bucket=self.params.top_bucket, unlike=self.unlike, by=())
        return control_bands(series, by=["from", "rate"])

    @cached_property
    def product_bands(self) -> pd.DataFrame:
        """The same by product."""
        series = decision.flow_series(self.counts, top_bucket=self.params.top_bucket, unlike=self.unlike)
        return control_bands(series, by=decision.SERIES_KEYS)

    def judged(self) -> pd.DataFrame:
        """What of the last month needs somebody (`decision.flow.judged`); what rests on fewer than `min_cell` accounts is not judged."""
        rows = decision.judged(self.product_bands, last_month=self.params.period_end, few=self.params.few_accounts)
        small = rows["denominator"] < self.params.min_cell
        rows["standing"] = rows["standing"].mask(small, "unknown")
        for name in ("off", "stake_minor", "beyond_minor"):
            rows[name] = rows[name].mask(small)
        return rows

    def last_rates(self) -> pd.DataFrame:
        """The rates of the last month as measures: from, rate, kpi, value, low, high (95 %), numerator, denominator, note."""
        last = self.bands[self.bands["month"] == self.params.period_end]
        rates = rate_table(last[["from", "rate", "numerator", "denominator"]], undefined=NO_MOVE)
        return rates.assign(kpi=rates["rate"].map(RATE_KPI))

    @property
    def unlike(self) -> list[date]:
        """The months that the lunar new year moved."""
        return [month for month, marked in self.tet.items() if marked]

    def by_product(self) -> pd.DataFrame:
        """The rates of each bucket of each product over the months that make the projection, for those with `min_cell` accounts or more.

        Columns: product_code, from, rate, numerator, denominator, value, low, high, note.
        """
        recent = self.counts[self.counts["month"].isin(self.months[-self.params.fit_months :])]
        series = decision.flow_series(recent, top_bucket=self.params.top_bucket, unlike=[])
        pooled = series.groupby(decision.SERIES_KEYS, as_index=False)[["numerator", "denominator"]].sum()
        return rate_table(pooled, undefined=NO_MOVE)

    @cached_property
    def projected(self) -> pd.DataFrame:
        """Accounts by bucket and exit, cash and provision of the coming months (`markov.fan`, its bands `widened` by earlier errors); step 0
        is the end of the period.
        """
        today = self.flows.today().groupby("from")["count"].sum()
        parts = [self.chain(part) for _, part in self.fitted.groupby("month")]
        told = fan(
            self.chain(self.fitted),
            parts,
            {str(bucket): float(count) for bucket, count in today.items()},
            steps=self.params.project_months,
            draws=self.params.draws,
            seed=self.params.seed,
            level=BAND,
            totals=self._totals(self.params.period_end, self.months[-self.params.fit_months :]),
        )
        return widened(told, self.raw_backtest, level=BAND).drop(columns="errors_known")

    def _totals(self, origin: Hashable, used: Sequence[Hashable]) -> dict[str, Total]:
        """What accounts bring by where they stand, as known on `origin` from the months `used`."""
        totals = {}
        paid = self._cash_by_bucket
        paid = paid[paid["month"].isin(used)]
        if len(paid):
            by_month = [per_account(part, "cash_minor") for _, part in paid.groupby("month")]
            totals[CASH] = Total(pooled=per_account(paid, "cash_minor"), by_month=by_month, during=True)
        if not self.no_groups:
            held = self._held
            now = held[(held["origin"] == origin) & (held["step"] == 0)]
            totals[PROVISION] = Total(pooled=per_account(now, "provision_minor"))
        return totals

    @cached_property
    def _cash_by_bucket(self) -> pd.DataFrame:
        return self.flows.cash_by_bucket()

    @cached_property
    def origins(self) -> list[date]:
        """The month ends from which a projection is tried."""
        return origins_of(self.months)

    @cached_property
    def _held(self) -> pd.DataFrame:
        """Provision of the accounts open at each origin and at the end of the period, then and later (`provision.held_after`)."""
        days = [*self.origins, self.params.period_end]
        return provision.held_after(self.flows, self.windows.provision_rates, days, horizon=self.params.project_months)

    @cached_property
    def expected(self) -> pd.DataFrame:
        """What the accounts open today should bring next month, account by account: the figure targets are set from (`expected_of_stock`)."""
        return expected_of_stock(self.book, month_start(self.params.period_end, 1), portfolios=self.params.portfolios)

    @property
    def people(self) -> int:
        """How many accounts are open today: what every projection rests on."""
        return int(self.flows.today()["count"].sum())

    def projection(self) -> pd.DataFrame:
        """The accounts of `projected`: step, state, value, low, high, note."""
        return self.projected[~self.projected["state"].isin([CASH, PROVISION])].reset_index(drop=True)

    def money(self) -> pd.DataFrame:
        """Cash by month and provision at its end, of the accounts open today: step, month, state, value, low, high, note (why there is none)."""
        found = self.projected[self.projected["state"].isin([CASH, PROVISION])].reset_index(drop=True)
        reasons = {CASH: absent(self.book, ("payment",)), PROVISION: self.no_groups}
        why = [{"step": 1, "state": state, "note": reason} for state, reason in reasons.items() if reason]
        table = pd.concat([found, pd.DataFrame(why, columns=["step", "state", "note"])], ignore_index=True) if why else found
        table["month"] = [f"{month_start(self.params.period_end, int(step)):%Y-%m}" for step in table["step"]]
        return table[["step", "month", "state", "value", "low", "high", "note"]]

    @cached_property
    def no_groups(self) -> str:
        """Why provision cannot be told; empty where it can."""
        return provision.group_reason(self.flows)

    @cached_property
    def raw_backtest(self) -> pd.DataFrame:
        """Projections of earlier months against what happened, accounts, cash and provision, with the bands of the fan alone
        (`markov_backtest.backtest`).
        """
        if not self.origins:
            return pd.DataFrame(columns=COLUMNS)
        later = self.flows.positions(self.origins, horizon=self.params.project_months)
        later = self.flows.delivered(later[later["state"] != MISSING], "month_end")
        return backtest(
            self._moves,
            pd.concat([later, *self._came()], ignore_index=True),
            states=self.buckets,
            ends=self.ends,
            fit_months=self.params.fit_months,
            draws=self.params.draws,
            seed=self.params.seed,
            level=BAND,
            totals=self._totals,
        )

    def _came(self) -> list[pd.DataFrame]:
        """Cash and provision that came after each origin, as positions: origin, step, state, count (minor units)."""
        cash = self.flows.cash_after(self.origins, horizon=self.params.project_months).rename(columns={"cash_minor": "count"})
        cash = self.flows.delivered(cash, "payment")
        parts = [cash.assign(state=CASH)] if len(cash) else []
        if not self.no_groups:
            held = self._held[(self._held["step"] > 0) & self._held["origin"].isin(self.origins)]
            held = self.flows.delivered(held.groupby(["origin", "step"], as_index=False)[["provision_minor"]].sum(), "month_end")
            parts.append(held.rename(columns={"provision_minor": "count"}).assign(state=PROVISION))
        return parts

    @cached_property
    def _learned(self) -> pd.DataFrame:
        return learned(self.raw_backtest, level=BAND)

    @cached_property
    def backtest(self) -> pd.DataFrame:
        """The accounts of earlier projections, with the bands that the errors before each would have given (`markov_backtest.learned`)."""
        return self._learned[~self._learned["state"].isin([CASH, PROVISION])].reset_index(drop=True)

    def money_errors(self) -> pd.DataFrame:
        """The same for cash and provision, by state: held, forecasts, covered, low, high, projected, actual, bias, off."""
        return errors_by(self._learned[self._learned["state"].isin([CASH, PROVISION])], by=["state"])

    @cached_property
    def covered_alone(self) -> float:
        """How often the bands of the fan alone would have held, of the same forecasts."""
        keys = ["origin", "step", "state"]
        return coverage(self.raw_backtest.merge(self.backtest[keys], on=keys, how="inner", validate="one_to_one"))

    def errors(self) -> pd.DataFrame:
        """How far earlier projections were off, by months ahead and state (`errors_by`); fewer than `min_cell` accounts are not told."""
        table = errors_by(self.backtest, by=["step", "state"])
        small = table["actual"] < self.params.min_cell
        return table.assign(**{name: table[name].mask(small) for name in ("projected", "actual", "bias", "off")})

    def fates(self) -> pd.DataFrame:
        """How each bucket ends: from, end, value, low, high (share), cases, note. `current`: back to bucket 0 before any exit."""
        first = chain_of(self.fitted[self.fitted["from"] != "0"], states=self.buckets[1:], ends=("0", *self.ends))
        back = fates(first)
        back = back[back["end"] == "0"].assign(end="current")
        last = fates(self.chain(self.fitted)) if self.ends else pd.DataFrame(columns=back.columns)
        parts = [part for part in (back, last) if len(part)]
        return pd.concat(parts, ignore_index=True).drop(columns="standard_error")

    def months_left(self) -> pd.DataFrame:
        """How long: from, state (`current`: months until bucket 0 or an exit; `all`: until an exit), value, low, high, cases, note."""
        first = chain_of(self.fitted[self.fitted["from"] != "0"], states=self.buckets[1:], ends=("0", *self.ends))
        back = stays(first)
        back = back[back["state"] == "all"].assign(state="current")
        whole = stays(self.chain(self.fitted))
        table = pd.concat([back, whole[whole["state"] == "all"]], ignore_index=True).drop(columns="standard_error")
        long = (table["value"] > self.period.months) & (table["note"] == "")
        return table.assign(note=table["note"].mask(long, LONG_STAY))

    @cached_property
    def after_cure(self) -> pd.DataFrame:
        """What became of cures (`sustained_cure.after_cure`)."""
        return after_cure(self.flows, follow=max(self.params.follow_months, self.windows.sustained_months))

    def cures(self) -> pd.DataFrame:
        """Which share of cures lasted, by bucket and by product (`sustained_cure.sustained`): scope_type, scope_key and its columns."""
        months = self.windows.sustained_months
        parts = []
        for scope, column in (("all", None), ("bucket", "from"), ("product", "product_code")):
            found = sustained(self.after_cure, months=months, last_month=self.params.period_end, by=[column] if column else [])
            parts.append(found.rename(columns={column or "": "scope_key"}).assign(scope_type=scope))
        table = pd.concat(parts, ignore_index=True)
        table["scope_key"] = table["scope_key"].fillna("all")
        for name in ("left", "all_cohorts"):
            table[name] = table[name].mask(table["denominator"] < self.params.min_cell)
        names = ["scope_type", "scope_key", "numerator", "denominator", "value", "low", "high", "left", "all_cohorts", "note"]
        return table[names]

    def group_matrix(self) -> pd.DataFrame:
        """From which regulatory group to which debtors moved in the last month (`groups.group_migration`), or why there is none."""
        if self.no_groups:
            return pd.DataFrame({"note": [self.no_groups]})
        last = Period(self.params.period_end.replace(day=1), self.params.period_end)
        facts = groups.group_facts(self.book, Directory.of(self.book, last.end), last, self.windows)
        return groups.group_migration(self.book, facts)

    @cached_property
    def bridge(self) -> pd.DataFrame:
        """Why specific provision moved, month by month (`provision.provision_bridge`), or why that cannot be told."""
        if self.no_groups:
            return pd.DataFrame({"note": [self.no_groups]})
        return provision.provision_bridge(provision.exposures(self.flows), self.windows.provision_rates)

    def causes(self) -> pd.DataFrame:
        """The bridge in the last month and over all months (`provision.last_and_all`); or why it cannot be told."""
        return provision.last_and_all(self.bridge, self.params.period_end) if "cause" in self.bridge else self.bridge

    @cached_property
    def order(self) -> pd.DataFrame:
        """Whether the bucket before matters (`order_test`)."""
        return order_test(self._triples)

    @cached_property
    def _triples(self) -> pd.DataFrame:
        found = self.flows.counted("previous")
        return found[found["to"] != MISSING]

    def memory(self) -> pd.DataFrame:
        """What happened next by how the account came into its bucket: from, came, rate, numerator, denominator, value, low, high, note."""
        before, now = self._triples["previous"].astype(int), self._triples["from"].astype(int)
        came = np.select([before < now, before == now], CAME[:2], default=CAME[2])
        series = decision.flow_series(
            self._triples.assign(came=came, month=self.params.period_end), top_bucket=self.params.top_bucket, unlike=[], by=("came",)
        )
        table = rate_table(series.drop(columns=["month", "unlike", "open_minor"]), undefined=NO_MOVE)
        return table.sort_values(["from", "came", "rate"], ignore_index=True)

    @cached_property
    def steadiness(self) -> pd.DataFrame:
        """Whether months are alike (`stationarity_test`)."""
        return stationarity_test(self._moves)

    def months_apart(self) -> pd.DataFrame:
        """How unlike the others each month was (`departures`), with the months the lunar new year moved marked: month, cases, effect, tet."""
        found = departures(self._moves)
        return found.assign(tet=[bool(self.tet.get(month, False)) for month in found["month"]])

    @cached_property
    def conditions(self) -> list[Condition]:
        """What must hold for the projection and the bands."""
        return [
            delivered(absent(self.book, ("month_end", "payment"), self.period.month_starts), consequence="downgrade"),
            decision.complete(self.counts),
            decision.enough_months(self.product_bands),
            decision.first_order(self.order),
            decision.stationary(self.steadiness, departures(self._moves)),
            decision.forecasts_hold(coverage(self.backtest), errors_by(self.backtest, by=["step"]), level=BAND, alone=self.covered_alone),
        ]

    @property
    def grade(self) -> Grade:
        """Facts, not effects: nothing here was compared with what would have happened otherwise."""
        return grade("raw", self.conditions)

    @property
    def refused(self) -> bool:
        """Whether a condition leaves no answer."""
        return bool(refused(self.conditions))
