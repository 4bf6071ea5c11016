"""Placements with agencies: monthly batches, strata, a random share with its probability, judgement for the rest."""

from dataclasses import dataclass, field

import numpy as np

from collect_analysis.book.sample import paying
from collect_analysis.book.sample.days import Span
from collect_analysis.book.sample.people import People
from collect_analysis.book.sample.plants import AGENCY_EASY_MIX, AGENCY_SKILL, CHERRY_PICKER, PLANTS
from collect_analysis.book.sample.workforce import AGENCIES, FIRST_AGENCY

PLACED_MONTHS, COOL_DOWN_MONTHS, PLACED_SHARE = 6, 2, 0.13
ORDINALS = ("first", "second", "third")
DPD_BANDS, BALANCE_BANDS, SCORE_BANDS = ("181_360", "361_720", "over_720"), ("small", "middle", "large"), ("low", "middle", "high")
STRATA = tuple(f"{no}-{dpd}-{size}-{score}" for no in ORDINALS for dpd in DPD_BANDS for size in BALANCE_BANDS for score in SCORE_BANDS)
END_REASONS = ("paid", "recall", "return", "move", "expired", "written_off", "sold")
PAID, RECALL, EXPIRED, WRITTEN_OFF, SOLD = 0, 1, 4, 5, 6
SKILL = np.array([AGENCY_SKILL[key] for key in AGENCIES])
EASY_MIX = np.array([AGENCY_EASY_MIX[key] for key in AGENCIES])
CHERRY = AGENCIES.index(CHERRY_PICKER)


@dataclass
class Placements:
    """Where accounts are placed now, and the log of all placements as columns of chunks."""

    people: People
    span: Span
    rng: np.random.Generator
    agency: np.ndarray = field(init=False)
    row: np.ndarray = field(init=False)
    since: np.ndarray = field(init=False)
    times: np.ndarray = field(init=False)
    top: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        count = self.people.count
        self.agency = np.full(count, -1, dtype=np.int8)
        self.row = np.full(count, -1, dtype=np.int64)
        self.since = np.zeros(count, dtype=np.int16)
        self.times = np.zeros(count, dtype=np.int8)
        self.top = np.zeros(count, dtype=bool)
        self._free_from = np.zeros(count, dtype=np.int16)
        self._log: list[dict[str, np.ndarray]] = []
        self._ends: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
        self._rows = 0

    def end_due(self, month: int, accounts: np.ndarray) -> None:
        """Placements that have run their time end with the first day of `month`."""
        due = accounts[(self.agency[accounts] >= 0) & (month - self.since[accounts] >= PLACED_MONTHS)]
        self.end(due, np.full(len(due), self.span.first[month]), EXPIRED)
        self._free_from[due] = month + COOL_DOWN_MONTHS

    def end(self, accounts: np.ndarray, to_day: np.ndarray, reason: int | np.ndarray) -> None:
        """End the placements of `accounts` (those not placed are left alone); `to_day` is the day after the last."""
        placed = self.agency[accounts] >= 0
        reasons = np.broadcast_to(np.asarray(reason, dtype=np.int8), accounts.shape)
        self._ends.append((self.row[accounts[placed]], to_day[placed], reasons[placed]))
        self.agency[accounts[placed]] = -1
        self.top[accounts[placed]] = False

    def start(self, month: int, accounts: np.ndarray, dpd: np.ndarray, balance: np.ndarray, *, barred: np.ndarray) -> None:
        """Place part of the debts over 180 days past due that no agency holds; `barred` ones stay inside."""
        may = (dpd > 180) & (self.agency[accounts] < 0) & (self._free_from[accounts] <= month) & (self.times[accounts] < 3) & ~barred
        chosen = may & (self.rng.random(len(accounts)) < PLACED_SHARE)
        ids, dpd, balance = accounts[chosen], dpd[chosen], balance[chosen]
        stratum, ease = self._stratum(ids, dpd, balance)
        by_chance = self.rng.random(len(ids)) < PLANTS.random_placement_share
        weight = np.exp(np.where(by_chance[:, None], 0.0, ease[:, None] * EASY_MIX[None, :]))
        steps = np.cumsum(weight, axis=1) / weight.sum(axis=1, keepdims=True)
        agency = (self.rng.random(len(ids))[:, None] >= steps[:, :-1]).sum(axis=1).astype(np.int8)
        self._log.append(
            {
                "account": ids,
                "month": np.full(len(ids), month, dtype=np.int16),
                "agency": agency,
                "stratum": stratum.astype(np.int16),
                "times": self.times[ids] + 1,
                "propensity": np.where(by_chance, 1.0 / len(AGENCIES), np.nan),
                "balance": balance,
            }
        )
        self.agency[ids], self.since[ids] = agency, month
        self.row[ids] = self._rows + np.arange(len(ids))
        self._rows += len(ids)
        self.times[ids] += 1
        self.top[ids] = self._is_top(ids, dpd, balance)

    def factor(self, month: int, accounts: np.ndarray) -> np.ndarray:
        """Factor on the chance to pay that the agency, the age and the number of the placement bring; 1 where not placed."""
        agency = self.agency[accounts]
        age = np.clip(month - self.since[accounts], 0, PLACED_MONTHS - 1)
        number = np.clip(self.times[accounts] - 1, 0, 2)
        factor = SKILL[agency] * paying.AGENCY_AGE_FACTOR[age] * paying.PLACEMENT_FACTOR[number]
        return np.where(agency >= 0, factor, 1.0)

    def unit(self, accounts: np.ndarray) -> np.ndarray:
        """Unit index of the agency that holds each account; -1: none."""
        return np.where(self.agency[accounts] >= 0, FIRST_AGENCY + self.agency[accounts], -1)

    def table(self) -> dict[str, np.ndarray]:
        """All placements with their ends (`to_day` 0 and `reason` -1 while running)."""
        log = {name: np.concatenate([chunk[name] for chunk in self._log]) for name in self._log[0]}
        log["to_day"] = np.zeros(self._rows, dtype=np.int64)
        log["reason"] = np.full(self._rows, -1, dtype=np.int8)
        for rows, to_day, reason in self._ends:
            log["to_day"][rows], log["reason"][rows] = to_day, reason
        return log

    def _stratum(self, ids: np.ndarray, dpd: np.ndarray, balance: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        number = np.clip(self.times[ids], 0, 2)
        dpd_band = np.digitize(dpd, (361, 721))
        size = np.searchsorted(paying.BALANCE_EDGES, balance, side="right")
        score = self.people.score_band[ids]
        ease = (1 - dpd_band) + (1 - size) + (score - 1) + 0.5 * (1 - number)
        return ((number * 3 + dpd_band) * 3 + size) * 3 + score, ease.astype(float)

    def _is_top(self, ids: np.ndarray, dpd: np.ndarray, balance: np.ndarray) -> np.ndarray:
        stage = paying.stage_of(dpd)
        flat = np.ones(len(ids))
        value = balance * paying.base_chance(stage, self.people.product[ids], self.people.score_band[ids], balance, flat)
        if len(value) == 0:
            return np.zeros(0, dtype=bool)
        return value >= np.quantile(value, 1 - PLANTS.cherry_share)
