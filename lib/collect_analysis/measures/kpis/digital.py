"""Digital messages: each step of the chain over what was sent."""

from collect_analysis.measures.kpis.record import Kpi, Pair

_SENT = (
    "outbound messages of the period, by the unit and officer in whose name they went",
    "tin nhắn gửi đi trong kỳ, theo đơn vị và nhân viên đứng tên",
)


def _step(number: str, names: Pair, what: Pair, over: Pair, columns: tuple[str, str], *, undefined: str, windows=(), pitfalls=()) -> Kpi:
    return Kpi(
        id=number,
        names=names,
        formula=(f"{what[0]} / {over[0]}", f"{what[1]} / {over[1]}"),
        population=_SENT,
        grain=("template x period", "mẫu tin x kỳ"),
        numerator=what,
        denominator=over,
        unit="share",
        better="higher",
        base="messages",
        counted=(columns[0],),
        over=(columns[1],),
        part=True,
        windows=("message_channels", *windows),
        undefined=undefined,
        source="domain reference 2.3",
        pitfalls=pitfalls,
    )


_MESSAGES = ("messages sent", "số tin đã gửi")

KPIS = (
    _step(
        "C15",
        ("Messages delivered", "Tỷ lệ tin đến máy"),
        ("messages delivered", "số tin đến máy"),
        _MESSAGES,
        ("delivered", "sent"),
        undefined="no message sent",
    ),
    _step(
        "C15-open",
        ("Messages opened", "Tỷ lệ tin được mở"),
        ("messages opened", "số tin được mở"),
        ("messages sent whose opening is recorded", "số tin đã gửi có ghi nhận việc mở"),
        ("opened", "open_known"),
        undefined="no message whose opening is recorded",
        pitfalls=(("mail programs open messages by themselves", "phần mềm thư có thể tự mở tin"),),
    ),
    _step(
        "C15-click",
        ("Messages clicked", "Tỷ lệ tin được bấm"),
        ("messages with a click", "số tin có bấm liên kết"),
        ("messages sent whose clicks are recorded", "số tin đã gửi có ghi nhận việc bấm"),
        ("clicked", "click_known"),
        undefined="no message whose clicks are recorded",
        pitfalls=(("robots click, and links are shared", "máy quét cũng bấm liên kết, và liên kết được chia sẻ"),),
    ),
    _step(
        "C15-pay",
        ("Messages followed by a payment", "Tỷ lệ tin có khoản trả theo sau"),
        ("messages with a payment of the account within the window", "số tin có khoản trả của hồ sơ trong thời hạn"),
        _MESSAGES,
        ("paid", "sent"),
        undefined="no message sent",
        windows=("self_pay_days",),
        pitfalls=(
            (
                "many pay anyway: only a holdout tells what the message brought",
                "nhiều người đằng nào cũng trả: cần nhóm đối chứng mới biết tác dụng của tin",
            ),
            (
                "one payment may follow several messages: never add this up as money",
                "một khoản trả có thể theo sau nhiều tin: không cộng thành tiền",
            ),
        ),
    ),
)
