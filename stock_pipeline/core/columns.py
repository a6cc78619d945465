"""Names of the columns that more than one room uses: one word for one thing, everywhere."""

from typing import Final

SYMBOL: Final = "symbol"
SESSION: Final = "session"  # the exchange's trading day that a row belongs to
OPEN: Final = "open"
HIGH: Final = "high"
LOW: Final = "low"
CLOSE: Final = "close"
VOLUME: Final = "volume"  # in shares
ADJ_CLOSE: Final = "adj_close"  # close adjusted for splits and dividends, as the source gave it
JUMP: Final = "jump"  # true where the price jumped overnight and no corporate action explains it
SUSPECT: Final = "suspect"  # true where the price moved so far that the bar is not believed before it is confirmed
CONFIRMED: Final = "confirmed"  # true where the price moved far and somebody has found the move right
IN_UNIVERSE: Final = "in_universe"  # whether a stock is ranked, learned from and traded on the session
PRICES: Final = (OPEN, HIGH, LOW, CLOSE)
# the factor that makes prices before the bar comparable with it; 1 where no corporate action took effect
PRICE_FACTOR: Final = "price_factor"
VOLUME_FACTOR: Final = "volume_factor"  # the same for the volumes

KNOWN_FROM: Final = "known_from"  # the first night on which this version of the row was known
KNOWN_TO: Final = "known_to"  # the first night on which it no longer held; null while it holds
SOURCE: Final = "source"

NAME: Final = "name"
SECTOR: Final = "sector"
INDUSTRY: Final = "industry"

FORWARD_RETURN: Final = "forward_return"
DIRECTION: Final = "direction"
FORWARD_VOLATILITY: Final = "forward_volatility"
LABEL_STATUS: Final = "label_status"  # whether a label is known, and why not
KNOWN_ON: Final = "known_on"  # the session on which a label's outcome is known, past or future
LOCAL_VOLATILITY: Final = "local_volatility"  # over 60 sessions, what the width of a stock's interval is proportional to
PAST_VOLATILITY: Final = "past_volatility"  # the baseline of forward volatility
TARGET: Final = "target"  # what models learn, made of the outcomes

MODEL: Final = "model"
TRAINING_ID: Final = "training_id"
VERSION: Final = "version"
FOLD: Final = "fold"
SCORE: Final = "score"  # what a model says of a stock on a session; higher is better
HORIZON: Final = "horizon"  # sessions from the fill at the next open to the sale
RETURN_SCALE: Final = "return_scale"  # what one unit of score is worth in return
VOLATILITY_FACTOR: Final = "volatility_factor"  # what the volatility that a score says is multiplied by, once raised to
VOLATILITY_EXPONENT: Final = "volatility_exponent"
PREDICTED_EXCESS_RETURN: Final = "predicted_excess_return"
PREDICTED_VOLATILITY: Final = "predicted_volatility"
PROBABILITY_UP: Final = "probability_up"
METRIC: Final = "metric"
RANK_IC: Final = "rank_ic"  # Spearman correlation of score and outcome over the stocks of a session, or its mean
IC: Final = "ic"  # the same of Pearson's
MAE: Final = "mae"  # mean absolute error of scores against the target
BASELINE_MAE: Final = "baseline_mae"  # the same of predicting 0 for every stock
TOLD_APART_SHARE: Final = "told_apart_share"  # share of the sessions on which not all scores tie
MSE: Final = "mse"  # mean squared error of scores against the target
BASELINE_MSE: Final = "baseline_mse"
SCORE_SQUARE: Final = "score_square"  # mean square of the scores
TARGET_IC: Final = "target_ic"  # rank IC against the target, from which exposures have been removed
STOCKS: Final = "stocks"
PREDICTIONS: Final = "predictions"  # how many
CONTRIBUTION: Final = "contribution"  # what a feature added to a score
PERIOD: Final = "period"
ALL_PERIODS: Final = "all"  # the period that stands for all of them together
VALUE: Final = "value"
PROFILE: Final = "profile"
RANK: Final = "rank"
FEATURE: Final = "feature"
AS_OF: Final = "as_of"  # the last session of which data were known
