"""Where every account stands while the months pass, and the month ends as they are written down."""

from dataclasses import dataclass

import numpy as np

from collect_analysis.book.sample import files, paying
from collect_analysis.book.sample.people import People
from collect_analysis.book.sample.workforce import UNITS

STATUSES = ("open", "paid_off", "settled", "written_off", "recalled", "sold")
OPEN, PAID_OFF, SETTLED, WRITTEN_OFF, RECALLED, SOLD = range(6)
SHARE_PRINCIPAL, SHARE_INTEREST = 0.86, 0.11
INTEREST_A_MONTH, FEE_MINOR, MOST_FEES_MINOR = 0.018, 50_000, 500_000
ACCRUES_UNTIL_DPD = 180
GROUP_EDGES = np.array([10, 91, 181, 361])
SCORE_STEP, SCORE_PULL, SCORE_GAIN = 6.0, 0.1, 8.0


@dataclass
class Position:
    """State of every account; money is split into principal, interest and fees."""

    active: np.ndarray
    dpd: np.ndarray
    principal: np.ndarray
    interest: np.ndarray
    fees: np.ndarray
    score: np.ndarray
    shown_score: np.ndarray
    calm: np.ndarray
    pending: np.ndarray
    pending_day: np.ndarray
    pending_outcome: np.ndarray

    def balance(self, accounts: np.ndarray) -> np.ndarray:
        """Principal, interest and fees together."""
        return self.principal[accounts] + self.interest[accounts] + self.fees[accounts]

    def pay(self, accounts: np.ndarray, amount: np.ndarray) -> None:
        """Book payments: fees first, then interest, then principal."""
        rest = amount.copy()
        for part in (self.fees, self.interest, self.principal):
            taken = np.minimum(part[accounts], rest)
            part[accounts] -= taken
            rest -= taken

    def accrue(self, accounts: np.ndarray) -> None:
        """A month's interest and late fee on debts up to 180 days past due."""
        due = accounts[(self.dpd[accounts] > 0) & (self.dpd[accounts] <= ACCRUES_UNTIL_DPD)]
        self.interest[due] += np.round(self.principal[due] * INTEREST_A_MONTH).astype(np.int64)
        self.fees[due] = np.maximum(self.fees[due], np.minimum(self.fees[due] + FEE_MINOR, MOST_FEES_MINOR))

    def clear(self, accounts: np.ndarray) -> np.ndarray:
        """Waive what is left of these accounts; returns waived principal, interest and fees as three rows."""
        waived = np.stack([self.principal[accounts], self.interest[accounts], self.fees[accounts]])
        for part in (self.principal, self.interest, self.fees):
            part[accounts] = 0
        return waived

    def age_score(self, accounts: np.ndarray, entry: np.ndarray, paid: np.ndarray, rng: np.random.Generator, *, stuck: bool) -> None:
        """Move the score by a month; a stuck feed shows last month's."""
        step = rng.normal(0.0, SCORE_STEP, len(accounts)) + SCORE_GAIN * paid
        self.score[accounts] += SCORE_PULL * (entry - self.score[accounts]) + step
        if not stuck:
            self.shown_score[accounts] = np.round(np.clip(self.score[accounts], 300, 850), 1)


def opening_position(people: People) -> Position:
    """Nobody is active yet; every debt stands as on its first day."""
    interest = np.round(people.original * SHARE_INTEREST).astype(np.int64)
    principal = np.round(people.original * SHARE_PRINCIPAL).astype(np.int64)
    return Position(
        active=np.zeros(people.count, dtype=bool),
        dpd=people.entry_dpd.copy(),
        principal=principal,
        interest=interest,
        fees=people.original - principal - interest,
        score=people.score.copy(),
        shown_score=people.score.copy(),
        calm=np.zeros(people.count, dtype=np.int8),
        pending=np.zeros(people.count, dtype=np.int64),
        pending_day=np.full(people.count, -1, dtype=np.int64),
        pending_outcome=np.full(people.count, -1, dtype=np.int64),
    )


class MonthEnds:
    """Month ends of all accounts, kept in chunks until they are written."""

    def __init__(self) -> None:
        self.chunks: list[dict[str, np.ndarray]] = []

    def note(
        self, people: People, position: Position, accounts: np.ndarray, *, day: int, status: np.ndarray, reaged: np.ndarray,
        unit: np.ndarray, officer: np.ndarray,
    ) -> None:  # fmt: skip
        """Write down how `accounts` stand at the close of a month."""
        dpd = position.dpd[accounts]
        group = np.searchsorted(GROUP_EDGES, dpd, side="right").astype(np.int8) + 1
        worst = np.zeros(people.customers, dtype=np.int8)
        customer = people.customer[accounts]
        stays = status == OPEN
        np.maximum.at(worst, customer[stays], group[stays])
        self.chunks.append(
            {
                "account": accounts.astype(np.int32),
                "day": np.full(len(accounts), day, dtype=np.int32),
                "status": status.astype(np.int8),
                "dpd": dpd.astype(np.int32),
                # The regulatory group belongs to the customer: the worst debt decides.
                "group": np.where(stays, worst[customer], group).astype(np.int8),
                "principal": position.principal[accounts],
                "interest": position.interest[accounts],
                "fees": position.fees[accounts],
                "score": position.shown_score[accounts],
                "reaged": reaged,
                "unit": unit.astype(np.int8),
                "officer": officer.astype(np.int16),
            }
        )

    def columns(self, accounts: object, officers: object) -> dict[str, object]:
        """Table `month_end`, sorted by account and month."""
        held = {name: np.concatenate([chunk[name] for chunk in self.chunks]) for name in self.chunks[0]}
        order = np.argsort(held["account"].astype(np.int64) * 100_000 + held["day"], kind="stable")
        held = {name: values[order] for name, values in held.items()}
        return {
            "account_key": files.pick(accounts, held["account"]),
            "month_end": files.days(held["day"]),
            "status": files.pick(STATUSES, held["status"]),
            "dpd": files.whole(held["dpd"]),
            "bucket": files.whole(paying.bucket_of(held["dpd"])),
            "reg_group": files.whole(held["group"]),
            "principal_minor": files.whole(held["principal"]),
            "interest_minor": files.whole(held["interest"]),
            "fees_minor": files.whole(held["fees"]),
            "balance_minor": files.whole(held["principal"] + held["interest"] + held["fees"]),
            "score": files.real(held["score"]),
            "reaged": files.flags(held["reaged"]),
            "unit_key": files.pick(UNITS, held["unit"]),
            "officer_key": files.pick(officers, held["officer"]),
        }
