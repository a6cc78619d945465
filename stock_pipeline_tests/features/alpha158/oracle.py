"""Alpha158 a second time: plain loops over one symbol's bars, from the written definitions and from nothing of the package."""

from typing import NamedTuple

import numpy as np
import polars as pl

from stock_pipeline.core.columns import CLOSE, HIGH, LOW, OPEN, VOLUME

WINDOWS = (5, 10, 20, 30, 60)
PRICE_LEVELS = ("ROC", "MA", "STD", "BETA", "RSQR", "RESI", "MAX", "MIN", "QTLU", "QTLD", "RANK", "RSV", "IMAX", "IMIN", "IMXD")
MOVES_AND_VOLUMES = ("CORR", "CORD", "CNTP", "CNTN", "CNTD", "SUMP", "SUMN", "SUMD", "VMA", "VSTD", "WVMA", "VSUMP", "VSUMN", "VSUMD")
KINDS_BY_WINDOW = (*PRICE_LEVELS, *MOVES_AND_VOLUMES)
CANDLES = ["KMID", "KLEN", "KMID2", "KUP", "KUP2", "KLOW", "KLOW2", "KSFT", "KSFT2", "OPEN0", "HIGH0", "LOW0", "VWAP0"]
NAMES = (*CANDLES, *(f"{kind}{window}" for kind in KINDS_BY_WINDOW for window in WINDOWS))


class Bars(NamedTuple):
    """One symbol's consecutive bars."""

    open: np.ndarray
    high: np.ndarray
    low: np.ndarray
    close: np.ndarray
    volume: np.ndarray

    @classmethod
    def of(cls, panel: pl.DataFrame) -> "Bars":
        """The bars of a panel of one symbol."""
        return cls(*(panel[name].to_numpy() for name in (OPEN, HIGH, LOW, CLOSE, VOLUME)))

    def until(self, end: int) -> "Bars":
        """The bars before position ``end``."""
        return Bars(*(series[:end] for series in self))


def alpha158(bars: Bars) -> dict[str, float]:
    """All features of the last bar; NaN or infinite where one is not defined. At least 61 bars."""
    values = _candle(bars)
    with np.errstate(all="ignore"):
        for window in WINDOWS:
            parts = {**_levels(bars, window), **_trend(bars, window), **_extremes(bars, window)}
            parts |= {**_moves(bars, window), **_volumes(bars, window), **_together(bars, window)}
            values |= {f"{kind}{window}": float(value) for kind, value in parts.items()}
    return {name: values[name] for name in NAMES}


def _candle(bars: Bars) -> dict[str, float]:
    o, h, low, c = (float(series[-1]) for series in bars[:4])
    spread = h - low
    moves = {"KMID": c - o, "KUP": h - max(o, c), "KLOW": min(o, c) - low, "KSFT": 2 * c - h - low}
    of_open = {kind: move / o for kind, move in moves.items()} | {"KLEN": spread / o}
    of_range = {f"{kind}2": move / spread if spread else 0.0 for kind, move in moves.items()}
    return {**of_open, **of_range, "OPEN0": o / c, "HIGH0": h / c, "LOW0": low / c, "VWAP0": (h + low + c) / 3 / c}


def _levels(bars: Bars, d: int) -> dict[str, float]:
    window, close = bars.close[-d:], bars.close[-1]
    smaller, equal = sum(value < close for value in window), sum(value == close for value in window)
    return {
        "ROC": bars.close[-1 - d] / close,
        "MA": np.mean(window) / close,
        "STD": np.std(window, ddof=1) / close,
        "QTLU": np.quantile(window, 0.8) / close,
        "QTLD": np.quantile(window, 0.2) / close,
        "RANK": (smaller + (equal + 1) / 2) / d,
    }


def _trend(bars: Bars, d: int) -> dict[str, float]:
    window, close = bars.close[-d:], bars.close[-1]
    slope, start = np.polyfit(np.arange(d), window, 1)
    flat = bool(np.all(window == window[0]))
    r = np.nan if flat else np.corrcoef(np.arange(d), window)[0, 1]
    return {"BETA": slope / close, "RSQR": r * r, "RESI": (close - (start + slope * (d - 1))) / close}


def _extremes(bars: Bars, d: int) -> dict[str, float]:
    high, low, close = bars.high[-d:], bars.low[-d:], bars.close[-1]
    top, bottom = int(np.argmax(high)) + 1, int(np.argmin(low)) + 1
    spread = high.max() - low.min()
    return {
        "MAX": high.max() / close,
        "MIN": low.min() / close,
        "RSV": (close - low.min()) / spread if spread else 0.0,
        "IMAX": top / d,
        "IMIN": bottom / d,
        "IMXD": (top - bottom) / d,
    }


def _moves(bars: Bars, d: int) -> dict[str, float]:
    changes = [bars.close[i] - bars.close[i - 1] for i in range(-d, 0)]
    up, down = sum(change > 0 for change in changes) / d, sum(change < 0 for change in changes) / d
    return {"CNTP": up, "CNTN": down, "CNTD": up - down, **_shares("SUM", changes)}


def _shares(prefix: str, changes: list[float]) -> dict[str, float]:
    rises, falls = sum(max(change, 0) for change in changes), sum(max(-change, 0) for change in changes)
    path = np.float64(rises + falls)
    return {f"{prefix}P": rises / path, f"{prefix}N": falls / path, f"{prefix}D": (rises - falls) / path}


def _volumes(bars: Bars, d: int) -> dict[str, float]:
    window, volume = bars.volume[-d:], bars.volume[-1]
    weighted = [abs(bars.close[i] / bars.close[i - 1] - 1) * bars.volume[i] for i in range(-d, 0)]
    changes = [bars.volume[i] - bars.volume[i - 1] for i in range(-d, 0)]
    return {
        "VMA": np.mean(window) / volume,
        "VSTD": np.std(window, ddof=1) / volume,
        "WVMA": np.std(weighted, ddof=1) / np.mean(weighted),
        **_shares("VSUM", changes),
    }


def _together(bars: Bars, d: int) -> dict[str, float]:
    levels = [(bars.close[i], np.log(bars.volume[i])) for i in range(-d, 0) if bars.volume[i] > 0]
    moves = [
        (bars.close[i] / bars.close[i - 1], np.log(bars.volume[i] / bars.volume[i - 1] + 1)) for i in range(-d, 0) if bars.volume[i - 1] > 0
    ]
    return {"CORR": _correlation(levels, d), "CORD": _correlation(moves, d)}


def _correlation(pairs: list[tuple[float, float]], d: int) -> float:
    if len(pairs) < 0.75 * d:
        return np.nan
    left, right = np.array(pairs).T
    # The ratio of equal prices is exactly 1 and that of equal volumes too, so a flat series is flat to the last bit.
    return np.nan if np.ptp(left) == 0 or np.ptp(right) == 0 else float(np.corrcoef(left, right)[0, 1])
