"""The planted truth as it is written to `truth.json`: sizes, keys and exact counts, one section per fact.

Stable layout (money in minor units, effects relative unless said otherwise, days as YYYY-MM-DD):

- schema, synthetic, accounts, seed, as_of, months, first_day
- tet: first_days, payment_factor_by_offset, month_factor {month: factor on the month's cash}
- experiments.<id>: the true effects, horizon_days, assigned_from, assigned_to, accounts by arm; exp-payer and exp-minutes also
  champion_payers.<horizon> (paid, if_challenged), exp-timing champion_cash, exp-minutes seconds_by_arm (officers' talk and wrap)
- agencies: skill.<unit>, skill_sd, cherry_picker, conduct_gate, numbers and share of random placements
- officers: planned and measured reliability of one month, skill_sd, skill.<officer>
- rdd: cut-off, running variable, clean and confounded product, effects, jump (absolute, of the payer rate)
- rollout: waves (starts_on, regions, size), never
- deterministic_allocation, ruleset_hole (with open accounts in it by month end)
- payments: genuine postings, duplicates, reversals: numbers and money
- invoices: clean agencies, what the others do wrong, by_invoice.<invoice> (billed, right, differences by reason; minor units)
- promises: definition, total, by_due_month.<month> (kept, partly, broken, due, due_minor, paid_minor)
- breaches.<rule>: exact counts, also by unit; FREQ_DAY by debtor and by unit
- faults: late_feed, stuck_score, dialer_outage, clock_shift
- training: who, when, true effect, the gain a naive comparison shows
"""

from typing import TYPE_CHECKING, Any

import numpy as np

from collect_analysis.book.sample import contacting as c, posting, promising
from collect_analysis.book.sample.assigning import ARMS, CHAMPION, EARLY_DAYS, HOLD_MINUTES, HOLD_PAYER, MINUTES, PAYER, TIMING, Assignments
from collect_analysis.book.sample.breaching import Breaches
from collect_analysis.book.sample.days import AFTER_TET, AT_TET, BEFORE_TET, TET, Span, day_of, number
from collect_analysis.book.sample.faults import CLOCK_SHIFT_S, CLOCK_UNIT, OUTAGE_S, Faults
from collect_analysis.book.sample.history import History
from collect_analysis.book.sample.people import PRODUCTS, REGIONS
from collect_analysis.book.sample.plants import AGENCY_SKILL, CAREFREE_AGENCY, CHERRY_PICKER, EXPERIMENTS, PLANTS
from collect_analysis.book.sample.position import OPEN
from collect_analysis.book.sample.reference import HOLE_FROM, HOLE_PRODUCT, HOLE_TO, ROLLOUT_RULES, SEGMENT_RULES, VISIT_RULES
from collect_analysis.book.sample.workforce import SOFT, TELE, UNIT_KIND, UNITS, Workforce, officer_keys

if TYPE_CHECKING:
    from collect_analysis.book.sample.simulation import Simulation

HORIZONS = (30, 60, 90, 180)
# Share of the other conversations that bring a promise nobody means.
PROMISE_IN_PASSING = 0.15


def iso(day: int) -> str:
    """Day number as 2026-06-30."""
    return day_of(day).isoformat()


def header(accounts: int, seed: int, span: Span) -> dict[str, object]:
    """What was asked for."""
    return {
        "schema": 1,
        "synthetic": True,
        "accounts": accounts,
        "seed": seed,
        "as_of": iso(span.end),
        "months": span.months,
        "first_day": iso(span.start),
        "tet": _tet(span),
    }


def _tet(span: Span) -> dict[str, object]:
    inside = [day for day in TET.values() if span.start - 30 <= number(day) <= span.end + 30]
    windows = {name: dict(zip(("from_offset", "to_offset", "factor"), values, strict=True)) for name, values in
               (("before", BEFORE_TET), ("at", AT_TET), ("after", AFTER_TET))}  # fmt: skip
    season = {span.name(month): round(float(span.season[month]), 6) for month in range(span.months)}
    return {"first_days": [day.isoformat() for day in inside], "payment_factor_by_offset": windows, "month_factor": season}


def of_simulation(simulation: "Simulation", placements: dict[str, np.ndarray], visits: dict[str, np.ndarray]) -> dict[str, object]:
    """Experiments, agencies, officers, the cut-off rule, the roll-out and the allocation without propensities."""
    return {
        "experiments": _experiments(simulation),
        "agencies": _agencies(placements),
        "officers": _officers(simulation.history, simulation.staff),
        "rdd": _cut_off(simulation, visits),
        "rollout": _rollout(simulation),
        "deterministic_allocation": {
            "decision_kind": "segment", "ruleset_id": VISIT_RULES, "propensity_logged": False, "decisions": len(visits["account"]),
        },
        "ruleset_hole": _hole(simulation),
    }  # fmt: skip


