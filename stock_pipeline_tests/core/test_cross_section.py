from datetime import date

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from stock_pipeline.core.cross_section import in_best_share, in_worst_share, session_rank

DAY, OTHER_DAY = date(2020, 3, 5), date(2020, 3, 6)


def test_of_scores_that_all_tie_none_is_the_best_and_each_session_is_judged_alone() -> None:
    days = [DAY] * 3 + [date(2020, 3, 6)] * 3 + [date(2020, 3, 9)]
    frame = pl.DataFrame({"session": days, "score": [0.5, 0.5, None, 0.5, 0.5, 0.6, 0.5]})
    marked = frame.select(best=in_best_share("score", 0.5), worst=in_worst_share("score", 0.5))
    assert marked["best"].to_list() == [False, False, False, False, False, True, True]  # a stock alone is the best there is
    assert marked["worst"].to_list() == [False, False, False, True, True, False, True]


def test_scores_that_differ_by_rounding_alone_tie() -> None:
    frame = pl.DataFrame({"session": [DAY] * 3 + [OTHER_DAY] * 3, "score": [0.1 + 0.2, 0.3, 0.3, 0.3 + 1e-6, 0.3, 0.3]})
    marked = frame.select(best=in_best_share("score", 0.4), worst=in_worst_share("score", 0.4))
    assert marked["best"].to_list() == [False] * 3 + [True, False, False]
    assert marked["worst"].to_list() == [False] * 3 + [False, True, True]


def test_null_scores_are_never_among_the_best_or_worst() -> None:
    frame = pl.DataFrame({"session": [DAY] * 4, "score": [None, 1.0, 2.0, 3.0]})
    marked = frame.select(best=in_best_share("score", 0.3), worst=in_worst_share("score", 0.3))
    assert marked["best"].to_list() == [False, False, False, True]
    assert marked["worst"].to_list() == [False, True, False, False]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(-5, 5), min_size=1, max_size=40), st.sampled_from([0.1, 0.25, 0.5]))
def test_best_and_worst_mirror_each_other_and_no_pick_scores_below_one_left_out(values: list[int], share: float) -> None:
    frame = pl.DataFrame({"session": [DAY] * len(values), "score": [float(v) for v in values]})
    best = frame.with_columns(best=in_best_share("score", share))
    mirrored = frame.select("session", score=-pl.col("score")).select(worst=in_worst_share("score", share))
    assert best["best"].to_list() == mirrored["worst"].to_list()
    inside, outside = best.filter("best")["score"], best.filter(~pl.col("best"))["score"]
    if len(values) > 1 and len(set(values)) == 1:
        assert inside.is_empty()
        return
    assert inside.len() >= max(1, int(len(values) * share))
    assert outside.is_empty() or min(inside.to_list()) > max(outside.to_list())


def test_each_session_and_each_group_has_its_own_best_and_worst() -> None:
    counts = {(DAY, "a"): 10, (DAY, "b"): 30, (OTHER_DAY, "a"): 29}
    rows = [
        (day, group, float(place + 100 * number)) for number, ((day, group), count) in enumerate(counts.items()) for place in range(count)
    ]
    frame = pl.DataFrame(rows, schema=["session", "group", "score"], orient="row").sample(fraction=1, shuffle=True, seed=1)
    marks = {"best": in_best_share("score", 0.1, ("session", "group")), "worst": in_worst_share("score", 0.1, ("session", "group"))}
    for name, mark in marks.items():
        taken = frame.filter(mark).sort("score")
        expected = {"best": [9.0, 127.0, 128.0, 129.0, 227.0, 228.0], "worst": [0.0, 100.0, 101.0, 102.0, 200.0, 201.0]}
        assert taken["score"].to_list() == expected[name]
    of_sessions = frame.filter(in_best_share("score", 0.1)).sort("score")
    assert of_sessions["score"].to_list() == [126.0, 127.0, 128.0, 129.0, 227.0, 228.0]


def test_a_share_is_of_the_stocks_that_have_a_score_and_rounding_does_not_cut_it() -> None:
    frame = pl.DataFrame({"session": [DAY] * 200, "score": [*map(float, range(100)), *[None] * 100]})
    marked = frame.select(best=in_best_share("score", 0.29), worst=in_worst_share("score", 0.29))
    assert marked.sum().row(0) == (29, 29)


def test_all_that_tie_with_the_last_one_taken_are_taken() -> None:
    frame = pl.DataFrame({"session": [DAY] * 10, "score": [5.0, 4.0, 4.0, 4.0, 3.0, 2.0, 1.0, 1.0, 0.0, 0.0]})
    marked = frame.select(best=in_best_share("score", 0.2), worst=in_worst_share("score", 0.3))
    assert marked["best"].to_list() == [True] * 4 + [False] * 6
    assert marked["worst"].to_list() == [False] * 6 + [True] * 4


def test_a_rank_is_among_those_of_its_session_that_have_a_value() -> None:
    days = [DAY] * 5 + [OTHER_DAY] * 2 + [date(2020, 3, 9)] * 3
    frame = pl.DataFrame({"session": days, "v": [3.0, 1.0, 1.0, None, float("nan"), 9.0, None, 2.0, None, 4.0]})
    assert frame.select(session_rank("v"))["v"].to_list() == [0.5, -0.25, -0.25, None, None, 0.0, None, -0.5, None, 0.5]
