"""What happened in the simulated months, kept as chunks of arrays until the tables are written."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from collect_analysis.book.sample.people import PORTFOLIOS
from collect_analysis.book.sample.workforce import UNITS


@dataclass
class MonthWork:
    """The accounts of one month, one element per account: who holds it, how it stands on the first day, when it can be worked."""

    month: int
    account: np.ndarray
    unit: np.ndarray
    officer: np.ndarray
    stage: np.ndarray
    bucket: np.ndarray
    balance: np.ndarray
    since: np.ndarray
    until: np.ndarray
    top: np.ndarray

    def slim(self) -> "MonthWork":
        """The same in small integers, to be kept until contacts are made."""
        return replace(
            self,
            account=self.account.astype(np.int32),
            unit=self.unit.astype(np.int8),
            officer=self.officer.astype(np.int16),
            stage=self.stage.astype(np.int8),
            bucket=self.bucket.astype(np.int8),
            since=self.since.astype(np.int32),
            until=self.until.astype(np.int32),
        )


@dataclass
class Draw:
    """Payments of a month: `row` points into the month's accounts."""

    row: np.ndarray
    day: np.ndarray
    amount: np.ndarray
    outcome: np.ndarray

    def with_more(self, other: "Draw") -> "Draw":
        """Both sets of payments."""
        return Draw(*(np.concatenate([getattr(self, name), getattr(other, name)]) for name in ("row", "day", "amount", "outcome")))


class Columns:
    """Chunks of equally named arrays, joined on demand."""

    def __init__(self) -> None:
        self._chunks: list[dict[str, np.ndarray]] = []

    def add(self, **arrays: np.ndarray) -> None:
        """One more chunk."""
        self._chunks.append(arrays)

    def joined(self) -> dict[str, np.ndarray]:
        """All chunks, one array per name."""
        return {name: np.concatenate([chunk[name] for chunk in self._chunks]) for name in self._chunks[0]}


class History:
    """Payments, payments held back, settlements, restructurings, and what was expected, by month."""

    def __init__(self, months: int, officers: int) -> None:
        self.work: list[MonthWork] = []
        self.entries: list[tuple[int, int]] = []
        self.payments, self.held_back, self.settled, self.reaged = Columns(), Columns(), Columns(), Columns()
        self.expected_unit = np.zeros((months, len(UNITS)))
        self.expected_officer = np.zeros((months, officers))
        self.collected_officer = np.zeros((months, officers))
        self.expected_portfolio = np.zeros((months, len(PORTFOLIOS)))
        self.skill_spread = 0.0
        self.staff: Any = None
        self.rollout: Any = None
        self.region_factor = np.ones(0)

    def expect(self, month: int, work: MonthWork, portfolio: np.ndarray, cash: np.ndarray) -> None:
        """Cash expected this month of officers of mean skill, by unit, officer and portfolio."""
        self.expected_unit[month] = np.bincount(work.unit, cash, minlength=len(UNITS))
        held = work.officer >= 0
        self.expected_officer[month] = np.bincount(work.officer[held], cash[held], minlength=self.expected_officer.shape[1])
        self.expected_portfolio[month] = np.bincount(portfolio[work.account], cash, minlength=len(PORTFOLIOS))

    def hold_back(self, work: MonthWork, row: np.ndarray, day: np.ndarray, amount: np.ndarray, cause: np.ndarray, late: np.ndarray) -> None:
        """Payments that were meant and did not come (`cause` a bit mask), or come later (`late`)."""
        kept = (cause > 0) | late
        self.held_back.add(
            account=work.account[row[kept]],
            day=day[kept],
            amount=amount[kept],
            cause=cause[kept],
            late=late[kept],
            unit=work.unit[row[kept]],
            officer=work.officer[row[kept]],
            since=work.since[row[kept]],
        )

    def note_month(self, work: MonthWork, draw: Draw) -> None:
        """Keep the month's work and its payments."""
        self.payments.add(
            account=work.account[draw.row],
            day=draw.day,
            amount=draw.amount,
            outcome=draw.outcome.astype(np.int8),
            unit=work.unit[draw.row].astype(np.int8),
            officer=work.officer[draw.row].astype(np.int16),
            since=work.since[draw.row],
        )
        officer = work.officer[draw.row]
        held = officer >= 0
        self.collected_officer[work.month] = np.bincount(officer[held], draw.amount[held], minlength=self.collected_officer.shape[1])
        self.work.append(work.slim())

    def settle(self, account: np.ndarray, day: np.ndarray, paid: np.ndarray, covered: np.ndarray, waived: np.ndarray) -> None:
        """Debts settled for less than the balance."""
        self.settled.add(account=account, day=day, paid=paid, covered=covered, principal=waived[0], interest=waived[1], fees=waived[2])

    def reage(self, account: np.ndarray, day: int, balance: np.ndarray) -> None:
        """Debts made current by restructuring."""
        self.reaged.add(account=account, day=np.full(len(account), day), balance=balance)

    def finish(self, staff: Any, rollout: Any, region_factor: np.ndarray) -> None:
        """Keep what was drawn once for the whole run."""
        self.staff, self.rollout, self.region_factor = staff, rollout, region_factor