def _hole(simulation: "Simulation") -> dict[str, object]:
    """The days past due that no rule of one product covers, and the open accounts that stood there."""
    mine = simulation.people.product == PRODUCTS.index(HOLE_PRODUCT)
    counts = {}
    for rows in simulation.month_ends.chunks:
        inside = mine[rows["account"]] & (rows["status"] == OPEN) & (rows["dpd"] >= HOLE_FROM) & (rows["dpd"] <= HOLE_TO)
        if inside.any():
            counts[iso(int(rows["day"][0]))] = int(inside.sum())
    found = {"ruleset_id": SEGMENT_RULES, "product_code": HOLE_PRODUCT, "dpd_from": HOLE_FROM, "dpd_to": HOLE_TO}
    return {**found, "unassigned_by_month_end": counts}


def assignment_days(assignments: Assignments) -> tuple[dict[str, int], dict[str, int]]:
    """First and last day of assignment of every experiment."""
    first, last = {}, {}
    for code, plan in enumerate(EXPERIMENTS):
        days = assignments.day[assignments.experiment == code]
        first[plan.experiment_id], last[plan.experiment_id] = int(days.min()), int(days.max())
    return first, last


def _experiments(simulation: "Simulation") -> dict[str, object]:
    assignments = simulation.assignments
    first, last = assignment_days(assignments)
    found: dict[str, Any] = {}
    for code, plan in enumerate(EXPERIMENTS):
        inside = assignments.experiment == code
        found[plan.experiment_id] = {
            "relative_payer_rate": plan.payer_effect,
            "relative_amount_per_payer": 0.0,
            "relative_cash_30d": plan.early_cash_effect if code == TIMING else plan.payer_effect,
            "relative_cash_at_horizon": 0.0 if code == TIMING else plan.payer_effect,
            "relative_agent_minutes": plan.minutes_effect,
            "horizon_days": plan.horizon_days,
            "assigned_from": iso(first[plan.experiment_id]),
            "assigned_to": iso(last[plan.experiment_id]),
            "accounts": {name: int((inside & (assignments.arm == arm)).sum()) for arm, name in enumerate(ARMS)},
        }
    found["exp-payer"]["champion_payers"] = _held_back_payers(simulation, PAYER, HOLD_PAYER)
    found["exp-minutes"]["champion_payers"] = _held_back_payers(simulation, MINUTES, HOLD_MINUTES)
    found["exp-timing"]["champion_cash"] = _postponed(simulation)
    return found


def _held_back_payers(simulation: "Simulation", experiment: int, cause: int) -> dict[str, dict[str, float]]:
    """Champion accounts that paid by each horizon, and that would have paid as challengers."""
    assignments = simulation.assignments
    champion = (assignments.experiment == experiment) & (assignments.arm == CHAMPION)
    paid, held = simulation.history.payments.joined(), simulation.history.held_back.joined()
    only = held["cause"] == 1 << cause
    out = {}
    for days in HORIZONS:
        if days > EXPERIMENTS[experiment].horizon_days:
            continue
        did = np.zeros(len(champion), dtype=bool)
        age = paid["day"] - assignments.day[paid["account"]]
        did[paid["account"][(age >= 0) & (age <= days)]] = True
        would = did.copy()
        age = held["day"] - assignments.day[held["account"]]
        would[held["account"][only & (age >= 0) & (age <= days)]] = True
        did, would = did & champion, would & champion
        out[str(days)] = {"paid": int(did.sum()), "if_challenged": int(would.sum()), "relative": float(would.sum() / did.sum() - 1)}
    return out


def _postponed(simulation: "Simulation") -> dict[str, float]:
    """Cash of the champion within 30 days, and what of it came later."""
    assignments, history = simulation.assignments, simulation.history
    champion = (assignments.experiment == TIMING) & (assignments.arm == CHAMPION)
    paid, held = history.payments.joined(), history.held_back.joined()
    age = paid["day"] - assignments.day[paid["account"]]
    early = champion[paid["account"]] & (age >= 0) & (age <= EARLY_DAYS)
    within, later = int(paid["amount"][early].sum()), int(held["amount"][held["late"]].sum())
    return {"paid_30d_minor": within, "postponed_minor": later, "relative": later / within}


def _agencies(placements: dict[str, np.ndarray]) -> dict[str, object]:
    random = ~np.isnan(placements["propensity"])
    skill = np.array(list(AGENCY_SKILL.values()))
    return {
        "skill": dict(AGENCY_SKILL),
        "skill_sd": float(skill.std(ddof=1)),
        "cherry_picker": CHERRY_PICKER,
        "cherry_share_worked": PLANTS.cherry_share,
        "conduct_gate": CAREFREE_AGENCY,
        "placements": len(random),
        "random_placements": int(random.sum()),
        "random_share": float(random.mean()),
    }


