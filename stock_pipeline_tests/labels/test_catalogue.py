from stock_pipeline.labels.catalogue import purge_span, return_reach


def test_the_reach_is_the_longest_of_all() -> None:
    assert [return_reach(horizon) for horizon in (1, 5)] == [2, 6]
    assert purge_span((1,), 2) == 2
    assert purge_span((1, 5), 5) == 6
    assert purge_span((9, 1), 5) == 10
    assert purge_span((1, 5), 20) == 20
