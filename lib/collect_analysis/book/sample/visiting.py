"""A rule with a cut-off: from a balance on, a new tele account is visited; for cash loans a second rule switches at the same balance."""

from dataclasses import dataclass, field

import numpy as np

from collect_analysis.book.sample.assigning import HOLD_OFFER, HOLD_VISIT, HeldBack
from collect_analysis.book.sample.days import Span
from collect_analysis.book.sample.people import CARD, CASH_LOAN, People
from collect_analysis.book.sample.plants import PLANTS, held_back

FIRST_STAGE, LAST_STAGE = 2, 4


@dataclass
class VisitRule:
    """Each card or cash loan is judged once, at the first month start at which it is 31-180 days past due and not with an agency."""

    people: People
    span: Span
    rng: np.random.Generator
    held: HeldBack
    visit_month: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        count = self.people.count
        self.visit_month = np.full(count, -1, dtype=np.int16)
        self._judged = np.zeros(count, dtype=bool)
        self._log: list[dict[str, np.ndarray]] = []

    def judge(self, month: int, accounts: np.ndarray, stage: np.ndarray, balance: np.ndarray) -> None:
        """Decide for the accounts that reach the rule in `month`; without a visit (an offer) part of the payers is held back."""
        product = self.people.product[accounts]
        reach = (stage >= FIRST_STAGE) & (stage <= LAST_STAGE) & (product <= CASH_LOAN) & ~self._judged[accounts]
        ids, product, balance = accounts[reach], product[reach], balance[reach]
        visited = balance >= PLANTS.visit_cut_off_minor
        day = int(self.span.first[month])
        draw = self.rng.random((2, len(ids)))
        last = day + PLANTS.visit_horizon_days
        self.held.set(HOLD_VISIT, ids[~visited & (draw[0] < held_back(PLANTS.visit_effect))], day, last)
        without_offer = ~visited & (product == CASH_LOAN)
        self.held.set(HOLD_OFFER, ids[without_offer & (draw[1] < held_back(PLANTS.offer_effect))], day, last)
        self._judged[ids] = True
        self.visit_month[ids[visited]] = month
        self._log.append({"account": ids, "day": np.full(len(ids), day), "balance": balance, "visited": visited, "card": product == CARD})

    def table(self) -> dict[str, np.ndarray]:
        """All decisions of the rule."""
        return {name: np.concatenate([chunk[name] for chunk in self._log]) for name in self._log[0]}
