"""Dates and numbers from text as people write them. What cannot be read becomes null, for the caller to name."""

import re

import polars as pl

NULL_WORDS = ["", "null", "NULL", "None", "nan", "NaN", "NA", "N/A", "#N/A", "-"]
FIRST_YEAR, LAST_YEAR = 1000, 9999  # four digits; and Polars reaches further than Python's calendar

TIME_OF_DAY = r"[T ]+\d{1,2}:\d{2}.*$"  # T00:00:00-04:00 of 2010-08-20T00:00:00-04:00
MONTH_FIRST, DAY_FIRST = "%m-%d-%Y", "%d-%m-%Y"
DATE_FORMATS = ("%Y-%m-%d", "%Y%m%d", MONTH_FIRST, DAY_FIRST, "%d-%b-%Y", "%b-%d-%Y", "%d-%b-%y")

MONEY = r"^([+-]?)\s*[$€£¥]\s*"
QUIET = " \u00a0\u2009\u202f'\u2019"  # what groups thousands and nothing else
QUIETLY_GROUPED = rf"^[+-]?\d{{1,3}}(?:[{QUIET}]\d{{3}})+(?:[.,]\d*)?$"
POINT, COMMA = ".", ","
DOUBTFUL = r"^[+-]?[1-9]\d{0,2}[.,]\d{3}$"  # 10,500 and 10.500
BEGINNING = 1000  # cells
MAGNITUDES = {"K": 1e3, "M": 1e6, "B": 1e9}


def dates(text: pl.Series) -> pl.Series:
    """The dates in ``text``, all read in the one format that fits most cells; a time of day is passed over."""
    distinct = _distinct(text)
    attempts = _attempts(distinct)
    best = min(attempts.values(), key=lambda attempt: attempt.null_count())
    return text.replace_strict(distinct, best, default=None, return_dtype=pl.Date)


def doubtful_date(text: pl.Series) -> str | None:
    """An ambiguous date, which may be read month first or day first, where nothing in ``text`` shows which is meant; else None."""
    distinct = _distinct(text)
    attempts = _attempts(distinct)
    month_first, day_first = attempts[MONTH_FIRST], attempts[DAY_FIRST]
    if month_first.has_nulls() or day_first.has_nulls():
        return None
    doubtful = distinct.filter(month_first != day_first)
    return None if doubtful.is_empty() else str(doubtful.min())


def in_years(found: pl.Series) -> pl.Series:
    """The dates whose year has four digits, null in place of the others."""
    return found.set(~found.dt.year().is_between(FIRST_YEAR, LAST_YEAR), None)


def numbers(text: pl.Series, decimal_sign: str = POINT) -> pl.Series:
    """The numbers in ``text``: also 1,234.5, 1 234.5, 1'234.5, $12.3 and 67.9M, or with decimal commas 1.234,5 and 12,3."""
    if decimal_sign == POINT:
        read = text.cast(pl.Float64, strict=False)
        odd = text.filter(text.is_not_null() & read.is_null())
        if odd.is_empty():
            return read
    else:
        read, odd = pl.Series(text.name, [None], pl.Float64).new_from_index(0, text.len()), text
    distinct = _distinct(odd)
    return read.fill_null(text.replace_strict(distinct, _cleaned(distinct, decimal_sign), default=None, return_dtype=pl.Float64))


def sure_signs(text: pl.Series) -> set[str]:
    """The decimal signs, points or commas, that are certain: in numbers such as 1,234.5 or 12,34 no other reading is possible."""
    as_is = text.cast(pl.Float64, strict=False).is_not_null()
    odd = _plain(_distinct(text.filter(~as_is)))
    signs = {sign for sign in (POINT, COMMA) if odd.str.contains(_sure(sign)).any()}
    # What Polars reads as it is can prove nothing but a point, and a column's beginning mostly does.
    plain = text.filter(as_is)
    for cells in (plain.head(BEGINNING), plain):
        if POINT not in signs and _distinct(cells).str.contains(_sure(POINT)).any():
            signs.add(POINT)
    return signs


def doubtful_number(text: pl.Series) -> str | None:
    """An ambiguous number such as 10,500 or 10.500, where every cell with a point or a comma may group thousands or have decimals."""
    signed = _distinct(text.filter(text.str.contains(r"\d[.,]|[.,]\d")))
    doubtful = signed.len() > 0 and _plain(signed).str.contains(DOUBTFUL).all()
    return str(signed.min()) if doubtful else None


def both_readings(doubtful: str) -> str:
    """Both readings of an ambiguous number, written unambiguously: "10500 or 10.5000"."""
    digits = re.sub(r"[^\d.,]", "", doubtful)
    return f"{re.sub('[.,]', '', digits)} or {float(digits.replace(COMMA, POINT)):.4f}"


def _distinct(text: pl.Series) -> pl.Series:
    # A panel repeats its few sessions for each symbol: parsing each once is many times faster.
    return text.drop_nulls().unique()


def _attempts(text: pl.Series) -> dict[str, pl.Series]:
    """The dates that each format reads. All ways to write a date come down to parts between hyphens, months in three letters."""
    plain = text.str.replace(TIME_OF_DAY, "").str.strip_chars()
    plain = plain.str.replace_all(r"[\s,./-]+", "-").str.replace(r"([A-Za-z]{3})[a-z]*", "${1}")
    return {form: in_years(plain.str.to_date(form, strict=False)) for form in DATE_FORMATS}


def _plain(text: pl.Series) -> pl.Series:
    """Without currency, magnitude, and what groups thousands and can do nothing else."""
    plain = text.str.strip_chars().str.replace(MONEY, "${1}").str.replace(r"\s*[KMB]$", "")
    return plain.zip_with(~plain.str.contains(QUIETLY_GROUPED), plain.str.replace_all(f"[{QUIET}]", ""))


def _sure(sign: str) -> str:
    point, group = (r"\.", ",") if sign == POINT else (",", r"\.")
    thousands = rf"\d{{1,3}}(?:{group}\d{{3}})"
    decimals = rf"\d{{4,}}{point}\d+|0*{point}\d+|\d+{point}(?:\d{{1,2}}|\d{{4,}})"
    return rf"^[+-]?(?:{thousands}(?:{group}\d{{3}})+|{thousands}+{point}\d*|{decimals})(?:[eE][+-]?\d+)?$"


def _cleaned(text: pl.Series, sign: str) -> pl.Series:
    magnitude = text.str.strip_chars().str.extract(r"\d\s*([KMB])$")
    group = COMMA if sign == POINT else POINT
    plain = _plain(text)
    grouped = plain.str.contains(rf"^[+-]?\d{{1,3}}(?:[{group}]\d{{3}})+(?:[{sign}]\d*)?$")
    plain = plain.zip_with(~grouped, plain.str.replace_all(group, "", literal=True))
    if sign == COMMA:
        plain = plain.set(plain.str.contains(POINT, literal=True), None).str.replace(COMMA, POINT, literal=True)
    return plain.cast(pl.Float64, strict=False) * magnitude.replace_strict(MAGNITUDES, default=1.0, return_dtype=pl.Float64)
