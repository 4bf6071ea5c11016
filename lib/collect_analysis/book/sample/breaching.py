"""Breaches of the contact rules, planted to an exact count; everything else is kept within the rules."""

from dataclasses import dataclass, field

import numpy as np

from collect_analysis.book.sample import contacting as c
from collect_analysis.book.sample.history import MonthWork
from collect_analysis.book.sample.placing import RECALL
from collect_analysis.book.sample.plants import CAREFREE_AGENCY, PLANTS
from collect_analysis.book.sample.workforce import UNIT_KIND, UNITS

MOST_A_DAY = 5
# What is not planted stays below the limit by one.
KEPT_A_DAY = MOST_A_DAY - 1
LATE_CALL_S = 21 * 3600 + 30
EDGES_S = (7 * 3600, 21 * 3600)
RELATIVE_AGENCY_SHARE = 0.6


@dataclass
class Breaches:
    """Planted contacts, and what they are."""

    rows: list[c.Contacts] = field(default_factory=list)
    days: list[tuple[int, int, bool]] = field(default_factory=list)
    late_units: list[int] = field(default_factory=list)
    recall_units: list[int] = field(default_factory=list)
    relative_units: list[int] = field(default_factory=list)
    edge_contacts: int = 0


def within_daily_limit(rows: c.Contacts, customer: np.ndarray, blocked: set[tuple[int, int]]) -> np.ndarray:
    """Rows to keep so that nobody is approached more than four times a day, and not at all on a `blocked` (customer, day)."""
    who = customer[rows["account"]].astype(np.int64)
    key = who * 100_000 + rows["day"]
    order = np.lexsort((~rows["fixed"], key))
    sorted_key = key[order]
    starts = np.flatnonzero(np.concatenate([[True], sorted_key[1:] != sorted_key[:-1]]))
    rank = np.arange(len(order)) - np.repeat(starts, np.diff(np.concatenate([starts, [len(order)]])))
    keep = np.empty(len(order), dtype=bool)
    keep[order] = rank < KEPT_A_DAY
    keep |= rows["inbound"]
    if blocked:
        taken = np.array([person * 100_000 + day for person, day in blocked], dtype=np.int64)
        keep &= ~np.isin(key, taken)
    return keep


