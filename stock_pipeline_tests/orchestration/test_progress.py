from stock_pipeline.orchestration.progress import Began, Event, Noted, announce, listening


def test_a_listener_hears_what_is_announced_inside_its_block_and_no_more() -> None:
    heard: list[Event] = []
    announce(Began("before"))
    with listening(heard.append):
        announce(Began("a"))
        announce(Noted("a", "fold 1"))
    announce(Began("after"))
    assert heard == [Began("a"), Noted("a", "fold 1")]


def test_the_inner_of_two_listeners_hears_and_the_outer_hears_again_afterwards() -> None:
    outer: list[Event] = []
    inner: list[Event] = []
    with listening(outer.append):
        with listening(inner.append):
            announce(Began("inside"))
        announce(Began("outside"))
    assert (inner, outer) == ([Began("inside")], [Began("outside")])
