"""Who collects: sub-functions, teams, agencies, officers with their true skill, and who holds which account."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from collect_analysis.book.sample import files
from collect_analysis.book.sample.days import Span, day_of, number
from collect_analysis.book.sample.plants import AGENCY_SKILL

AGENCIES = tuple(AGENCY_SKILL)
SUB_FUNCTIONS = ("soft", "tele", "field", "legal", "agency")
TEAMS = ("soft-1", "tele-1", "tele-2", "tele-3", "tele-4", "tele-5", "tele-6", "field-1", "field-2", "field-3", "legal-1")
UNITS = (*TEAMS, *AGENCIES)
SOFT, TELE, FIELD, LEGAL, AGENCY = 0, 1, 2, 3, 4
UNIT_KIND = np.array([SOFT, *[TELE] * 6, *[FIELD] * 3, LEGAL, *[AGENCY] * 6], dtype=np.int8)
FIRST_TELE, FIRST_FIELD, LEGAL_UNIT, FIRST_AGENCY = 1, 7, 10, 11
# Officers per 300; legal has two clerks who hold no officer portfolio.
OFFICERS_PER_300 = (75, *[30] * 6, *[15] * 3)
FULL_STAFF_FROM, FULL_CASELOAD_AT = 100_000, 200_000
TENURE_BANDS = ("under_1y", "1_3y", "over_3y")
AGENCY_NAMES = tuple(f"Agency {key[-1].upper()}" for key in AGENCIES)
TEAM_NAMES = tuple(f"{key.split('-')[0].capitalize()} {key.split('-')[1]}" for key in TEAMS)
PARTNERS = ("law_firm", "law_firm", "other", "law_firm", "amc_owned", "lawyer")


@dataclass(frozen=True)
class Workforce:
    """Officers stand unit by unit; `first[u]` and `size[u]` say which belong to unit u (agencies have none)."""

    officer_unit: np.ndarray
    first: np.ndarray
    size: np.ndarray
    skill: np.ndarray
    hired: np.ndarray

    @property
    def officers(self) -> int:
        """Number of officers."""
        return len(self.officer_unit)

    def officer_of(self, unit: np.ndarray, luck: np.ndarray) -> np.ndarray:
        """Officer who holds an account of this luck in this unit, always the same; -1 where the unit names none."""
        size = self.size[unit]
        return np.where(size > 0, self.first[unit] + (luck * size).astype(np.int64), -1)


def make_workforce(accounts: int, span: Span, rng: np.random.Generator) -> Workforce:
    """Three hundred officers from 100,000 accounts on, below that as many per account as at 200,000; all of equal skill yet."""
    share = 1.0 if accounts >= FULL_STAFF_FROM else accounts / FULL_CASELOAD_AT
    size = np.zeros(len(UNITS), dtype=np.int64)
    size[: len(OFFICERS_PER_300)] = [max(1, round(number_ * share)) for number_ in OFFICERS_PER_300]
    first = np.concatenate([[0], np.cumsum(size)[:-1]])
    unit = np.repeat(np.arange(len(UNITS)), size)
    hired_months = rng.integers(2, 73, len(unit))
    start = day_of(span.start)
    hired = np.array([number(start.replace(year=start.year - int(m) // 12 - 1, month=int(m) % 12 + 1)) for m in hired_months])
    return Workforce(officer_unit=unit, first=first, size=size, skill=np.ones(len(unit)), hired=hired)


def draw_skill(staff: Workforce, spread: float, rng: np.random.Generator) -> Workforce:
    """True skill of tele and field officers: factor on the monthly chance to pay, mean 1, standard deviation `spread`."""
    log_sd = np.sqrt(np.log1p(spread**2))
    skill = np.exp(rng.normal(-(log_sd**2) / 2, log_sd, staff.officers))
    acts = UNIT_KIND[staff.officer_unit] != SOFT
    # Drawn skill is scaled so that its mean and spread are exactly those planned; nobody is without any.
    drawn = (skill[acts] - skill[acts].mean()) / skill[acts].std()
    skill = np.ones(staff.officers)
    skill[acts] = np.maximum(1.0 + spread * drawn, 0.2)
    return Workforce(officer_unit=staff.officer_unit, first=staff.first, size=staff.size, skill=skill, hired=staff.hired)


def unit_columns(span: Span) -> dict[str, object]:
    """Table `unit`: the company, five sub-functions, the teams, the agencies."""
    keys = ["company", *SUB_FUNCTIONS, *UNITS]
    subs = [None, *SUB_FUNCTIONS, *(SUB_FUNCTIONS[kind] for kind in UNIT_KIND)]
    agency = [key in AGENCIES for key in keys]
    parents = [None, *["company"] * len(SUB_FUNCTIONS), *(SUB_FUNCTIONS[kind] for kind in UNIT_KIND)]
    kinds = ["company", *["sub_function"] * len(SUB_FUNCTIONS), *["team"] * len(TEAMS), *["agency"] * len(AGENCIES)]
    names = ["Company", *(name.capitalize() for name in SUB_FUNCTIONS), *TEAM_NAMES, *AGENCY_NAMES]
    partner = dict(zip(AGENCIES, PARTNERS, strict=True))
    return {
        "unit_key": keys,
        "valid_from": files.days(np.full(len(keys), span.start - 366)),
        "name": names,
        "parent_key": parents,
        "unit_type": kinds,
        "sub_function": subs,
        "partner_type": [partner.get(key) for key in keys],
        "authorisation_id": [f"auth-{key}" if held else None for key, held in zip(keys, agency, strict=True)],
        "authorised_to": files.days(np.full(len(keys), span.end + 184), empty=~np.array(agency)),
        "capacity_accounts": files.whole(np.full(len(keys), 20_000), empty=~np.array(agency)),
        "tariff_id": ["commission-2024" if held else None for held in agency],
    }


def officer_keys(staff: Workforce) -> pa.Array:
    """Keys of all officers."""
    return files.serials("off-", staff.officers, width=4)


def officer_columns(staff: Workforce, span: Span) -> dict[str, object]:
    """Table `officer`: a new interval begins when the tenure band changes (12 and 36 months after hire)."""
    rows = []
    for index in range(staff.officers):
        edges = [staff.hired[index], staff.hired[index] + 365, staff.hired[index] + 1096]
        for band, start in enumerate(edges):
            end = edges[band + 1] if band < 2 else None
            if start > span.end or (end is not None and end <= span.start):
                continue
            current = end is None or end > span.end
            rows.append((index, max(start, span.start - 366), -1 if current else end, band))
    table = np.array(rows, dtype=np.int64)
    return {
        "officer_key": files.pick(officer_keys(staff), table[:, 0]),
        "valid_from": files.days(table[:, 1]),
        "valid_to": files.days(table[:, 2], empty=table[:, 2] < 0),
        "unit_key": files.pick(UNITS, staff.officer_unit[table[:, 0]]),
        "role": files.pick(SUB_FUNCTIONS, UNIT_KIND[staff.officer_unit[table[:, 0]]]),
        "hire_month": files.days(staff.hired[table[:, 0]]),
        "tenure_band": files.pick(TENURE_BANDS, table[:, 3]),
        "active": files.flags(np.ones(len(table), dtype=bool)),
    }
