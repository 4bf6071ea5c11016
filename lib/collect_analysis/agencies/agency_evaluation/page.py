"""An agency evaluation as its notebook tells it: what the report file sets, tables with names, the plan, the decision in words."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import date

import pandas as pd

from collect_analysis.agencies import audit_gates, checks, gates as partners, inputs, recording_gaps, unit_periods, units as panel_units
from collect_analysis.agencies.agency_evaluation.page_views import HEADINGS, VIEWS, partner_table
from collect_analysis.agencies.agency_evaluation.parameters import AgencyEvaluation
from collect_analysis.agencies.batch_triangle import POOLED
from collect_analysis.agencies.comparison import Belief
from collect_analysis.agencies.placement_balance import drawn_balance
from collect_analysis.agencies.placement_policy import AuditRule, GateLimits, PanelPolicy
from collect_analysis.agencies.score import ScorePolicy
from collect_analysis.agencies.shares import INSIDE, PlacementPlan, SharePolicy, UnitStanding, propose_shares
from collect_analysis.book.policy import in_force, policy
from collect_analysis.book.store import Book
from collect_analysis.errors import DataError, nearest
from collect_analysis.measures import lot, placements
from collect_analysis.measures.conduct import LegalLimits
from collect_analysis.measures.periods import Period, month_end
from collect_analysis.measures.placements import RANDOM, Panel
from collect_analysis.methods.evidence import Condition, grade
from collect_analysis.methods.profiling import profiling
from collect_analysis.report import tables
from collect_analysis.report.conditions import causes, worded
from collect_analysis.report.recording import Decision
from collect_analysis.report.texts import formats, heading, phrase, say, value

SHARE_COLUMNS = (
    "unit_key", "share_now", "share_next", "change", "net_index", "low", "high", "p_above", "p_best", "gate_status", "gates", "why",
    "bound",
)  # fmt: skip
# A change smaller than this is not worth a sentence; it stays in the table.
WORTH_SAYING = 0.005
# Reasons that say nothing about a unit: its share moves little, with the others.
QUIET = ("not_distinguishable", "not_judged")


class AgencyPage:
    """What the report file and the policy in force on `as_of` set for one evaluation, and how its tables are shown.

    Raises
    ------
    DataError
        The panel or `champion` names a unit the book does not know, payments are in several currencies, or a policy is missing or malformed.
    """

    def __init__(self, book: Book, params: AgencyEvaluation) -> None:
        self.params, self.lang, self.currency, self.has_totals = params, params.lang, book.currency, book.has("unit_period")
        panel_units.refuse_mixed_currencies(book)
        known = partners.register(book)
        self.names = {**dict(zip(known["unit_key"], known["unit_name"], strict=True)), POOLED: say("agency_all_units", params.lang)}
        self.names[INSIDE] = say("agency_inside", params.lang)
        unknown = [unit for unit in [*params.units, *filter(None, [params.champion])] if unit not in self.names]
        if unknown:
            raise DataError([f"units: the book has no unit '{unit}'; {nearest(unit, sorted(self.names))}" for unit in unknown])
        self.panel = Panel(start=params.period_start, end=params.period_end, horizon=params.horizon_months, units=tuple(params.units))
        inputs.require_inputs(book, self.panel)
        values = policy("placement", on=params.as_of)
        self.shares = SharePolicy.of(values["share"])
        self.gates = GateLimits.of(values["gates"])
        self.score = ScorePolicy.of(values.get("score", {}))
        looked = PanelPolicy.of(values)
        self.window = partners.ConductWindow.of(self.panel, months=looked.conduct_months)
        self.audit = AuditRule.of(values["audit"]) if "audit" in values else None
        self.belief = Belief(prior_sd=looked.prior_sd, seed=params.seed)
        self.share_months, self.recall_threshold = looked.share_now_months, looked.recall_threshold
        # Limits on contacts are asked for only where there are contacts to judge: a source of unit totals may be older than any of them.
        judged = in_force("legal_limits", start=self.window.start, end=self.window.end) if book.has("contact") else ()
        self.limits = [LegalLimits.of(version) for version in judged]

    def named(self, table: pd.DataFrame) -> pd.DataFrame:
        """The table with the units' names beside their keys and days as days."""
        shown = table.copy()
        for column in shown.select_dtypes("datetime").columns:
            shown[column] = shown[column].dt.date
        if "unit_key" in shown.columns and "unit_name" not in shown.columns:
            shown.insert(1, "unit_name", [self.names.get(key, key) for key in shown["unit_key"]])
        return shown

    def show(self, view: str, table: pd.DataFrame) -> tables.ShownTable | tables.Absent:
        """A recorded table as a manager reads it, or the reason why the book cannot fill it."""
        chosen = VIEWS[view]
        if table.empty and view == "rates" and self.has_totals:
            return tables.show(pd.DataFrame({"note": [say("agency_no_exceptions", self.lang)]}), lang=self.lang)
        if table.empty:
            return tables.Absent(say(chosen.absent, self.lang))
        shown = self._told(table, view).rename(columns={"cases": "accounts", **HEADINGS.get(view, {})})
        return tables.show(
            shown, lang=self.lang, columns=chosen.columns, percent=chosen.percent, by_unit=chosen.by_unit, currency=self.currency
        )

    def _told(self, table: pd.DataFrame, view: str) -> pd.DataFrame:
        """The rows of a table whose codes name other codes in words: checks of the expectation, on one or two factors and their levels."""
        if view != "calibration":
            return table
        names = [" × ".join(value("agency_factor_name", name, self.lang) for name in str(code).split(" & ")) for code in table["factor"]]
        levels = [
            " × ".join(
                value(f"agency_{name}", level, self.lang) for name, level in zip(factor.split(" & "), str(code).split(" & "), strict=True)
            )
            for factor, code in zip(table["factor"], table["worst_level"], strict=True)
        ]
        return table.assign(factor=names, worst_level=levels)

    def show_partners(self, table: pd.DataFrame) -> tables.ShownTable | tables.Absent:
        """Measures of partners side by side, one column per agency."""
        return partner_table(table, lang=self.lang, currency=self.currency) if len(table) else self.show("gates", table)

    def champion(self, share_now: pd.Series) -> str:
        """With whom the others are compared: the unit of the report file, else the one with the largest share now ('' without a flow)."""
        return self.params.champion or (str(share_now.idxmax()) if len(share_now) and share_now.sum() > 0 else "")

    def show_mix(self, table: pd.DataFrame) -> tables.ShownTable | tables.Absent:
        """The channels side by side, one row per unit and one for all units, as a manager reads them."""
        if table.empty:
            return self.show("mix", table)
        columns = list(dict.fromkeys(table["component"]))
        wide = table.set_index(["unit_name", "component"])["value"].unstack()[columns].reset_index()  # noqa: PD010 - one value per cell
        wide["note"] = wide["unit_name"].map(table[table["note"] != ""].groupby("unit_name")["note"].agg("; ".join)).fillna("")
        pooled = table.drop_duplicates("component").set_index("component")["pooled"][columns]
        everyone = {"unit_name": say("agency_all_units", self.lang), **pooled, "note": ""}
        shown = pd.concat([wide, pd.DataFrame([everyone])], ignore_index=True)
        shown.columns = ["unit_name", *(named := [heading(str(name)) for name in columns]), "note"]
        return tables.show(shown, lang=self.lang, columns=["unit_name", *named], percent=named)

    def conditions(
        self,
        book: Book,
        *,
        held: pd.DataFrame,
        found: pd.DataFrame,
        rows: pd.DataFrame,
        continuity: pd.DataFrame,
        age: int,
        basis: str,
        beside: Sequence[Condition] = (),
    ) -> list[Condition]:
        """What must hold for the answer: of placements by account, or of unit totals where the book has no placements; then those `beside`."""
        if held.empty and len(rows):
            silent = unit_periods.recording_gaps(rows, months_needed=self.params.slow_components)
            return worded([*beside, *checks.of_totals(rows, unit_periods.identity_gaps(rows), continuity, silent)], self.lang)
        drift = profiling.allocation_drift(placements.draws(book, self.panel))
        lost = placements.unusable(book, self.panel)
        silent = recording_gaps.silent_months(book, self.panel)
        placed = checks.of_placements(held, found, drift, lost, silent, panel=self.panel, age=age, basis=basis, names=self.names)
        return worded([*placed, *self._drawn_alike(book, basis), inputs.delivered_all(book, self.panel, self.window), *beside], self.lang)

    def _drawn_alike(self, book: Book, basis: str) -> list[Condition]:
        """Whether the placements that the answer takes for drawn were alike between agencies; nothing where it rests on chosen ones."""
        drawn = drawn_balance(book, self.panel) if basis == RANDOM else None
        return lot.drawn_alike(drawn) if drawn is not None else []

    def section_conditions(
        self,
        noted: pd.DataFrame,
        early: Mapping[str, int],
        tests: pd.DataFrame,
        believable: pd.DataFrame,
        spread: pd.DataFrame,
        sides: pd.DataFrame,
        projected: pd.DataFrame,
        *,
        basis: str,
    ) -> list[Condition]:
        """What the sections beside the index found; none where the book has no placements. See `panel_checks.of_sections`."""
        if projected.empty:
            return []
        found = checks.of_sections(
            noted=noted,
            early=early,
            tests=self._told(tests, "calibration"),
            standings=believable.set_index("unit_key")["standing"],
            spread=spread,
            sides=sides,
            projected=projected,
            basis=basis,
            names=self.names,
        )
        return worded(found, self.lang)

    def gated(self, book: Book, contacts: pd.DataFrame) -> pd.DataFrame:
        """Every gate of every unit: conduct (`partners.gates`) and, where the policy asks for it, what the integrity check and the invoices of
        the same months found (`audit_gates`).
        """
        conduct = partners.gates(book, self.panel, contacts, window=self.window, limits=self.gates)
        units = sorted(conduct["unit_key"].unique())
        if self.audit is None or not units:
            return conduct
        period = audit_gates.audit_period(Period(self.panel.start, self.panel.end), self.audit)
        beside = audit_gates.audit_gates(audit_gates.audit_facts(book, period), units, self.audit)
        return pd.concat([conduct, beside], ignore_index=True).sort_values(["unit_key", "gate"], ignore_index=True)

    def plan(
        self,
        share_now: pd.Series,
        net: pd.DataFrame,
        standing: pd.DataFrame,
        conditions: Sequence[Condition],
        *,
        basis: str,
        most: Mapping[str, float] | None = None,
    ) -> PlacementPlan | None:
        """The proposal for the next period, None where there is no flow to share.

        `share_now`: of `placements.shares_now`; `net`: of `comparison.believed` on the net index; `standing`: of `partners.standing`; `most`:
        the largest share a unit has room for (not named: all of it).
        """
        if share_now.empty or share_now.sum() == 0:
            return None
        found = {row["unit_key"]: row for row in net.to_dict("records")}
        gate = {row["unit_key"]: row for row in standing.to_dict("records")}
        units = [
            UnitStanding(
                unit_key=str(key),
                share_now=float(share),
                net_index=_known(found.get(key, {}).get("value")),
                sd=_known(found.get(key, {}).get("sd")),
                low=_known(found.get(key, {}).get("low")),
                high=_known(found.get(key, {}).get("high")),
                gate=gate[key]["status"],
                gates=gate[key]["gates"],
                most=(most or {}).get(str(key), 1.0),
            )
            for key, share in share_now.items()
        ]
        return propose_shares(units, policy=self.shares, conditions=conditions, randomised=basis == RANDOM)

    def plan_table(self, plan: PlacementPlan | None, net: pd.DataFrame, standing: pd.DataFrame) -> pd.DataFrame:
        """The proposal, one row per unit: see SHARE_COLUMNS (low, high: of the net index). Empty without a plan."""
        if plan is None:
            return pd.DataFrame(columns=list(SHARE_COLUMNS))
        table = pd.DataFrame([asdict(step) for step in plan.steps]).rename(columns={"reason": "why"})
        found = net[["unit_key", "value", "low", "high", "p_above", "p_best"]].rename(columns={"value": "net_index"})
        status = standing[["unit_key", "status"]].rename(columns={"status": "gate_status"})
        table = table.merge(found, on="unit_key", how="left", validate="one_to_one")
        return table.merge(status, on="unit_key", how="left", validate="one_to_one")[list(SHARE_COLUMNS)]

    def decision(
        self, plan: PlacementPlan | None, planned: pd.DataFrame, believed: pd.DataFrame, conditions: Sequence[Condition]
    ) -> Decision:
        """What somebody is asked to sign: the shares, why, how sure, and what will be checked."""
        unmet = [condition for condition in conditions if not condition.met]
        caveats = tuple(condition.detail for condition in unmet)
        question = say("agency_question", self.lang)
        if plan is None:
            why, months = self._no_plan(believed), formats.number(self.share_months, self.lang)
            return Decision(
                question=question,
                answer=say(f"agency_answer_{why}", self.lang, months=months),
                confidence=say(f"agency_confidence_{why}", self.lang),
                grade=grade("raw", conditions),
                caveats=caveats,
                action={
                    "share_change": say("agency_no_change", self.lang),
                    "to_answer": phrase(unmet[-1].remedy, self.lang) if unmet else "",
                },
            )
        named = self.named(planned).assign(key=planned["unit_key"])
        return Decision(
            question=question,
            answer=self._answer(plan, named, unmet),
            confidence=self._confidence(plan, named, believed),
            grade=plan.grade,
            caveats=(*self._about(plan, named), *caveats, say("agency_caveat_credit", self.lang)),
            forecast=self._forecast(plan, named),
            action={
                **({} if plan.kept_inside else {"exploration_share": plan.exploration_share}),
                "shares": named[["unit_name", "key", "share_now", "share_next"]].to_dict("records"),
            },
        )

    def _no_plan(self, believed: pd.DataFrame) -> str:
        """Why there is no flow to share: totals are all there is, nothing was placed at all, or nothing lately."""
        if len(believed):
            return "no_flow"
        return "totals" if self.has_totals else "no_placements"

    def _answer(self, plan: PlacementPlan, named: pd.DataFrame, unmet: Sequence[Condition]) -> str:
        if plan.kept_inside:
            return say("agency_answer_nobody", self.lang)
        if plan.floor_asks and not plan.proposed:
            return say("agency_answer_floor", self.lang, **self._floor(plan))
        if not plan.proposed:
            why = causes(unmet, self.lang)
            return say("agency_answer_refused" if why else "agency_answer_kept", self.lang, grade=plan.grade, why=why)
        moved = named[named["change"].abs() >= WORTH_SAYING].sort_values("change", ascending=False)
        if moved.empty:
            return say("agency_answer_same", self.lang)
        quiet = moved["why"].isin(QUIET)
        told = moved[~quiet]
        parts = [self._group(str(why), told[told["why"] == why]) for why in dict.fromkeys(told["why"])]
        if quiet.any():
            most = formats.share(float(moved.loc[quiet, "change"].abs().max()), self.lang, digits=0)
            parts.append(say("agency_step_rest", self.lang, units=", ".join(moved.loc[quiet, "unit_name"]), most=most))
        return say("agency_answer_move", self.lang, steps="; ".join(parts))

    def _group(self, why: str, moved: pd.DataFrame) -> str:
        """The units that move for one reason, in one breath."""
        steps = [
            say(
                "agency_step",
                self.lang,
                unit=row["unit_name"],
                now=formats.share(row["share_now"], self.lang, digits=0),
                next=formats.share(row["share_next"], self.lang, digits=0),
            )
            for row in moved.to_dict("records")
        ]
        return say("agency_steps", self.lang, steps=", ".join(steps), why=say(f"agency_why_{why}", self.lang))

    def _gates(self, held: pd.DataFrame) -> str:
        """The gates that some units stand at, in words, each once."""
        codes = dict.fromkeys(code for gates in held["gates"] for code in str(gates).split(", "))
        return ", ".join(value("gate", code, self.lang) for code in codes)

    def _confidence(self, plan: PlacementPlan, named: pd.DataFrame, believed: pd.DataFrame) -> str:
        known = named.dropna(subset=["p_best"]).sort_values("p_best", ascending=False)
        if known.empty or plan.grade == "none":
            return say("agency_confidence_none", self.lang)
        best, months = known.iloc[0], believed["months_to_separate"].dropna()
        return say(
            "agency_confidence",
            self.lang,
            unit=best["unit_name"],
            p_best=formats.share(best["p_best"], self.lang, digits=0),
            index=formats.number(best["net_index"], self.lang, digits=2),
            low=formats.number(best["low"], self.lang, digits=2),
            high=formats.number(best["high"], self.lang, digits=2),
            least=formats.number(months.min(), self.lang),
            most=formats.number(months.max(), self.lang),
        )

    def _floor(self, plan: PlacementPlan) -> dict[str, str]:
        """The floor of the policy, what it asks for everybody together, and the highest one that fits."""
        floor = self.shares.floor
        numbers = {"floor": floor, "asked": plan.floor_asks, "most": floor / plan.floor_asks}
        return {name: formats.share(number, self.lang, digits=1) for name, number in numbers.items()}

    def _about(self, plan: PlacementPlan, named: pd.DataFrame) -> list[str]:
        about = [say("agency_answer_floor", self.lang, **self._floor(plan))] if plan.floor_asks and plan.proposed else []
        gated = named[named["why"].isin(["gate_fail", "blocked"])]
        if len(gated):
            about.append(say("agency_caveat_gate", self.lang, units=", ".join(gated["unit_name"])))
        held = named[named["gate_status"] == partners.AUDIT]
        if len(held):
            about.append(say("agency_caveat_audit", self.lang, units=", ".join(held["unit_name"]), gates=self._gates(held)))
        if plan.relaxed:
            about.append(say("agency_caveat_relaxed", self.lang))
        young = named[named["why"] == "not_judged"]
        if len(young):
            about.append(say("agency_caveat_not_judged", self.lang, units=", ".join(young["unit_name"])))
        return about

    def _forecast(self, plan: PlacementPlan, named: pd.DataFrame) -> dict[str, object]:
        judged = named.dropna(subset=["net_index"])
        if not plan.proposed or plan.kept_inside or judged.empty:
            return {}
        due: date = month_end(self.params.period_end, self.share_months + self.params.horizon_months)
        columns = ["unit_name", "key", "net_index", "low", "high"]
        return {"check_on": due.isoformat(), "horizon_months": self.params.horizon_months, "units": judged[columns].to_dict("records")}