def _officers(history: History, staff: Workforce) -> dict[str, object]:
    tele = np.flatnonzero(UNIT_KIND[staff.officer_unit] == TELE)
    index = history.collected_officer[:, tele] / history.expected_officer[:, tele]
    between = np.asarray(np.corrcoef(index))[np.triu_indices(len(index), 1)].mean()
    keys = officer_keys(staff).to_pylist()
    acting = np.flatnonzero(UNIT_KIND[staff.officer_unit] != SOFT)
    return {
        "planned_reliability": PLANTS.officer_reliability,
        "measured_reliability": round(float(between), 4),
        "reliability_of": "collected over expected amount of one month, officers of sub-function tele; mean correlation between months",
        "skill_sd": round(float(staff.skill[tele].std(ddof=1)), 6),
        "skill": {keys[officer]: round(float(staff.skill[officer]), 6) for officer in acting},
    }


def _cut_off(simulation: "Simulation", visits: dict[str, np.ndarray]) -> dict[str, object]:
    cut = PLANTS.visit_cut_off_minor
    history = simulation.history
    held, paid = history.held_back.joined(), history.payments.joined()
    day = np.full(simulation.people.count, -1, dtype=np.int64)
    day[visits["account"]] = visits["day"]
    first = np.zeros(simulation.people.count, dtype=bool)
    for chunk in (paid, held):
        age = chunk["day"] - day[chunk["account"]]
        first[chunk["account"][(day[chunk["account"]] >= 0) & (age >= 0) & (age <= PLANTS.visit_horizon_days)]] = True
    near = visits["card"] & (np.abs(visits["balance"] / cut - 1) < 0.2)
    rate = float(first[visits["account"][near]].mean())
    effect = PLANTS.visit_effect
    return {
        "ruleset_id": VISIT_RULES,
        "running_variable": "decision.balance_minor",
        "cut_off_minor": cut,
        "treated_from_cut_off_inclusive": True,
        "outcome": "an eligible payment within 90 days of the decision",
        "clean_product": "card",
        "confounded_product": "cash_loan",
        "relative_effect": effect,
        "relative_effect_with_second_rule": (1 + effect) * (1 + PLANTS.offer_effect) - 1,
        "payer_rate_with_visit_near_cut_off": round(rate, 6),
        "jump": round(rate * (1 - 1 / (1 + effect)), 6),
        "decisions": {"card": int(visits["card"].sum()), "cash_loan": int((~visits["card"]).sum())},
    }


def _rollout(simulation: "Simulation") -> dict[str, object]:
    rollout, span = simulation.rollout, simulation.span
    waves = []
    for wave, size in enumerate(PLANTS.rollout_sizes):
        regions = [code for code, own in zip(REGIONS, rollout.wave, strict=True) if own == wave]
        month = span.months - PLANTS.rollout_months_before_end[wave]
        waves.append({"starts_on": iso(int(span.first[month])), "regions": regions, "size": size})
    return {
        "ruleset_id": ROLLOUT_RULES,
        "waves": waves,
        "never": [code for code, own in zip(REGIONS, rollout.wave, strict=True) if own < 0],
        "outcome": "an eligible payment in the month by an account more than 30 days past due when the month opens",
        "relative_effect": "size x min(months since start + 1, 6) / 6 on the monthly chance to pay",
    }


def of_payments(postings: posting.Postings, faults: Faults, span: Span) -> dict[str, object]:
    """Duplicates, reversals and the day of the late feed."""

    def part(kind: int) -> tuple[int, int]:
        chosen = postings.kind == kind
        return int(chosen.sum()), int(postings.amount[chosen].sum())

    late = postings.day == faults.late_day
    return {
        "payments": {
            "rows": len(postings.account),
            "genuine": part(posting.GENUINE)[0], "genuine_minor": part(posting.GENUINE)[1],
            "duplicates": part(posting.DUPLICATE)[0], "duplicates_minor": part(posting.DUPLICATE)[1],
            "duplicate_rule": "same account, amount, value date, channel and reference, another key, eligible false",
            "reversals": part(posting.REVERSAL)[0], "reversals_minor": part(posting.REVERSAL)[1],
        },
        "faults": {
            "late_feed": {"source": "payments", "business_date": iso(faults.late_day), "rows": int(late.sum()),
                          "amount_minor": int(postings.amount[late].sum())},
            "stuck_score": {"month_end": iso(int(span.last[faults.stuck_month]))},
        },
    }  # fmt: skip


