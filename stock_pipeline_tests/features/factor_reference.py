"""The factor features once more, stock by stock and session by session, with a singular value decomposition."""

from math import isfinite, log

import numpy as np
import polars as pl

from stock_pipeline.core.columns import CLOSE, OPEN, PRICE_FACTOR, SESSION, SYMBOL, VOLUME, VOLUME_FACTOR
from stock_pipeline.features.factors import FACTOR_FEATURES

Bar = dict[str, float]
NAMES = [feature.name for feature in FACTOR_FEATURES]


def expected(panel: pl.DataFrame, position: int) -> dict[str, dict[str, float | None]]:
    """Of the session at that position, the features of every stock with a bar in it, by symbol and name."""
    places = {day: place for place, day in enumerate(panel[SESSION].unique().sort())}
    stocks: dict[str, dict[int, Bar]] = {}
    for row in panel.sort(SYMBOL, SESSION).iter_rows(named=True):
        stocks.setdefault(row[SYMBOL], {})[places[row[SESSION]]] = row
    found: dict[str, dict[str, float | None]] = {symbol: dict.fromkeys(NAMES) for symbol, bars in stocks.items() if position in bars}
    taken = {symbol: bars for symbol, bars in stocks.items() if _counts(bars, position)}
    if len(taken) < 8:
        return found
    window = range(position - 59, position + 1)
    raw = {symbol: np.array([_move(bars, place, CLOSE) or 0.0 for place in window]) for symbol, bars in taken.items()}
    z = np.array([(returns - returns.mean()) / returns.std() for returns in raw.values()]).T
    left, strength, right = np.linalg.svd(z, full_matrices=False)
    own, night = z.copy(), np.array([(_move(bars, position, OPEN) or 0.0) / raw[symbol].std() for symbol, bars in taken.items()])
    own_night = night.copy()
    for k in range(min(5, len(taken) // 8)):
        own -= strength[k] * np.outer(left[:, k], right[k])
        own_night -= right[k] * (right[k] @ night)
    peaks = _peaks(list(taken.values()), window)
    for number, symbol in enumerate(taken):
        q = own[:, number]
        lagged = sum(q[place] * q[place - 1] for place in range(1, 60)) / sum(value * value for value in q)
        peak = peaks[number]
        at_peak = None if peak is None else q[peak]
        values = [q[-1], sum(q[-5:]) / 5, own_night[number], lagged * q[-1], q.std(), at_peak]
        found[symbol] = dict(zip(NAMES, values, strict=True))
    return found


def _move(bars: dict[int, Bar], place: int, price: str) -> float | None:
    """From the last close, at most five sessions without a bar before it, to the bar's price; 0 where the close stands in for a bar."""
    before = [earlier for earlier in range(place - 6, place) if earlier in bars]
    if place in bars:
        return bars[place][price] / (bars[before[-1]][CLOSE] * bars[place].get(PRICE_FACTOR, 1.0)) - 1 if before else None
    return 0.0 if any(earlier >= place - 5 for earlier in before) else None


def _counts(bars: dict[int, Bar], position: int) -> bool:
    begun = any(place in bars for place in range(position - 65, position - 59))
    moves = [_move(bars, place, CLOSE) for place in range(position - 59, position + 1)]
    there = [move for move in moves if move is not None]
    return position in bars and begun and moves[-1] is not None and len(there) >= 45 and max(map(abs, there)) > 1e-9


def _peaks(stocks: list[dict[int, Bar]], window: range) -> list[int | None]:
    logs: list[dict[int, float]] = []
    for bars in stocks:
        seen = {}
        for number, place in enumerate(window):
            volume = bars.get(place, {}).get(VOLUME) or 0.0
            shares = [bars[later].get(VOLUME_FACTOR, 1.0) for later in window[number + 1 :] if later in bars]
            if isfinite(volume) and volume > 0:
                seen[number] = log(volume) + sum(map(log, shares))
        own_mean = sum(seen.values()) / max(len(seen), 1)
        logs.append({number: value - own_mean for number, value in seen.items()})
    usual = [float(np.mean([seen[number] for seen in logs if number in seen] or [0.0])) for number in range(60)]
    return [_highest({number: value - usual[number] for number, value in seen.items()}) for seen in logs]


def _highest(values: dict[int, float]) -> int | None:
    return max(values, key=lambda number: (round(values[number], 9), -number)) if values else None
