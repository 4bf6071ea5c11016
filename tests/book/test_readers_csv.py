"""CSV files: what is read, and every structural fault with file, line and fix."""

import gzip
import io
import os
from pathlib import Path

import pytest
from collect_analysis.book.readers import csv_files, csv_rows, files
from collect_analysis.book.readers.cells import Cells
from collect_analysis.book.readers.csv_files import read_csv_file
from collect_analysis.book.source_format import CsvFormat
from collect_analysis.errors import DataError
from hypothesis import given, strategies as st

HEADER = b"id,name,amount\n"


def form(**options) -> CsvFormat:
    return CsvFormat(kind="csv", **options)


def read(folder: Path, content: bytes, wanted: tuple[str, ...] = ("id", "amount"), **options) -> Cells:
    path = folder / "f.csv"
    path.write_bytes(content)
    return read_csv_file(path, "in/f.csv", form(**options), wanted)


def refusal(folder: Path, content: bytes, wanted: tuple[str, ...] = ("id", "amount"), **options) -> str:
    with pytest.raises(DataError) as refused:
        read(folder, content, wanted, **options)
    assert refused.value.exit_code == 3
    assert all(problem.startswith("in/f.csv") for problem in refused.value.problems)
    return str(refused.value)


def column(cells: Cells, name: str) -> list[str | None]:
    return [cells.columns[name].cell(row) for row in range(cells.rows)]


def test_b26_b29_cells_stay_the_text_they_are(tmp_path: Path) -> None:
    cells = read(tmp_path, HEADER + b"0012,NA,1e5\n12345678901234567890123,Null,\nnan,None,007\n")
    assert column(cells, "id") == ["0012", "12345678901234567890123", "nan"]
    assert column(cells, "name") == ["NA", "Null", "None"]
    assert column(cells, "amount") == ["1e5", None, "007"]
    assert list(cells.lines) == [2, 3, 4]


def test_b19_b17_a_byte_order_mark_and_crlf_are_no_part_of_the_data(tmp_path: Path) -> None:
    cells = read(tmp_path, b"\xef\xbb\xbf" + HEADER.replace(b"\n", b"\r\n") + "1,Nguyễn,2\r\n".encode())
    assert column(cells, "id") == ["1"]
    assert column(cells, "amount") == ["2"]


def test_quoted_delimiters_and_quotes_are_read(tmp_path: Path) -> None:
    cells = read(tmp_path, HEADER + b'1,"a, ""b""",2\n')
    assert column(cells, "name") == ['a, "b"']


def test_declared_delimiters_and_encodings_are_read(tmp_path: Path) -> None:
    cells = read(tmp_path, "id;name;amount\n1;Nguyê\u0303n;2\n".encode("cp1258"), delimiter=";", encoding="cp1258")
    assert column(cells, "name") == ["Nguyê\u0303n"]
    assert column(read(tmp_path, "id,amount\n1,2\n".encode("utf-16"), encoding="utf-16"), "amount") == ["2"]


@pytest.mark.parametrize(
    ("encoded", "told"),
    [
        ("1,Nguyễn,2\n".encode("utf-16"), "line 1: is not utf-8; it looks like UTF-16"),
        (HEADER + "1,ok,2\n2,Trâ\u0300n ðức,2\n".encode("cp1258", "ignore"), "line 3: byte 0xE2 is not utf-8; it looks like Windows Vietnamese (cp1258)"),
        (HEADER + b"1,Nguy\xd4n V\xa8n \xb5\xb7,2\n", "line 2: byte 0xD4 is not utf-8; it looks like TCVN3 (convert it first)"),
        (HEADER + b"1,M\xfcller,2\n", "line 2: byte 0xFC is not utf-8; it looks like Windows Western (cp1252)"),
    ],
)  # fmt: skip
def test_b20_another_encoding_is_refused_with_a_guess(tmp_path: Path, encoded: bytes, told: str) -> None:
    assert told in refusal(tmp_path, encoded)


def test_b20_utf_16_without_a_mark_and_utf_8_read_as_a_code_page_are_refused(tmp_path: Path) -> None:
    assert "looks like UTF-16" in refusal(tmp_path, "id,amount\n1,2\n".encode("utf-16-le"))
    assert "declare `encoding: utf-8`" in refusal(tmp_path, HEADER + "1,Nguyễn,2\n".encode(), encoding="cp1252")


def test_b22_a_ragged_line_is_refused_with_its_line(tmp_path: Path) -> None:
    told = refusal(tmp_path, HEADER + b"1,a,2\n2,b\n3,c,4,5\n")
    assert told.splitlines() == [
        "in/f.csv, line 3: has 2 cells, the header 3; mend the line, or check `delimiter`",
        "in/f.csv, line 4: has 4 cells, the header 3; mend the line, or check `delimiter`",
    ]