def forest_table(found: pd.DataFrame, believed: pd.DataFrame) -> pd.DataFrame:
    """The shrunken index of every unit beside its plain one: the table of `comparison.believed` and `ratio`, `ratio_low`, `ratio_high`."""
    plain = found[["unit_key", "value", "low", "high"]].rename(columns={"value": "ratio", "low": "ratio_low", "high": "ratio_high"})
    return believed.merge(plain, on="unit_key", how="left", validate="one_to_one")


def as_measures(planned: pd.DataFrame) -> pd.DataFrame:
    """The proposed shares as numbers to record: unit_key and value."""
    return planned[["unit_key", "share_next"]].rename(columns={"share_next": "value"})


def last_age(curve: pd.DataFrame) -> pd.DataFrame:
    """The rows of a curve at the age compared at."""
    return curve[curve["age_months"] == curve["age_months"].max()].reset_index(drop=True)


def noteworthy(rates: pd.DataFrame) -> pd.DataFrame:
    """The rows of unit rates that must not be read as they stand: after a recall, and those of new units."""
    return rates[rates["verdict"] != "ok"].drop(columns="note").reset_index(drop=True)


def months_of_flow(held: pd.DataFrame, *, age: int) -> pd.Series:
    """Months of placements behind each unit's comparison, by unit_key: from its first batch to its last one that completed `age`."""
    first, last = pd.to_datetime(held["first_batch"]), pd.to_datetime(held["last_batch"])
    span = (last.dt.year - first.dt.year) * 12 + last.dt.month - first.dt.month + 1
    return pd.Series(
        (span.clip(upper=held["oldest_age"] - age + 1)).clip(lower=0).to_numpy(), index=pd.Index(held["unit_key"], name="unit_key")
    )


def _known(number: object) -> float | None:
    return float(number) if isinstance(number, int | float) and not pd.isna(number) else None
