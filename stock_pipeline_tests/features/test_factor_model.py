import numpy as np
import pytest

from stock_pipeline.features.factor_model import (
    RESIDUAL_1,
    RESIDUAL_5,
    RESIDUAL_AT_PEAK_VOLUME,
    RESIDUAL_OVERNIGHT,
    REVERSION,
    UNEXPLAINED,
    VALUES,
    Array,
    own_movements,
)

SESSIONS, STOCKS = 60, 40


def market(own: float = 0.01, stocks: int = STOCKS, seed: int = 0) -> Array:
    """Returns, sessions x stocks, of one common factor to which the stocks are exposed by 0.5 to 1.5, and of their own movements."""
    rng = np.random.default_rng(seed)
    factor = rng.normal(0, 0.02, SESSIONS)
    return np.outer(factor, rng.uniform(0.5, 1.5, stocks)) + own * rng.normal(size=(SESSIONS, stocks))


def values(returns: Array, overnight: Array | None = None, log_volume: Array | None = None) -> dict[str, Array]:
    stocks = returns.shape[1]
    night = np.zeros(stocks) if overnight is None else overnight
    return own_movements(returns, night, np.zeros_like(returns) if log_volume is None else log_volume)


def test_stocks_that_only_follow_the_market_have_nothing_of_their_own() -> None:
    returns = market(own=0.0, stocks=16)
    found = values(returns, overnight=0.3 * returns[-1])
    for name in (RESIDUAL_1, RESIDUAL_5, UNEXPLAINED, RESIDUAL_AT_PEAK_VOLUME):
        assert found[name].tolist() == [0.0] * 16, name  # and no noise of rounding, which would rank like news
    assert np.isnan(found[REVERSION]).all()
    assert np.abs(found[RESIDUAL_OVERNIGHT]).max() < 1e-12


def test_a_follower_among_stocks_of_their_own_has_little_and_a_shock_of_its_own_shows_with_its_sign() -> None:
    returns = market()
    returns[:, 0] = returns[:, 1:].mean(axis=1)
    calm = values(returns)
    assert calm[UNEXPLAINED][0] < 0.25 < np.median(calm[UNEXPLAINED])
    for sign in (-1, 1):
        shocked = returns.copy()
        shocked[-1, 0] += sign * 0.08
        one, five = values(shocked)[RESIDUAL_1], values(shocked)[RESIDUAL_5]
        assert np.argmax(sign * one) == np.argmax(sign * five) == 0
        assert sign * one[0] > 1.5


def exposures(returns: Array) -> Array:
    """How much each stock moves with the mean of all."""
    common = returns.mean(axis=1)
    return np.asarray(common @ returns / (common @ common))


def test_a_fall_of_the_whole_market_is_nobody_s_own_by_day_nor_by_night() -> None:
    returns = market(own=0.004, stocks=80)
    fall = -0.1 * exposures(returns)
    returns[-1] += fall
    found = values(returns, overnight=fall)
    usual = np.abs(fall / returns.std(axis=0))
    assert np.abs(found[RESIDUAL_1]).max() < 0.25 * usual.min()
    assert np.abs(found[RESIDUAL_OVERNIGHT]).max() < 0.25 * usual.min()


def test_a_fall_of_one_stock_overnight_is_its_own() -> None:
    returns, overnight = market(), np.zeros(STOCKS)
    overnight[7] = -0.03
    shown = values(returns, overnight)[RESIDUAL_OVERNIGHT]
    whole = -0.03 / returns[:, 7].std()
    assert whole < shown[7] < 0.6 * whole and np.argmin(shown) == 7


def test_a_stock_that_zigzags_is_told_to_turn_and_one_that_runs_to_go_on() -> None:
    returns = market()
    zigzag, runs = 0.03 * (-1.0) ** np.arange(SESSIONS), 0.03 * np.sin(np.arange(SESSIONS) * np.pi / 30 - np.pi / 3)
    returns[:, 0], returns[:, 1] = returns[:, 0] + zigzag, returns[:, 1] + runs
    found = values(returns)
    assert found[RESIDUAL_1][0] < 0 < found[REVERSION][0]
    assert found[RESIDUAL_1][1] * found[REVERSION][1] > 0


