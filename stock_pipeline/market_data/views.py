"""Views of the store as of a night, for users of SQL: ``FROM market_data.adjusted_bars(DATE '2010-08-20')``."""

from typing import Final

from stock_pipeline.core.table_schema import TableSchema, View
from stock_pipeline.market_data.tables import CORPORATE_ACTIONS, DAILY_BARS, FUNDAMENTALS

_BARS_KNOWN: Final = """
SELECT symbol, session, open, high, low, close, volume, adj_close, basis, actions_known, source, known_from
FROM market_data.daily_bars
WHERE session <= night AND known_from <= night AND (known_to IS NULL OR known_to > night)
"""

_ACTIONS_KNOWN: Final = """
SELECT symbol, session, kind, value, source, known_from
FROM market_data.corporate_actions
WHERE session <= night AND known_from <= night AND (known_to IS NULL OR known_to > night)
"""

_FUNDAMENTALS_KNOWN: Final = """
SELECT symbol, period_end, period, item, value, currency, source, known_from
FROM market_data.fundamentals
WHERE known_from <= night AND (known_to IS NULL OR known_to > night)
"""

# Factors by which a bar's prices are multiplied to compare them with the last bar's: for splits alone, and for total returns.
_ADJUSTED_BARS: Final = """
WITH effective AS (
    SELECT bars.symbol, bars.session,
           coalesce(product(actions.value) FILTER (actions.kind = 'split'), 1) AS split,
           coalesce(sum(actions.value) FILTER (actions.kind = 'dividend'), 0) AS dividend
    FROM market_data.actions_known(night) AS actions
    ASOF JOIN market_data.bars_known(night) AS bars ON actions.symbol = bars.symbol AND actions.session <= bars.session
    GROUP BY ALL
),
stepped AS (
    SELECT bars.*,
           lag(bars.close) OVER by_session AS close_before,
           -- Prices reported adjusted for splits have the split in them already.
           CASE WHEN lag(bars.basis) OVER by_session = 'split' THEN 1 ELSE coalesce(effective.split, 1) END AS split,
           coalesce(effective.dividend, 0) AS dividend
    FROM market_data.bars_known(night) AS bars LEFT JOIN effective USING (symbol, session)
    WINDOW by_session AS (PARTITION BY bars.symbol ORDER BY bars.session)
),
steps AS (
    SELECT *, 1 / split AS split_step,
           CASE WHEN close_before / split - dividend > 0
                THEN (close_before / split - dividend) / close_before ELSE 1 / split END AS return_step
    FROM stepped
),
factors AS (
    SELECT *, coalesce(product(split_step) OVER later, 1) AS split_factor,
           coalesce(product(return_step) OVER later, 1) AS total_return_factor
    FROM steps
    WINDOW later AS (PARTITION BY symbol ORDER BY session ROWS BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING)
)
SELECT symbol, session, open, high, low, close, volume, split_factor, total_return_factor,
       close * split_factor AS split_close, volume / split_factor AS split_volume, close * total_return_factor AS total_return_close
FROM factors
ORDER BY symbol, session
"""


def _as_of_night(name: str, sql: str, *reads: TableSchema) -> View:
    return View("market", "market_data", name, sql, reads, ("night",))


# The last reads the first two, and so comes after them.
VIEWS: Final = (
    _as_of_night("bars_known", _BARS_KNOWN, DAILY_BARS),
    _as_of_night("actions_known", _ACTIONS_KNOWN, CORPORATE_ACTIONS),
    _as_of_night("fundamentals_known", _FUNDAMENTALS_KNOWN, FUNDAMENTALS),
    _as_of_night("adjusted_bars", _ADJUSTED_BARS, DAILY_BARS, CORPORATE_ACTIONS),
)
