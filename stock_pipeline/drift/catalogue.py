"""The drift statistics in use. A new one is a file in ``statistics/`` and a line here."""

from stock_pipeline.drift.statistics.kl import KL
from stock_pipeline.drift.statistics.ks import KS
from stock_pipeline.drift.statistics.psi import PSI
from stock_pipeline.drift.statistics.statistic import Statistic

STATISTICS: tuple[Statistic, ...] = (
    PSI,
    KS,
    KL,
)