def test_the_scale_of_returns_does_not_matter_nor_the_order_of_stocks() -> None:
    returns, order = market(), np.random.default_rng(1).permutation(STOCKS)
    volume = np.random.default_rng(2).normal(size=returns.shape)
    first = values(returns, returns[-1] / 2, volume)
    scaled = values(returns * 3, returns[-1] * 1.5, volume + np.arange(STOCKS))
    shuffled = values(returns[:, order], returns[-1, order] / 2, volume[:, order])
    for name in VALUES:
        assert scaled[name] == pytest.approx(first[name], rel=1e-9), name
        assert shuffled[name] == pytest.approx(first[name][order], rel=1e-9), name


def test_the_sign_of_the_components_does_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    returns = market()
    first = values(returns, returns[-1])
    truly = np.linalg.eigh

    def mirrored(matrix: Array) -> tuple[Array, Array]:
        eigenvalues, vectors = truly(matrix)
        return eigenvalues, -vectors

    monkeypatch.setattr(np.linalg, "eigh", mirrored)
    for name, found in values(returns, returns[-1]).items():
        assert found.tolist() == first[name].tolist()


@pytest.mark.parametrize(("stocks", "components"), [(8, 1), (15, 1), (16, 2), (39, 4), (40, 5), (80, 5)])
def test_as_many_components_are_taken_out_as_there_are_stocks_for(stocks: int, components: int) -> None:
    returns = market(stocks=stocks)
    strength = np.linalg.svd((returns - returns.mean(axis=0)) / returns.std(axis=0), compute_uv=False)
    left = (strength[components:] ** 2).sum()
    assert (values(returns)[UNEXPLAINED] ** 2).sum() * SESSIONS == pytest.approx(left)


def test_fewer_than_eight_stocks_have_no_values_and_one_that_does_not_move_is_none() -> None:
    for returns in (market(stocks=7), np.column_stack([market(stocks=7), np.full(SESSIONS, 0.001)])):
        assert all(np.isnan(found).all() for found in values(returns).values())
    moved = market(stocks=8)
    with_flat = values(np.column_stack([moved[:, :3], np.zeros(SESSIONS), moved[:, 3:]]))
    for name, found in values(moved).items():
        assert np.isnan(with_flat[name][3])
        assert np.delete(with_flat[name], 3).tolist() == found.tolist()


def test_stocks_that_are_all_alike_have_one_component_and_finite_values(monkeypatch: pytest.MonkeyPatch) -> None:
    truly = np.linalg.eigh

    def without_luck(matrix: Array) -> tuple[Array, Array]:
        eigenvalues, vectors = truly(matrix)
        return np.where(eigenvalues < 1e-9 * eigenvalues[-1], 0.0, eigenvalues), vectors  # else rounding, above 0 or below

    monkeypatch.setattr(np.linalg, "eigh", without_luck)
    alike = np.repeat(market(stocks=1), 80, axis=1)
    night = np.full(80, 0.01)
    night[5] = 0.02
    shown = values(alike, night)[RESIDUAL_OVERNIGHT]
    assert shown * alike[:, 0].std() == pytest.approx(night - night.mean())


def test_the_peak_of_volume_is_against_the_stock_s_own_and_the_session_s_usual() -> None:
    returns = market(stocks=8)
    volume = np.zeros(returns.shape)
    volume[:, 3] = 9.0  # always much
    volume[30] += 2.0  # much for all
    volume[20, 2], volume[40, 2] = 1.0, 0.9
    volume[10:12, 4] = 1.0  # twice the same: the older one counts
    volume[:, 5] = np.nan
    volume[:50, 6] = np.nan  # its size weighs on the others in the last ten sessions as little as before
    volume[55, 6] = 7.0
    found = values(returns, log_volume=volume)[RESIDUAL_AT_PEAK_VOLUME]
    own = _own(returns)
    assert [float(found[stock]) for stock in (2, 4, 6)] == [own[20, 2], own[10, 4], own[55, 6]]
    assert np.isnan(found[5])


def test_of_volumes_that_are_the_same_but_for_rounding_the_oldest_counts() -> None:
    returns, rng = market(stocks=8), np.random.default_rng(3)
    of_all, of_each = rng.normal(size=(SESSIONS, 1)), rng.normal(size=(1, 8))
    found = values(returns, log_volume=of_all + of_each)[RESIDUAL_AT_PEAK_VOLUME]
    assert found.tolist() == _own(returns)[0].tolist()


def _own(returns: Array) -> Array:
    """The residual of every session and stock: that of a session is shown where no other has volume."""
    rows = []
    for place in range(SESSIONS):
        volume = np.full(returns.shape, np.nan)
        volume[place] = 0.0
        rows.append(values(returns, log_volume=volume)[RESIDUAL_AT_PEAK_VOLUME])
    return np.array(rows)