def test_b22_an_embedded_line_break_is_refused_and_later_lines_keep_their_numbers(tmp_path: Path) -> None:
    told = refusal(tmp_path, HEADER + b'1,"a\nb",2\n2,c,3\n3,d\n')
    assert "in/f.csv, line 2: a cell holds a line break" in told
    assert "in/f.csv, line 5: has 2 cells" in told


def test_b22_quotes_that_do_not_close_are_refused(tmp_path: Path) -> None:
    assert "a quote is not closed before the file ends" in refusal(tmp_path, HEADER + b'1,"a,2\n2,b,3\n')
    assert "line 2: text follows a closing quote" in refusal(tmp_path, HEADER + b'1,"a"b,2\n')


def test_b22_the_wrong_delimiter_is_named(tmp_path: Path) -> None:
    told = refusal(tmp_path, b"id;name;amount\n1;a;2\n")
    assert "line 1: there is no column 'id', which the mapping file names; known: id;name;amount" in told
    assert "the delimiter is declared as ',', check `delimiter`" in told


def test_b23_a_cut_last_line_is_refused_and_a_whole_one_without_line_break_noted(tmp_path: Path) -> None:
    told = refusal(tmp_path, HEADER + b"1,a,2\n2,")
    assert "line 3: has 2 cells, the header 3" in told
    assert "cut off, deliver it again" in told
    assert read(tmp_path, HEADER + b"1,a,2\n2,b,3").notes == (
        "in/f.csv: does not end with a line break; compare its rows with the sender's count",
    )
    assert read(tmp_path, HEADER + b"1,a,2\n").notes == ()


@pytest.mark.parametrize(
    ("header", "told"),
    [
        (b"id,nam,amt\n", "line 1: there is no column 'amount', which the mapping file names; did you mean 'amt'?"),
        (b"ID,name,amount\n", "line 1: there is no column 'id', which the mapping file names; did you mean 'ID'?"),
        (b"id,name,amount \n", "line 1: column name 'amount ' (column 3) is empty or has blanks at its ends"),
        (b"id,id,amount\n", "line 1: column 'id' stands 2 times; name each column once"),
        (b"id,,amount\n", "line 1: column name '' (column 2) is empty"),
    ],
)
def test_b24_r28_a_wrong_header_is_refused_with_what_was_found(tmp_path: Path, header: bytes, told: str) -> None:
    assert told in refusal(tmp_path, header + b"1,a,2\n")


def test_b24_a_header_further_down_is_refused_with_its_line(tmp_path: Path) -> None:
    assert "line 3: repeats the header" in refusal(tmp_path, HEADER + b"1,a,2\n" + HEADER + b"2,b,3\n")


def test_r28_the_order_of_columns_and_new_ones_have_no_effect(tmp_path: Path) -> None:
    cells = read(tmp_path, b"new,amount,id\nx,2,1\n")
    assert (column(cells, "id"), column(cells, "amount")) == (["1"], ["2"])


def test_b25_empty_files_are_refused_and_blank_lines_only_at_the_end_accepted(tmp_path: Path) -> None:
    assert "is empty (zero bytes)" in refusal(tmp_path, b"")
    assert "line 1: there is no header" in refusal(tmp_path, b"  \n \n")
    assert "line 3: is blank and more lines follow" in refusal(tmp_path, HEADER + b"1,a,2\n\n2,b,3\n")
    assert read(tmp_path, HEADER + b"1,a,2\n\n\n").rows == 1
    assert read(tmp_path, HEADER).rows == 0


def test_b36_gzip_is_read_whole_or_refused(tmp_path: Path) -> None:
    packed = gzip.compress(HEADER + b"1,a,2\n")
    assert read(tmp_path, packed, compression="gzip").rows == 1
    two = packed + gzip.compress(b"2,b,3\n")
    assert read(tmp_path, two, compression="gzip").rows == 2
    for broken in (packed[:-4], packed[:-8] + b"\0\0\0\0" + packed[-4:], b"id,amount\n"):
        assert "is no whole gzip file" in refusal(tmp_path, broken, compression="gzip")
    assert "declare `compression: gzip`" in refusal(tmp_path, packed)


def test_b36_a_packed_file_that_expands_beyond_its_cap_is_refused(tmp_path: Path) -> None:
    packed = gzip.compress(HEADER + b"1,a,2\n" * 200_000)
    assert len(packed) < 20_000
    assert "expands to more than 1 MiB" in refusal(tmp_path, packed, compression="gzip", max_mb=1)