class BreachMaker:
    """Plants breaches on accounts and days where the work of the month makes them possible."""

    def __init__(
        self, work: list[MonthWork], customer: np.ndarray, busy: set[tuple[int, int]], workdays: np.ndarray, rng: np.random.Generator
    ) -> None:
        self.work, self.customer, self.busy, self.workdays, self.rng = work, customer, busy, workdays, rng
        self.made = Breaches()
        self.blocked: set[tuple[int, int]] = set()

    def plant(self, accounts: int, placements: dict[str, np.ndarray], end: int) -> Breaches:
        """All of them."""
        self._days(PLANTS.count(PLANTS.split_day_breaches, accounts), split=True)
        self._days(PLANTS.count(PLANTS.one_unit_day_breaches, accounts), split=False)
        self._late_calls(PLANTS.count(PLANTS.late_call_breaches, accounts))
        self._relatives(PLANTS.count(PLANTS.relative_breaches, accounts))
        self._edges(PLANTS.count(PLANTS.hour_edge_contacts, accounts))
        self._after_recall(PLANTS.count(PLANTS.after_recall_breaches, accounts), placements, end)
        return self.made

    def _day(self, since: int, until: int) -> int:
        days = self.workdays[(self.workdays >= since) & (self.workdays <= until)]
        return int(self.rng.choice(days)) if len(days) else -1

    def _free(self, account: int, day: int) -> bool:
        spot = (int(self.customer[account]), day)
        return day >= 0 and spot not in self.busy and spot not in self.blocked

    def _block(self, account: int, day: int) -> None:
        self.blocked.add((int(self.customer[account]), day))

    def _add(self, account: int, day: int, second: np.ndarray | int, unit: int, officer: int, count: int = 1, **more: int | bool) -> None:
        given = {
            "account": account,
            "day": day,
            "second": second,
            "unit": unit,
            "officer": officer,
            "fixed": True,
            "talk": 0,
            "wait": 20,
            "wrap": 10,
        }
        self.made.rows.append(c.contacts(count, **(given | more)))

    def _days(self, count: int, *, split: bool) -> None:
        """Six attempts in one day, by two units with three each or by one unit."""
        pairs = self._pairs() if split else None
        done = 0
        while done < count:
            work = self.work[self.rng.integers(len(self.work))]
            if pairs is None:
                first = second = int(self._row(work))
            else:
                month_pairs = pairs[work.month]
                if len(month_pairs) == 0:
                    continue
                first, second = month_pairs[self.rng.integers(len(month_pairs))]
            since, until = max(work.since[first], work.since[second]), min(work.until[first], work.until[second])
            day = self._day(int(since), int(until))
            account = int(work.account[first])
            if not self._free(account, day):
                continue
            self._block(account, day)
            for place, row in enumerate((first, second)):
                times = (9 + place + 2 * np.arange(3)) * 3600 + self.rng.integers(0, 3000, 3)
                self._add(int(work.account[row]), day, times, int(work.unit[row]), int(work.officer[row]), 3)
            self.made.days.append((int(work.unit[first]), int(work.unit[second]), split))
            done += 1

    def _pairs(self) -> list[np.ndarray]:
        """Per month, rows of two accounts of one customer that different units hold, both overdue."""
        found = []
        for work in self.work:
            overdue = np.flatnonzero(work.stage > 0)
            order = overdue[np.argsort(self.customer[work.account[overdue]], kind="stable")]
            who = self.customer[work.account[order]]
            same = np.flatnonzero((who[1:] == who[:-1]) & (work.unit[order][1:] != work.unit[order][:-1]))
            found.append(np.stack([order[same], order[same + 1]], axis=1))
        return found

    def _row(self, work: MonthWork, unit: int | None = None) -> int:
        rows = np.flatnonzero((work.stage > 0) if unit is None else (work.unit == unit))
        return int(self.rng.choice(rows)) if len(rows) else -1

    def _spot(self, unit: int | None = None) -> tuple[MonthWork, int, int]:
        while True:
            work = self.work[self.rng.integers(len(self.work))]
            row = self._row(work, unit)
            if row < 0:
                continue
            day = self._day(int(work.since[row]), int(work.until[row]))
            if self._free(int(work.account[row]), day):
                self._block(int(work.account[row]), day)
                return work, row, day

    def _late_calls(self, count: int) -> None:
        for _ in range(count):
            work, row, day = self._spot()
            self._add(int(work.account[row]), day, LATE_CALL_S, int(work.unit[row]), int(work.officer[row]))
            self.made.late_units.append(int(work.unit[row]))

    def _edges(self, count: int) -> None:
        """Calls at 07:00:00 and 21:00:00 sharp are lawful."""
        for number in range(count):
            work, row, day = self._spot()
            self._add(int(work.account[row]), day, EDGES_S[number % 2], int(work.unit[row]), int(work.officer[row]))
        self.made.edge_contacts = count

    def _relatives(self, count: int) -> None:
        careless = UNITS.index(CAREFREE_AGENCY)
        for number in range(count):
            work, row, day = self._spot(careless if number < RELATIVE_AGENCY_SHARE * count else None)
            told = {"result": c.ANSWERED, "party": c.RELATIVE, "talk": 60}
            self._add(
                int(work.account[row]),
                day,
                10 * 3600 + int(self.rng.integers(0, 30_000)),
                int(work.unit[row]),
                int(work.officer[row]),
                **told,
            )
            self.made.relative_units.append(int(work.unit[row]))

    def _after_recall(self, count: int, placements: dict[str, np.ndarray], end: int) -> None:
        """Calls by an agency three to twenty days after the transferor took the debt back."""
        recalled = np.flatnonzero((placements["reason"] == RECALL) & (placements["to_day"] + 21 <= end))
        agency = np.flatnonzero(UNIT_KIND == 4)
        done = 0
        for place in self.rng.permutation(recalled):
            if done == count:
                return
            account, out = int(placements["account"][place]), int(placements["to_day"][place])
            day = self._day(out + 3, out + 20)
            if self._free(account, day):
                self._block(account, day)
                unit = int(agency[placements["agency"][place]])
                self._add(account, day, 15 * 3600 + int(self.rng.integers(0, 3600)), unit, -1)
                self.made.recall_units.append(unit)
                done += 1
