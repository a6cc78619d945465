"""The trading calendar of an exchange: which days are sessions, and which session was the last to end."""

from bisect import bisect_left, bisect_right
from datetime import date, datetime
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING

from stock_pipeline.core.errors import InputError

if TYPE_CHECKING:
    from exchange_calendars import ExchangeCalendar

# exchange_calendars spans only the last twenty years by default.
USUAL_EXCHANGE = "XNYS"  # the default of the settings
FIRST_DAY = "1970-01-01"


class TradingCalendar:
    """Sessions of one exchange, by its ISO 10383 code such as XNYS, from 1970, or its first known day, to about a year ahead."""

    def __init__(self, exchange: str) -> None:
        self.exchange = exchange

    @cached_property
    def _calendar(self) -> "ExchangeCalendar":
        import exchange_calendars
        from exchange_calendars.errors import InvalidCalendarName

        try:
            return exchange_calendars.get_calendar(self.exchange, start=FIRST_DAY)
        except InvalidCalendarName as error:
            raise InputError(f"exchange {self.exchange!r} in the settings is not known; give a code such as XNYS or XLON") from error
        except ValueError:  # the exchange, or what is known of it, is younger
            first = exchange_calendars.get_calendar(self.exchange).bound_min()
            return exchange_calendars.get_calendar(self.exchange, start=first)

    @cached_property
    def _sessions(self) -> list[date]:
        return [day.date() for day in self._calendar.sessions]

    def is_session(self, day: date) -> bool:
        """Whether the exchange trades on ``day``."""
        position = bisect_left(self._sessions, day)
        return position < len(self._sessions) and self._sessions[position] == day

    def sessions_between(self, first: date, last: date) -> list[date]:
        """Every session from ``first`` to ``last``, both included."""
        return self._sessions[bisect_left(self._sessions, first) : bisect_right(self._sessions, last)]

    def next_session(self, day: date) -> date:
        """The first session after ``day``.

        Raises:
            InputError: ``day`` lies at or after the last session of the calendar.
        """
        position = bisect_right(self._sessions, day)
        if position == len(self._sessions):
            raise InputError(f"{day} lies beyond the last session that {self.exchange} knows, {self._sessions[-1]}")
        return self._sessions[position]

    def previous_session(self, day: date) -> date:
        """The last session before ``day``.

        Raises:
            InputError: ``day`` lies before every session of the calendar.
        """
        position = bisect_left(self._sessions, day) - 1
        if position < 0:
            raise InputError(f"{day} lies before the first session that {self.exchange} knows, {self._sessions[0]}")
        return self._sessions[position]

    def last_completed_session(self, moment: datetime) -> date:
        """The last session whose close, early ones included, lies at or before ``moment`` (which carries its time zone).

        Raises:
            InputError: ``moment`` lies before the close of every session of the calendar.
        """
        import pandas as pd

        ended = int(self._calendar.closes.searchsorted(pd.Timestamp(moment), side="right"))
        if ended == 0:
            raise InputError(f"{moment} lies before the first session that {self.exchange} knows, {self._sessions[0]}")
        return self._sessions[ended - 1]


@lru_cache(maxsize=8)
def trading_calendar(exchange: str) -> TradingCalendar:
    """The calendar of ``exchange``, built once per process: building takes about a second."""
    return TradingCalendar(exchange)


def known_exchange(name: str) -> str:
    """The name of an exchange, if there is a calendar of that name.

    Raises:
        ValueError: there is none.
    """
    if name == USUAL_EXCHANGE:  # which needs no look at the library, whose import takes longer than many a command
        return name
    import exchange_calendars

    if name not in exchange_calendars.get_calendar_names(include_aliases=True):
        raise ValueError("there is no calendar of such an exchange; give an ISO 10383 code such as XNYS or XLON")
    return name
