"""Recovery money, continued: what kind of money it was, what was waived, targets, the landing, present value and plans."""

from collect_analysis.measures.kpis.record import Kpi

_SOURCE = "domain reference 2.2"
_SCOPE = ("scope x period", "phạm vi x kỳ")
_OVERDUE = (
    "accounts open in bucket 1 or worse at a month end, followed to the next one",
    "hồ sơ đang mở ở nhóm 1 trở lên tại cuối tháng, theo dõi đến cuối tháng kế tiếp",
)


def _kpi(**given) -> Kpi:
    return Kpi(**{"source": _SOURCE, "better": "higher", "grain": _SCOPE, **given})


KPIS = (
    _kpi(
        id="R11",
        names=("New money", "Tỷ lệ tiền thu mới"),
        formula=(
            "collected on accounts with no payment in the days before it / collected",
            "số tiền thu của hồ sơ không có khoản trả nào trong các ngày trước đó / số tiền thu",
        ),
        population=(
            "what stayed of the eligible payments of the period, each looked at on its own day; money that went out of the account later is "
            "taken from its latest payments before",
            "phần còn lại của các thanh toán hợp lệ trong kỳ, xét theo ngày của từng khoản; tiền chi ra sau đó trừ vào các khoản gần nhất trước nó",
        ),
        numerator=(
            "payments with no payment of the account in the window before their day",
            "khoản thu mà trong thời hạn trước đó hồ sơ không trả",
        ),
        denominator=("what stayed of all payments", "phần còn lại của mọi khoản thanh toán"),
        unit="share",
        better="context",
        base="money_age",
        counted=("new_minor",),
        over=("collected_minor",),
        part=True,
        windows=("new_money_days",),
        undefined="nothing was collected",
        pitfalls=(
            ("the window decides what is new: compare equal windows only", "thời hạn quyết định thế nào là mới: chỉ so khi cùng thời hạn"),
        ),
    ),
    _kpi(
        id="R12",
        names=("Settlement percentage", "Tỷ lệ tất toán theo thỏa thuận"),
        formula=("settled cash / balance settled", "số tiền tất toán / dư nợ được tất toán"),
        population=("settlements kept whose last day lies in the period", "thỏa thuận tất toán đã thực hiện có ngày cuối trong kỳ"),
        grain=("settlement cohort", "nhóm thỏa thuận tất toán"),
        numerator=("amounts agreed and paid", "số tiền thỏa thuận và đã trả"),
        denominator=("balances they covered", "dư nợ được tất toán"),
        unit="share",
        better="context",
        base="settlements",
        counted=("settled_minor",),
        over=("covered_minor",),
        part=True,
        undefined="no settlement was kept in the period",
        pitfalls=(
            (
                "discounts granted to who would have paid in full are a loss: that needs a test",
                "giảm cho người lẽ ra trả đủ là mất tiền: cần thử nghiệm mới biết",
            ),
        ),
    ),
    _kpi(
        id="R12-pif",
        names=("Paid in full", "Tỷ lệ tất toán đủ"),
        formula=("accounts paid off / accounts overdue at the start", "số hồ sơ tất toán đủ / số hồ sơ quá hạn đầu kỳ"),
        population=_OVERDUE,
        grain=("account x month", "hồ sơ x tháng"),
        numerator=("accounts paid off in the month", "hồ sơ tất toán đủ trong tháng"),
        denominator=("accounts overdue at the start", "số hồ sơ quá hạn đầu kỳ"),
        unit="share",
        base="flow",
        counted=("paid_off",),
        over=("open",),
        interval="cases",
        undefined="no overdue account at the start",
    ),
    _kpi(
        id="R12-sif",
        names=("Settled for less", "Tỷ lệ tất toán có giảm"),
        formula=("accounts settled / accounts overdue at the start", "số hồ sơ tất toán có giảm / số hồ sơ quá hạn đầu kỳ"),
        population=_OVERDUE,
        grain=("account x month", "hồ sơ x tháng"),
        numerator=("accounts settled in the month", "hồ sơ tất toán có giảm trong tháng"),
        denominator=("accounts overdue at the start", "số hồ sơ quá hạn đầu kỳ"),
        unit="share",
        better="context",
        base="flow",
        counted=("settled",),
        over=("open",),
        interval="cases",
        undefined="no overdue account at the start",
        pitfalls=(
            (
                "read it next to R12: many settlements at a high discount are no success",
                "đọc cùng R12: tất toán nhiều với mức giảm sâu không phải thành công",
            ),
        ),
    ),
    _kpi(
        id="R13",
        names=("Waiver ratio", "Tỷ lệ miễn giảm"),
        formula=(
            "waived principal, interest and fees / (collected + waived)",
            "số gốc, lãi, phí được miễn giảm / (số tiền thu + số miễn giảm)",
        ),
        population=(
            "arrangements that begin in the period and were not cancelled, by holder of the account; cash of the period",
            "thỏa thuận bắt đầu trong kỳ và không bị hủy, theo người giữ hồ sơ; tiền thu trong kỳ",
        ),
        grain=("officer x month", "nhân viên x tháng"),
        numerator=("waived", "số miễn giảm"),
        denominator=("collected + waived", "số tiền thu + số miễn giảm"),
        unit="share",
        better="context",
        base="waivers",
        counted=("waived_minor",),
        over=("collected_minor", "waived_minor"),
        part=True,
        undefined="nothing was collected or waived",
        pitfalls=(
            (
                "look for waivers above the authority limit and for month-end spikes",
                "chú ý miễn giảm vượt thẩm quyền và tăng vọt cuối tháng",
            ),
        ),
    ),
    _kpi(
        id="R14",
        names=("Target attainment", "Tỷ lệ hoàn thành chỉ tiêu"),
        formula=(
            "collected / target of R1, highest approved version for exactly this period",
            "số tiền thu / chỉ tiêu R1, phiên bản đã duyệt cao nhất của đúng kỳ này",
        ),
        population=("scopes with an approved target of R1", "các phạm vi có chỉ tiêu R1 đã duyệt"),
        numerator=("collected", "số tiền thu"),
        denominator=("target", "chỉ tiêu"),
        unit="share",
        base="target",
        counted=("collected_minor",),
        over=("target_minor",),
        interval="total",
        undefined="no approved target for this period",
        outside=(
            "can exceed 100 %: more than the target may come in",
            "có thể vượt 100 %: số thu có thể lớn hơn chỉ tiêu",
        ),
        pitfalls=(
            ("a restated target is another version", "chỉ tiêu điều chỉnh là phiên bản khác"),
            (
                "the interval is that of the collected amount; the target is taken as fixed",
                "khoảng tin cậy là của số tiền thu; chỉ tiêu được xem là cố định",
            ),
        ),
    ),
    _kpi(
        id="R15",
        names=("Landing of the month", "Dự báo thu cuối tháng"),
        formula=(
            "collected to date / share of the month usually collected by this working day",
            "số tiền thu đến nay / tỷ lệ thường thu được đến ngày làm việc này",
        ),
        population=(
            "cash of the month to date; the months before it as the usual pace",
            "tiền thu của tháng đến nay; nhịp thu của các tháng trước",
        ),
        grain=("day", "ngày"),
        numerator=("collected to date", "số tiền thu đến nay"),
        denominator=(
            "mean share complete at this working day in the months before",
            "tỷ lệ hoàn thành bình quân tại ngày làm việc này của các tháng trước",
        ),
        unit="minor",
        better="context",
        measure="landing.landing",
        windows=("landing_months",),
        undefined="no month before to take the pace from",
        pitfalls=(
            (
                "spreading by working days elapsed is biased where payments bunch on salary days and at month end",
                "chia đều theo ngày làm việc bị lệch khi tiền dồn vào ngày lương và cuối tháng",
            ),
            ("no calendar of Tet in it: the month of Tet lands elsewhere", "chưa xét Tết: tháng Tết sẽ khác"),
        ),
    ),
    _kpi(
        id="R16",
        names=("Present value of recovery", "Giá trị hiện tại của số thu"),
        formula=(
            "sum of payment / (1 + rate) ^ (days since placement / 365) - costs, from placement to the end of age m",
            "tổng của khoản thu / (1 + lãi suất) ^ (số ngày từ khi giao / 365) - chi phí, từ ngày giao đến hết tuổi m",
        ),
        population=(
            "batches placed with a unit that complete age m (whole months after the month of placement) in the period",
            "các lô giao cho đơn vị đạt tuổi m (số tháng tròn sau tháng giao) trong kỳ",
        ),
        grain=("batch x unit", "lô x đơn vị"),
        numerator=(
            "discounted cash, less commission, its tax and priced contacts",
            "tiền thu chiết khấu, trừ hoa hồng, thuế và tác nghiệp",
        ),
        denominator=("none: a sum", "không có: là tổng"),
        unit="minor",
        base="net_placed",
        counted=("npv_minor",),
        interval="total",
        signed=True,
        grains=("company", "portfolio", "sub_function", "unit"),
        windows=("liquidation_months", "discount_rate"),
        undefined="no batch completes this age in the period",
        pitfalls=(("tells faster money from more money: read it next to R2", "phân biệt thu sớm với thu nhiều hơn: đọc cùng R2"),),
    ),
    _kpi(
        id="R17",
        names=("Plan yield", "Tỷ lệ thu theo kế hoạch trả góp"),
        formula=("collected under plans / plan amounts due to date", "số tiền thu theo kế hoạch / số tiền kế hoạch đến hạn đến nay"),
        population=(
            "plans running in the period, equal monthly instalments from the first day, counted from their start to the end of the period",
            "kế hoạch trả góp hiệu lực trong kỳ, các kỳ trả đều hằng tháng từ ngày đầu, tính từ khi bắt đầu đến cuối kỳ",
        ),
        grain=("plan", "kế hoạch"),
        numerator=(
            "cash on the account from the first day of the plan to the end of the period or of the plan",
            "tiền thu của hồ sơ từ ngày đầu kế hoạch đến cuối kỳ hoặc hết kế hoạch",
        ),
        denominator=("instalments fallen due", "các kỳ trả đã đến hạn"),
        unit="share",
        base="plans",
        counted=("paid_minor",),
        over=("due_minor",),
        undefined="no instalment fell due",
        outside=("can exceed 100 %: who pays ahead counts in full", "có thể vượt 100 %: khách trả trước được tính đủ"),
        pitfalls=(
            (
                "a source with unequal instalments should send each as a promise: read C8 then",
                "nguồn có kỳ trả không đều nên gửi từng kỳ như lời hứa: khi đó đọc C8",
            ),
        ),
    ),
)
