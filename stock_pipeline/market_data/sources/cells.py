"""Dates and numbers from text as people write them. What cannot be read becomes null, for the caller to name."""

import polars as pl

NULL_WORDS = ["", "null", "NULL", "None", "nan", "NaN", "NA", "N/A", "#N/A", "-"]
FIRST_YEAR, LAST_YEAR = 1000, 9999  # four digits; and Polars reaches further than Python's calendar

TIME_OF_DAY = r"[T ]+\d{1,2}:\d{2}.*$"  # T00:00:00-04:00 of 2010-08-20T00:00:00-04:00
MONTH_FIRST, DAY_FIRST = "%m-%d-%Y", "%d-%m-%Y"
DATE_FORMATS = ("%Y-%m-%d", "%Y%m%d", MONTH_FIRST, DAY_FIRST, "%d-%b-%Y", "%b-%d-%Y", "%d-%b-%y")

MONEY = r"^([+-]?)\s*[$€£¥]\s*"
GROUPED = r"^[+-]?\d{1,3}(,\d{3})+(\.\d*)?$"
SURELY_GROUPED = r",\d{3}[,.]"  # 1,234,567 or 1,234.5, where 1,234 might be a little more than one
MAGNITUDES = {"K": 1e3, "M": 1e6, "B": 1e9}


def dates(text: pl.Series) -> pl.Series:
    """The dates that ``text`` says, all in the one format that reads most of it; a time of day is passed over."""
    distinct = _distinct(text)
    attempts = _attempts(distinct)
    best = min(attempts.values(), key=lambda attempt: attempt.null_count())
    return text.replace_strict(distinct, best, default=None, return_dtype=pl.Date)


def doubtful_date(text: pl.Series) -> str | None:
    """A date that may be read month first and day first, with two results, where nothing in ``text`` tells which is meant."""
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


def numbers(text: pl.Series, decimal_commas: bool) -> pl.Series:
    """The numbers that ``text`` says: also 1,234.5, $12.3 and 67.9M.

    Where ``decimal_commas`` says that commas may stand for points, 1,234 is a number only beside one such as 1,234,567 or 1,234.5.
    """
    read = text.cast(pl.Float64, strict=False)
    odd = text.filter(text.is_not_null() & read.is_null())
    if odd.is_empty():
        return read
    distinct = _distinct(odd)
    return read.fill_null(text.replace_strict(distinct, _cleaned(distinct, decimal_commas), default=None, return_dtype=pl.Float64))


def _distinct(text: pl.Series) -> pl.Series:
    # A panel repeats its few sessions for each symbol: parsing each once is many times faster.
    return text.drop_nulls().unique()


def _attempts(text: pl.Series) -> dict[str, pl.Series]:
    """The dates that each format reads. All ways to write a date come down to parts between hyphens, months in three letters."""
    plain = text.str.replace(TIME_OF_DAY, "").str.strip_chars()
    plain = plain.str.replace_all(r"[\s,./-]+", "-").str.replace(r"([A-Za-z]{3})[a-z]*", "${1}")
    return {form: in_years(plain.str.to_date(form, strict=False)) for form in DATE_FORMATS}


def _cleaned(text: pl.Series, decimal_commas: bool) -> pl.Series:
    plain = text.str.strip_chars().str.replace(MONEY, "${1}")
    magnitude = plain.str.extract(r"\d\s*([KMB])$")
    plain = plain.str.replace(r"\s*[KMB]$", "")
    grouped = plain.str.contains(GROUPED)
    if decimal_commas and not plain.filter(grouped).str.contains(SURELY_GROUPED).any():
        grouped = grouped & False
    plain = plain.zip_with(~grouped, plain.str.replace_all(",", "", literal=True))
    return plain.cast(pl.Float64, strict=False) * magnitude.replace_strict(MAGNITUDES, default=1.0, return_dtype=pl.Float64)