def test_b37_limits_are_told_before_the_memory_is_gone(tmp_path: Path) -> None:
    assert "larger than 1 MiB" in refusal(tmp_path, b"x" * 1_100_000, max_mb=1)
    assert "a cell has more than 131,072 characters" in refusal(tmp_path, HEADER + b'1,"' + b"x" * 140_000 + b'",2\n')
    wide = ",".join(f"c{number}" for number in range(2_001)).encode()
    assert "2,001 columns, more than 2,000" in refusal(tmp_path, wide + b"\n")


def test_b38_what_is_no_regular_file_is_refused(tmp_path: Path) -> None:
    real = tmp_path / "real.csv"
    real.write_bytes(HEADER)
    (tmp_path / "link.csv").symlink_to(real)
    os.mkfifo(tmp_path / "pipe.csv")
    for name in ("link.csv", "pipe.csv", "."):
        with pytest.raises(DataError, match=f"{name}: is not a regular file|cannot be read"):
            read_csv_file(tmp_path / name, name, form(), ())
    with pytest.raises(DataError, match=r"gone\.csv: cannot be read"):
        read_csv_file(tmp_path / "gone.csv", "gone.csv", form(), ())


@pytest.mark.parametrize("how", ["grown", "overwritten", "replaced", "removed"])
def test_r24_r25_a_file_that_changes_while_it_is_read_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str) -> None:
    path = tmp_path / "f.csv"
    path.write_bytes(HEADER + b"1,a,2\n")
    before = path.stat()
    whole = csv_files._read

    def slowly(*arguments):
        result = whole(*arguments)
        if how == "grown":
            with path.open("ab") as handle:
                handle.write(b"2,b,3\n")
        elif how == "overwritten":
            # The same size and time of change, other bytes: only the hash tells.
            path.write_bytes(HEADER + b"1,a,9\n")
            os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
        elif how == "replaced":
            (tmp_path / "new.csv").write_bytes(HEADER + b"1,a,2\n")
            os.replace(tmp_path / "new.csv", path)
        else:
            path.unlink()
        return result

    monkeypatch.setattr(csv_files, "_read", slowly)
    with pytest.raises(DataError, match=r"in/f\.csv: changed while it was read; wait until it is delivered whole"):
        read_csv_file(path, "in/f.csv", form(), ("id",))


def test_the_hash_is_of_the_bytes_delivered(tmp_path: Path) -> None:
    path = tmp_path / "f.csv"
    path.write_bytes(b"abc")
    with files.held_still(path, "f.csv", max_mb=1) as file:
        # FIPS 180-2, appendix B.1.
        assert file.content_hash == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_problems_beyond_one_chunk_keep_their_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_rows, "CHUNK_ROWS", 3)
    body = b"".join(b"%d,a,2\n" % number for number in range(10))
    assert "line 13: has 1 cells" in refusal(tmp_path, HEADER + body + b"\n"[:0] + b"11,a,2\nx\n")
    cells = read(tmp_path, HEADER + body)
    assert column(cells, "id") == [str(number) for number in range(10)]
    assert list(cells.lines) == list(range(2, 12))


texts = st.text(
    st.characters(codec="utf-8", exclude_characters="\r\n\x85\u2028\u2029\x0b\x0c\x1c\x1d\x1e", exclude_categories=["Cs"]), max_size=6
)


@given(rows=st.lists(st.tuples(texts, texts), min_size=1, max_size=8), quoted=st.lists(st.booleans(), min_size=18, max_size=18))
def test_what_a_csv_writer_wrote_is_read_back(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str]], quoted: list[bool]
) -> None:
    quote = iter(quoted)
    out = io.StringIO()
    for row in [("a", "b"), *rows]:
        cells = ['"' + cell.replace('"', '""') + '"' if next(quote) or set(cell) & set(',"') else cell for cell in row]
        out.write(",".join(cells) + "\n")
    path = tmp_path_factory.getbasetemp() / "round.csv"
    path.write_bytes(out.getvalue().encode())
    if ("a", "b") in rows:
        return
    found = read_csv_file(path, "round.csv", form(), ("a", "b"))
    assert list(zip(column(found, "a"), column(found, "b"), strict=True)) == [tuple(cell or None for cell in row) for row in rows]


@given(content=st.binary(max_size=200) | st.text('ab,"\n\r\0é', max_size=60).map(str.encode), gzipped=st.booleans())
def test_any_bytes_are_read_or_refused_with_a_sentence(tmp_path_factory: pytest.TempPathFactory, content: bytes, gzipped: bool) -> None:
    path = tmp_path_factory.getbasetemp() / "any.csv"
    path.write_bytes(gzip.compress(content) if gzipped else content)
    problems: tuple[str, ...] = ()
    try:
        read_csv_file(path, "any.csv", form(compression="gzip" if gzipped else "none"), ("a",))
    except DataError as refused:
        problems = refused.problems
    assert all(problem.startswith("any.csv") for problem in problems)
    assert problems or b"a" in content
