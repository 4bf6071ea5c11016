"""Whose a number is: to which unit and officer each fact relation credits its rows. Numerator and denominator of a ratio go to the same."""

from collect_analysis.measures.kpis.record import Pair

_OPENING = (
    "who held the account when the period began, or when it came in",
    "bên giữ hồ sơ khi kỳ bắt đầu, hoặc khi hồ sơ vào",
)
_MONTH = (
    "who held the account when the month began, or when it came in",
    "bên giữ hồ sơ khi tháng bắt đầu, hoặc khi hồ sơ vào",
)
_DAY = (
    "who held the account on the day: the placement in force, else the holder when the month began",
    "bên giữ hồ sơ vào ngày đó: lần giao đang hiệu lực, nếu không có thì bên giữ khi tháng bắt đầu",
)
_PLACED = ("the unit the account was placed with", "đơn vị được giao hồ sơ")
_ACTED = ("who did the work", "bên thực hiện tác nghiệp")
_NAMED = (
    "the unit that the ticket names, else who held the account when the period began",
    "đơn vị mà yêu cầu nêu tên, nếu không có thì bên giữ hồ sơ khi kỳ bắt đầu",
)
_CURED = ("who held the account when it was cured", "bên giữ hồ sơ khi hồ sơ về nhóm 0")
_ENTERED = ("who held the account when it became overdue", "bên giữ hồ sơ khi hồ sơ quá hạn")
CREDIT: dict[str, Pair] = {
    **dict.fromkeys(("pairs", "flow", "net_flow", "current", "groups"), _MONTH),
    **dict.fromkeys(("holders", "cash", "money_age", "arrangements", "settlements", "waivers", "plans", "reach", "promising"), _OPENING),
    **dict.fromkeys(("disputes", "target"), _OPENING),
    "day_cash": _DAY,
    "remittances": _DAY,
    **dict.fromkeys(("placed", "net_placed", "recalls"), _PLACED),
    **dict.fromkeys(("work", "attempts", "calls", "messages", "due", "promises", "attributed", "breaches", "quality"), _ACTED),
    **dict.fromkeys(("hours", "occupancy", "paid_hours"), _ACTED),
    **dict.fromkeys(("closed_complaints", "open_disputes", "tickets"), _NAMED),
    "cures": _CURED,
    "entries": _ENTERED,
    "cost": (
        "cost: who did the work, or earned the commission; collected: who held the account on the day",
        "chi phí: bên thực hiện tác nghiệp hoặc hưởng hoa hồng; số tiền thu: bên giữ hồ sơ vào ngày thu",
    ),
    "complaints": (
        "complaints and accounts contacted (Q2): who held the account when the period began; complaints and right-party contacts (Q2-rpc): "
        "the unit named, and who made the contact",
        "khiếu nại và hồ sơ đã liên hệ (Q2): bên giữ hồ sơ khi kỳ bắt đầu; khiếu nại và số lần gặp đúng người (Q2-rpc): đơn vị bị nêu tên "
        "và bên thực hiện liên hệ",
    ),
    "caseload": (
        "accounts: who held them when the period began, or when they came in; hours: the officer's team on the day",
        "hồ sơ: bên giữ khi kỳ bắt đầu hoặc khi hồ sơ vào; giờ công: nhóm của nhân viên vào ngày đó",
    ),
}
# A KPI with a table of its own tells by that table whose its rows are.
BY_ITS_TABLE: Pair = ("as its table says", "theo bảng của chỉ số")
