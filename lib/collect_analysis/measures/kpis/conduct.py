"""Conduct and service: limits, complaints, quality, answers in time, recalls and remittances."""

from collect_analysis.measures.kpis.record import Kpi

_SOURCE = "domain reference 2.6"
_UNITS = ("company", "portfolio", "sub_function", "unit")
_UNIT = ("unit x period", "đơn vị x kỳ")
_OPENED = ("complaints opened", "số khiếu nại mới")
_ABOUT_ACCOUNTS = (
    "complaints opened in the period and assigned accounts contacted, both by who held the account",
    "khiếu nại mới trong kỳ và hồ sơ được giao đã liên hệ, đều tính cho bên giữ hồ sơ",
)
_ABOUT_CONTACTS = (
    "complaints opened in the period, by the unit they name, else the holder; right-party contacts, by who made them",
    "khiếu nại mới trong kỳ, theo đơn vị bị nêu tên, nếu không có thì theo người giữ; số lần gặp đúng người, theo bên thực hiện",
)
_OUTBOUND = ("outbound contacts", "số liên hệ chiều đi")


def _kpi(**given) -> Kpi:
    return Kpi(**{"source": _SOURCE, "grain": _UNIT, "better": "lower", "grains": _UNITS, **given})


KPIS = (
    _kpi(
        id="Q1",
        names=("Breaches of contact limits", "Tỷ lệ vi phạm giới hạn liên hệ"),
        formula=(
            "outbound contacts in breach of at least one rule / outbound contacts x 1,000",
            "số liên hệ chiều đi vi phạm ít nhất một quy tắc / số liên hệ chiều đi x 1.000",
        ),
        population=(
            "all outbound contacts, by the unit and officer who made them; the daily limit counts per debtor over all units",
            "mọi liên hệ chiều đi, theo đơn vị và nhân viên thực hiện; giới hạn ngày tính theo khách hàng trên mọi đơn vị",
        ),
        grain=("rule x unit x period", "quy tắc x đơn vị x kỳ"),
        numerator=("outbound contacts in breach of a rule", "số liên hệ chiều đi vi phạm quy tắc"),
        denominator=_OUTBOUND,
        unit="per_1000",
        base="breaches",
        counted=("breach",),
        over=("outbound",),
        scale=1000.0,
        grains=(*_UNITS, "officer"),
        undefined="no outbound contact",
        source="domain reference 2.6, 10.2",
        pitfalls=(
            (
                "the sixth contact of a day is a breach even where each unit made three",
                "liên hệ thứ sáu trong ngày là vi phạm dù mỗi đơn vị chỉ gọi ba lần",
            ),
            ("logs loaded late restate it", "nhật ký nạp trễ làm số thay đổi"),
        ),
    ),
    _kpi(
        id="Q2",
        names=("Complaints per 10,000 accounts contacted", "Số khiếu nại trên 10.000 hồ sơ đã liên hệ"),
        formula=("complaints opened / accounts contacted x 10,000", "số khiếu nại mới / số hồ sơ đã liên hệ x 10.000"),
        population=_ABOUT_ACCOUNTS,
        numerator=_OPENED,
        denominator=("assigned accounts that a contact or message reached", "hồ sơ được giao có liên hệ hoặc tin nhắn đến nơi"),
        unit="per_10000",
        base="complaints",
        counted=("complaints",),
        over=("contacted",),
        scale=10_000.0,
        undefined="no account contacted",
        pitfalls=(
            (
                "a complaint counts with the holder of the account even where it names another unit: Q2-rpc counts it with the unit named",
                "khiếu nại tính cho bên giữ hồ sơ kể cả khi nêu tên đơn vị khác: Q2-rpc tính cho đơn vị bị nêu tên",
            ),
            ("a unit that tells debtors how to complain has more of them", "đơn vị hướng dẫn khách khiếu nại sẽ có nhiều khiếu nại hơn"),
        ),
    ),
    _kpi(
        id="Q2-rpc",
        names=("Complaints per 1,000 right-party contacts", "Số khiếu nại trên 1.000 lần gặp đúng người"),
        formula=("complaints opened / right-party contacts x 1,000", "số khiếu nại mới / số lần gặp đúng người x 1.000"),
        population=_ABOUT_CONTACTS,
        numerator=_OPENED,
        denominator=("right-party contacts", "số lần gặp đúng người"),
        unit="per_1000",
        base="complaints",
        counted=("complaints_of",),
        over=("right_party",),
        scale=1000.0,
        undefined="no right-party contact",
        pitfalls=(("messages also make people complain: read it next to Q2", "tin nhắn cũng gây khiếu nại: đọc cùng Q2"),),
    ),
    _kpi(
        id="Q3",
        names=("Complaints upheld", "Tỷ lệ khiếu nại có cơ sở"),
        formula=(
            "complaints found justified / complaints closed with a finding",
            "số khiếu nại được xác nhận đúng / số khiếu nại đã đóng có kết luận",
        ),
        population=(
            "complaints closed in the period, by the unit concerned, else the holder",
            "khiếu nại đóng trong kỳ, theo đơn vị liên quan, nếu không có thì theo người giữ",
        ),
        numerator=("complaints found justified", "số khiếu nại được xác nhận đúng"),
        denominator=("complaints closed with a finding", "số khiếu nại đã đóng có kết luận"),
        unit="share",
        base="closed_complaints",
        counted=("upheld",),
        over=("found",),
        interval="cases",
        undefined="no complaint closed with a finding",
        pitfalls=(
            ("who judges matters: a finding by the unit itself is none", "ai kết luận là quan trọng: đơn vị tự kết luận thì không tính"),
        ),
    ),
    _kpi(
        id="Q4",
        names=("Contacts with people who must not be told", "Tỷ lệ liên hệ sai đối tượng"),
        formula=(
            "outbound contacts with a forbidden party / outbound contacts x 1,000",
            "số liên hệ chiều đi với người không được phép / số liên hệ chiều đi x 1.000",
        ),
        population=(
            "all outbound contacts, by the unit and officer who made them",
            "mọi liên hệ chiều đi, theo đơn vị và nhân viên thực hiện",
        ),
        grain=("unit x period", "đơn vị x kỳ"),
        numerator=("outbound contacts with a party that the rules forbid", "số liên hệ chiều đi với đối tượng bị cấm"),
        denominator=_OUTBOUND,
        unit="per_1000",
        base="breaches",
        counted=("party",),
        over=("outbound",),
        scale=1000.0,
        grains=(*_UNITS, "officer"),
        undefined="no outbound contact",
        source="domain reference 2.6, 10.2",
        pitfalls=(
            (
                "an upper bound of disclosures: no log says what was told, quality checks do",
                "là cận trên của việc tiết lộ: nhật ký không ghi đã nói gì, phải kiểm tra chất lượng",
            ),
        ),
    ),
    _kpi(
        id="Q5",
        names=("Critical fails in quality checks", "Tỷ lệ lỗi nghiêm trọng khi kiểm tra chất lượng"),
        formula=(
            "weighted contacts with a critical fail / weighted contacts sampled",
            "số liên hệ có lỗi nghiêm trọng theo trọng số / số liên hệ được chọn theo trọng số",
        ),
        population=(
            "contacts assessed in the period, each once by its first assessment; weight: the contacts it stands for, 1 where unknown",
            "liên hệ được đánh giá trong kỳ, mỗi liên hệ một lần theo lần đánh giá đầu; trọng số: số liên hệ mà nó đại diện, không rõ thì bằng 1",
        ),
        grain=("officer x period", "nhân viên x kỳ"),
        numerator=("contacts that the failed ones stand for", "số liên hệ mà các lỗi đại diện"),
        denominator=("contacts that the sampled ones stand for", "số liên hệ mà mẫu đại diện"),
        unit="share",
        base="quality",
        counted=("failed",),
        over=("sampled",),
        parts=1000,
        part=True,
        grains=("company", "sub_function", "unit", "officer"),
        undefined="no contact was assessed",
        pitfalls=(
            (
                "more checks of risky calls look like worse conduct: use the weights",
                "kiểm tra nhiều cuộc gọi rủi ro trông như hành xử tệ hơn: phải dùng trọng số",
            ),
        ),
    ),
    _kpi(
        id="Q6",
        names=("Answered in time", "Tỷ lệ xử lý đúng hạn"),
        formula=(
            "tickets closed by their due time / (tickets closed + tickets open past it)",
            "số yêu cầu đóng đúng hạn / (số yêu cầu đã đóng + số yêu cầu còn mở quá hạn)",
        ),
        population=(
            "tickets that we or an agency must act on: closed in the period, or open and overdue at its end",
            "yêu cầu mà công ty hoặc đối tác phải xử lý: đóng trong kỳ, hoặc còn mở và quá hạn cuối kỳ",
        ),
        numerator=("tickets closed in the period by their due time", "số yêu cầu đóng trong kỳ đúng hạn"),
        denominator=(
            "tickets closed in the period, and those open past their due time at its end",
            "số yêu cầu đóng trong kỳ, và số còn mở quá hạn cuối kỳ",
        ),
        unit="share",
        better="higher",
        base="tickets",
        counted=("in_time",),
        over=("judged",),
        interval="cases",
        windows=("sla_owner_sides",),
        undefined="no ticket closed or overdue",
        pitfalls=(
            (
                "open overdue tickets belong in the denominator: without them delay improves the rate",
                "yêu cầu còn mở quá hạn phải nằm trong mẫu số: nếu không, càng trễ tỷ lệ càng đẹp",
            ),
        ),
    ),
    _kpi(
        id="Q7",
        names=("Disputes per 10,000 accounts", "Số tranh chấp trên 10.000 hồ sơ"),
        formula=("disputes opened / accounts assigned x 10,000", "số tranh chấp mới / số hồ sơ được giao x 10.000"),
        population=(
            "disputes opened in the period and accounts assigned, both by who held the account",
            "tranh chấp mới trong kỳ và hồ sơ được giao, đều tính cho bên giữ hồ sơ",
        ),
        numerator=("disputes opened", "số tranh chấp mới"),
        denominator=("accounts assigned", "số hồ sơ được giao"),
        unit="per_10000",
        base="disputes",
        counted=("disputes",),
        over=("assigned",),
        scale=10_000.0,
        undefined="no account assigned",
        pitfalls=(
            ("a wrong balance in the feed makes disputes: look at the feed first", "dữ liệu dư nợ sai gây tranh chấp: xem dữ liệu trước"),
        ),
    ),
    _kpi(
        id="Q7-age",
        names=("Age of open disputes", "Tuổi tranh chấp còn mở"),
        formula=(
            "days since opening of the disputes open at the end / disputes open at the end",
            "số ngày từ khi mở của tranh chấp còn mở cuối kỳ / số tranh chấp còn mở cuối kỳ",
        ),
        population=("disputes open at the end of the period", "tranh chấp còn mở cuối kỳ"),
        numerator=("days since opening", "số ngày từ khi mở"),
        denominator=("disputes open at the end", "số tranh chấp còn mở cuối kỳ"),
        unit="days",
        base="open_disputes",
        counted=("age_days",),
        over=("open",),
        undefined="no dispute open",
        pitfalls=(
            ("the mean of those still open: closing the young ones raises it", "bình quân của số còn mở: đóng các vụ mới sẽ làm tuổi tăng"),
        ),
    ),
    _kpi(
        id="Q8",
        names=("Recalls done in time", "Tỷ lệ trả hồ sơ thu hồi đúng hạn"),
        formula=(
            "recalls ended within the hours after the request / recalls whose hours ran out in the period",
            "số hồ sơ thu hồi đã kết thúc trong số giờ quy định / số yêu cầu thu hồi hết hạn trong kỳ",
        ),
        population=(
            "placements whose recall was requested and fell due in the period",
            "các lượt giao có yêu cầu thu hồi đến hạn trong kỳ",
        ),
        numerator=("recalls ended in time", "số hồ sơ thu hồi đúng hạn"),
        denominator=("recalls that fell due, done or not", "số yêu cầu thu hồi đến hạn, đã hoặc chưa làm"),
        unit="share",
        better="higher",
        base="recalls",
        counted=("in_time",),
        over=("fell_due",),
        interval="cases",
        windows=("recall_hours",),
        undefined="no recall fell due",
        pitfalls=(
            ("a recall not done yet belongs in the denominator", "yêu cầu chưa làm vẫn nằm trong mẫu số"),
            (
                "needs the time of request and of the end: a day is too coarse for hours",
                "cần giờ yêu cầu và giờ kết thúc: chỉ có ngày thì không đủ",
            ),
        ),
    ),
    _kpi(
        id="Q9",
        names=("Remitted in time", "Tỷ lệ nộp tiền đúng hạn"),
        formula=(
            "cash of agencies remitted within the days / cash of agencies whose days ran out in the period",
            "tiền đối tác thu đã nộp trong số ngày quy định / tiền đối tác thu hết hạn nộp trong kỳ",
        ),
        population=(
            "counted payments that an agency took and whose last day to remit lies in the period",
            "thanh toán được tính do đối tác thu có hạn nộp trong kỳ",
        ),
        numerator=("remitted in time", "số tiền nộp đúng hạn"),
        denominator=("due to be remitted, remitted or not", "số tiền phải nộp, đã hoặc chưa nộp"),
        unit="share",
        better="higher",
        base="remittances",
        counted=("in_time_minor",),
        over=("due_minor",),
        part=True,
        windows=("remit_days",),
        undefined="nothing was due to be remitted",
        pitfalls=(("money not remitted yet belongs in the denominator", "tiền chưa nộp vẫn nằm trong mẫu số"),),
    ),
    _kpi(
        id="Q10",
        names=("Data-subject requests in time", "Tỷ lệ yêu cầu về dữ liệu cá nhân đúng hạn"),
        formula=(
            "data-subject requests closed by their due time / (closed + open past it)",
            "số yêu cầu về dữ liệu cá nhân đóng đúng hạn / (số đã đóng + số còn mở quá hạn)",
        ),
        population=(
            "data-subject requests that we or an agency must act on: closed in the period, or open and overdue at its end",
            "yêu cầu về dữ liệu cá nhân mà công ty hoặc đối tác phải xử lý: đóng trong kỳ, hoặc còn mở và quá hạn cuối kỳ",
        ),
        numerator=("requests closed in the period by their due time", "số yêu cầu đóng trong kỳ đúng hạn"),
        denominator=(
            "requests closed in the period, and those open past their due time at its end",
            "số yêu cầu đóng trong kỳ, và số còn mở quá hạn cuối kỳ",
        ),
        unit="share",
        better="higher",
        base="tickets",
        counted=("subject_in_time",),
        over=("subject_judged",),
        interval="cases",
        windows=("sla_owner_sides",),
        undefined="no request closed or overdue",
        pitfalls=(("few cases: read the interval", "ít trường hợp: hãy đọc khoảng tin cậy"),),
    ),
)
