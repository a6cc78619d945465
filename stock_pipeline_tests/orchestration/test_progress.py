from stock_pipeline.orchestration.progress import Event, Progressed, Started, announce, listening


def test_a_listener_hears_what_is_announced_inside_its_block_and_no_more() -> None:
    heard: list[Event] = []
    announce(Started("before"))
    with listening(heard.append):
        announce(Started("a"))
        announce(Progressed("a", "fold 1"))
    announce(Started("after"))
    assert heard == [Started("a"), Progressed("a", "fold 1")]


def test_the_inner_of_two_listeners_hears_and_the_outer_hears_again_afterwards() -> None:
    outer: list[Event] = []
    inner: list[Event] = []
    with listening(outer.append):
        with listening(inner.append):
            announce(Started("inside"))
        announce(Started("outside"))
    assert (inner, outer) == ([Started("inside")], [Started("outside")])
