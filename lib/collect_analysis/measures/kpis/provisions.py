"""What lasts and what the bank reports: sustained cures, entries, regulatory groups and provisions."""

from collect_analysis.measures.kpis.record import Kpi

_SOURCE = "domain reference 2.1"
_CURED = (
    "accounts that went from overdue to current by payment at a month end",
    "hồ sơ từ quá hạn về nhóm 0 nhờ trả nợ tại ngày cuối tháng",
)

KPIS = (
    Kpi(
        id="F7",
        names=("Sustained cure", "Tỷ lệ về nhóm 0 bền vững"),
        formula=(
            "cures with no month end in bucket 1 or worse within the window / cures",
            "số hồ sơ về nhóm 0 và không quay lại nhóm 1 trở lên trong thời hạn / số hồ sơ về nhóm 0",
        ),
        population=(
            f"{_CURED[0]}, whose window ends in the period; what left or is not seen any more without falling back counts as sustained",
            f"{_CURED[1]}, có thời hạn kết thúc trong kỳ; hồ sơ rời đi hoặc không còn thấy mà chưa tái quá hạn được tính là bền vững",
        ),
        grain=("cure cohort", "nhóm hồ sơ khỏi cùng tháng"),
        numerator=("cures that lasted", "số hồ sơ về nhóm 0 không tái quá hạn"),
        denominator=("cures whose window is over", "số hồ sơ về nhóm 0 đã hết thời hạn"),
        unit="share",
        better="higher",
        base="cures",
        counted=("sustained",),
        over=("followed",),
        interval="cases",
        windows=("sustained_months",),
        undefined="no cure whose window ends in the period",
        source=_SOURCE,
        pitfalls=(
            (
                "only cohorts with full follow-up: the cures of last month say nothing yet",
                "chỉ tính nhóm đã theo dõi đủ: hồ sơ khỏi tháng trước chưa nói lên điều gì",
            ),
            (
                "where many leave or are not seen any more read the curve F7-curve",
                "nếu nhiều hồ sơ rời đi hoặc không còn thấy, hãy đọc đường cong F7-curve",
            ),
            (
                "read at month ends: a fall and a return within one month is not seen",
                "đọc tại cuối tháng: tái quá hạn rồi trả trong cùng tháng sẽ không thấy",
            ),
        ),
    ),
    Kpi(
        id="F7-curve",
        names=("Sustained cure, month by month", "Đường cong về nhóm 0 bền vững"),
        formula=(
            "Kaplan-Meier share of cures without a month end in bucket 1 or worse, by months since the cure",
            "tỷ lệ Kaplan-Meier của hồ sơ về nhóm 0 chưa tái quá hạn, theo số tháng từ khi khỏi",
        ),
        population=(
            f"{_CURED[0]}, within twice the window before the end of the period; those that left or are not seen any more are censored",
            f"{_CURED[1]}, trong hai lần thời hạn trước cuối kỳ; hồ sơ rời đi hoặc không còn thấy được xem là ngừng theo dõi",
        ),
        grain=("cures x month", "hồ sơ khỏi x tháng"),
        numerator=("cures that fell back in the month", "số hồ sơ tái quá hạn trong tháng"),
        denominator=("cures still followed and not fallen back", "số hồ sơ còn theo dõi và chưa tái quá hạn"),
        unit="share",
        better="higher",
        measure="sustained_cure.curve",
        windows=("sustained_months",),
        undefined="no cure to follow",
        source=_SOURCE,
        pitfalls=(("censoring must not depend on falling back", "việc ngừng theo dõi không được liên quan đến tái quá hạn"),),
    ),
    Kpi(
        id="F8",
        names=("Broken arrangements", "Tỷ lệ vỡ thỏa thuận"),
        formula=(
            "arrangements broken within the window after they were made / arrangements made",
            "số thỏa thuận bị vỡ trong thời hạn kể từ khi lập / số thỏa thuận đã lập",
        ),
        population=(
            "settlements, restructurings and plans whose window ends in the period; cancelled ones are not in it",
            "thỏa thuận tất toán, cơ cấu và trả góp có thời hạn kết thúc trong kỳ; không gồm thỏa thuận bị hủy",
        ),
        grain=("arrangement cohort", "nhóm thỏa thuận cùng tháng lập"),
        numerator=("arrangements broken by the end of the window", "số thỏa thuận bị vỡ đến hết thời hạn"),
        denominator=("arrangements made", "số thỏa thuận đã lập"),
        unit="share",
        better="lower",
        base="arrangements",
        counted=("broken",),
        over=("made",),
        interval="cases",
        windows=("arrangement_days",),
        undefined="no arrangement whose window ends in the period",
        source=_SOURCE,
        pitfalls=(
            (
                "a broken arrangement without a day counts as broken in time: never the better number",
                "thỏa thuận vỡ không rõ ngày được tính là vỡ trong hạn: không chọn số đẹp hơn",
            ),
        ),
    ),
    Kpi(
        id="F9",
        names=("Migration of debt groups", "Chuyển nhóm nợ theo quy định"),
        formula=(
            "debtors by group at opening and at close / debtors of the opening group",
            "số khách hàng theo nhóm nợ đầu kỳ và cuối kỳ / số khách hàng của nhóm đầu kỳ",
        ),
        population=(
            "debtors with an open debt on the balance sheet in a regulatory group at a month end; the group of a debtor is that of the worst debt",
            "khách hàng có khoản nợ nội bảng đang mở thuộc nhóm nợ 1-5 tại cuối tháng; nhóm của khách hàng là nhóm của khoản nợ xấu nhất",
        ),
        grain=("debtor x month", "khách hàng x tháng"),
        numerator=("debtors of the cell", "số khách hàng của ô"),
        denominator=("debtors of the row", "số khách hàng của dòng"),
        unit="share",
        better="context",
        measure="groups.group_migration",
        undefined="no debtor in this group",
        source=_SOURCE,
        pitfalls=(
            (
                "by debtor and worst debt of this book; the credit bureau may know a worse one",
                "theo khách hàng và khoản nợ xấu nhất trong sổ; CIC có thể ghi nhận nhóm xấu hơn",
            ),
            ("restructured debt goes up a group", "nợ được cơ cấu bị chuyển lên nhóm rủi ro cao hơn"),
        ),
    ),
    Kpi(
        id="F10",
        names=("Specific provision released", "Dự phòng cụ thể được hoàn nhập"),
        formula=(
            "sum of (provision rate of the opening group - rate of the closing group) x opening balance",
            "tổng (tỷ lệ dự phòng nhóm đầu kỳ - tỷ lệ nhóm cuối kỳ) x dư nợ đầu kỳ",
        ),
        population=(
            "open debts on the balance sheet with a regulatory group at a month end, by the debtor's worst group; "
            "paid off: rate 0 at close; other exits: no change",
            "khoản nợ nội bảng đang mở có nhóm nợ tại cuối tháng, theo nhóm xấu nhất của khách hàng; tất toán: tỷ lệ cuối kỳ bằng 0; rời khác: không đổi",
        ),
        grain=("account x month", "hồ sơ x tháng"),
        numerator=("provision released, less provision added", "dự phòng hoàn nhập trừ dự phòng trích thêm"),
        denominator=("none: a sum", "không có: là tổng"),
        unit="minor",
        better="higher",
        base="groups",
        counted=("released_parts",),
        interval="total",
        parts=10_000,
        signed=True,
        windows=("provision_rates",),
        undefined="no debt with a regulatory group at the start",
        source=_SOURCE,
        pitfalls=(
            ("no cash: keep it apart from what was collected", "không phải tiền thu: tách riêng khỏi số tiền thu được"),
            ("unsecured debt: no collateral is deducted", "nợ không tài sản bảo đảm: không khấu trừ tài sản"),
        ),
    ),
    Kpi(
        id="F11",
        names=("Self-cure rate", "Tỷ lệ tự trả"),
        formula=(
            "entries paid with no human contact / entries",
            "số hồ sơ mới quá hạn có trả mà không ai liên hệ trực tiếp / số hồ sơ mới quá hạn",
        ),
        population=(
            "accounts current at one month end and overdue at the next, followed through the month after",
            "hồ sơ ở nhóm 0 cuối tháng trước và quá hạn cuối tháng sau, theo dõi trong tháng tiếp theo",
        ),
        grain=("entry cohort", "nhóm hồ sơ mới quá hạn cùng tháng"),
        numerator=(
            "entries that paid in the month with no conversation by call or visit",
            "hồ sơ có trả trong tháng và không có cuộc gọi hay lần gặp nào",
        ),
        denominator=("entries", "số hồ sơ mới quá hạn"),
        unit="share",
        better="context",
        base="entries",
        counted=("self_cured",),
        over=("entered",),
        interval="cases",
        windows=("human_channels",),
        undefined="no account entered",
        source=_SOURCE,
        pitfalls=(
            (
                "causal only with a holdout that is not contacted; else it is selection",
                "chỉ mang tính nhân quả khi có nhóm đối chứng không liên hệ; nếu không là do chọn lọc",
            ),
        ),
    ),
    Kpi(
        id="F11-entry",
        names=("Entry rate", "Tỷ lệ mới quá hạn"),
        formula=("accounts overdue at close / accounts current at the start", "số hồ sơ quá hạn cuối kỳ / số hồ sơ ở nhóm 0 đầu kỳ"),
        population=(
            "accounts open and current at a month end, followed to the next one",
            "hồ sơ đang mở ở nhóm 0 tại cuối tháng, theo dõi đến cuối tháng kế tiếp",
        ),
        grain=("account x month", "hồ sơ x tháng"),
        numerator=("accounts overdue at close", "hồ sơ quá hạn cuối kỳ"),
        denominator=("accounts current at the start", "hồ sơ ở nhóm 0 đầu kỳ"),
        unit="share",
        better="lower",
        base="current",
        counted=("entered",),
        over=("current",),
        interval="cases",
        undefined="no current account at the start",
        source=_SOURCE,
        pitfalls=(
            ("needs the current accounts in the book, not only overdue ones", "sổ phải có cả hồ sơ nhóm 0, không chỉ hồ sơ quá hạn"),
        ),
    ),
)