def of_breaches(made: Breaches) -> dict[str, object]:
    """Exact counts by rule and unit; the daily limit once by unit and once by debtor."""
    split = [day for day in made.days if day[2]]
    whole = [day for day in made.days if not day[2]]
    return {
        "breaches": {
            "FREQ_DAY": {
                "attempts": 6,
                "debtor_days": len(made.days),
                "debtor_days_split_across_units": len(split),
                "days_within_one_unit": _by_unit([day[0] for day in whole]),
                "split_days_by_unit": _by_unit([unit for day in split for unit in day[:2]]),
            },
            "HOURS": {"contacts": len(made.late_units), "local_time": "21:00:30", "by_unit": _by_unit(made.late_units)},
            "RECALL": {"contacts": len(made.recall_units), "by_unit": _by_unit(made.recall_units)},
            "PARTY": {"contacts": len(made.relative_units), "party_role": "relative", "by_unit": _by_unit(made.relative_units)},
            "lawful_at_the_edge": {"contacts": made.edge_contacts, "local_times": ["07:00:00", "21:00:00"]},
        }
    }


def _by_unit(units: list[int]) -> dict[str, int]:
    counts = np.bincount(np.array(units, dtype=np.int64), minlength=len(UNITS))
    return {key: int(count) for key, count in zip(UNITS, counts, strict=True) if count}


def of_outage(lost: c.Contacts, faults: Faults) -> dict[str, object]:
    """The calls that were never made."""
    reached = int(((lost["result"] == c.ANSWERED) & lost["verified"]).sum())
    start, stop = (f"{second // 3600:02d}:00" for second in OUTAGE_S)
    found = {"sub_function": "tele", "date": iso(faults.outage_day), "from": start, "to": stop}
    return {"dialer_outage": {**found, "calls_lost": len(lost), "right_party_contacts_lost": reached}}


def of_promises(promises: promising.Promises, state: np.ndarray, paid: np.ndarray) -> dict[str, object]:
    """Counts and amounts by month of the due date."""
    months = np.array([day_of(day).isoformat()[:7] for day in promises.due.tolist()])
    by_month = {}
    for month in sorted(set(months[state != promising.NOT_DUE])):
        inside = (months == month) & (state != promising.NOT_DUE)
        counts = {name: int((inside & (state == code)).sum()) for code, name in enumerate(promising.STATES[:3])}
        by_month[month] = {**counts, "due": int(inside.sum()), "due_minor": int(promises.amount[inside].sum()),
                           "paid_minor": int(paid[inside].sum())}  # fmt: skip
    total = {name: int((state == code).sum()) for code, name in enumerate(promising.STATES)}
    return {
        "promises": {
            "threshold": promising.THRESHOLD_TENTHS / 10,
            "grace_days": promising.GRACE_DAYS,
            "definition": " ".join((promising.judge.__doc__ or "").split()),
            "total": total,
            "by_due_month": by_month,
        }
    }


def of_clock(shift: np.ndarray, faults: Faults) -> dict[str, object]:
    """The unit whose local clock was an hour ahead for a day."""
    return {
        "clock_shift": {"unit_key": CLOCK_UNIT, "date": iso(faults.clock_day), "seconds": CLOCK_SHIFT_S, "contacts": int((shift > 0).sum())}
    }


def of_minutes(rows: c.Contacts, assignments: Assignments) -> dict[str, int]:
    """Seconds of officers (talk and wrap) that each arm of exp-minutes really took within the horizon."""
    worked = (rows["officer"] >= 0) & (assignments.experiment[rows["account"]] == MINUTES)
    age = rows["day"] - assignments.day[rows["account"]]
    worked &= (age >= 0) & (age <= EXPERIMENTS[MINUTES].horizon_days)
    seconds = c.officer_seconds(rows)
    arm = assignments.arm[rows["account"]]
    return {name: int(seconds[worked & (arm == code)].sum()) for code, name in enumerate(ARMS)}


def of_training(history: History, staff: Workforce, trained: np.ndarray, month: int, span: Span) -> dict[str, object]:
    """Who was trained, and the gain that the naive comparison shows though there is none."""
    index = np.full(history.expected_officer.shape, np.nan)
    np.divide(history.collected_officer, history.expected_officer, out=index, where=history.expected_officer > 0)
    tele = np.flatnonzero(UNIT_KIND[staff.officer_unit] == TELE)
    spread = float(np.std(index[month, tele]))
    gain = float((np.mean(index[month + 1 :, trained]) - np.mean(index[month, trained])) / spread)
    keys = officer_keys(staff).to_pylist()
    return {
        "training": {
            "course_id": "course-promises",
            "selection_month": span.name(month),
            "assigned_on": iso(int(span.first[month + 1])),
            "officers": [keys[officer] for officer in trained],
            "true_effect": 0.0,
            "naive_gain_in_sd": round(gain, 6),
            "why": "the weakest tenth of one month are picked; they come back to their mean without any course",
        }
    }
