import json

import pytest
from hypothesis import given as examples
from hypothesis import strategies as st

from stock_pipeline.settings import load_settings
from stock_pipeline.settings.lists import as_list
from stock_pipeline_tests.harness.given_settings import Given, refusal
from stock_pipeline_tests.harness.laws import law

WORDS = st.text(st.sampled_from("ABZaz09.^=_-"), min_size=1, max_size=8)
LISTS_OF_NAMES = ["source.symbols", "source.fallbacks", "models.names"]


@law(100)
@examples(st.lists(WORDS, min_size=1), st.sampled_from([",", ", ", " , ", ",,"]))
def test_names_with_commas_between_are_the_list_that_json_has(names: list[str], comma: str) -> None:
    assert as_list(comma.join(names)) == names
    assert as_list(f" {comma.join(names)},") == names
    assert as_list(json.dumps(names)) == as_list(names) == names


@pytest.mark.parametrize("name", LISTS_OF_NAMES)
@pytest.mark.parametrize("text", ["yahoo,ibkr", "yahoo, ibkr", '["yahoo", "ibkr"]'])
def test_a_list_of_names_is_text_or_json_in_file_and_variable(given: Given, name: str, text: str) -> None:
    section, field = name.split(".")
    given(f"{section}: {{{field}: '{text}'}}")
    assert getattr(getattr(load_settings(), section), field) == ("yahoo", "ibkr")
    given("", **{name.replace(".", "__").upper(): text})
    assert getattr(getattr(load_settings(), section), field) == ("yahoo", "ibkr")
    given("", **{section.upper(): json.dumps({field: text})})
    assert getattr(getattr(load_settings(), section), field) == ("yahoo", "ibkr")


@pytest.mark.parametrize(("text", "horizons"), [("5,10", (5, 10)), ("5", (5,)), ("[10, 5]", (10, 5)), (" 1 , 2,", (1, 2))])
def test_a_list_of_numbers_is_text_or_json_as_well(given: Given, text: str, horizons: tuple[int, ...]) -> None:
    given(f"labels: {{horizons: '{text}'}}")
    assert load_settings().labels.horizons == horizons
    given("", LABELS__HORIZONS=text)
    assert load_settings().labels.horizons == horizons


def test_a_number_alone_is_a_list_of_one(given: Given) -> None:
    given("labels: {horizons: 5}")
    assert load_settings().labels.horizons == (5,)


@pytest.mark.parametrize("text", ["", " ", ",", "[]"])
def test_an_empty_list_is_refused_except_for_the_fallbacks_which_are_none_by_default(given: Given, text: str) -> None:
    given(SOURCE__FALLBACKS=text)
    assert load_settings().source.fallbacks == ()
    given(LABELS__HORIZONS=text)
    assert "variable STOCK_PIPELINE_LABELS__HORIZONS: field labels.horizons is " in (told := refusal())
    assert "one horizon or more" in told
    for variable, name in [("SOURCE__SYMBOLS", "source.symbols"), ("MODELS__NAMES", "models.names")]:
        given(**{"LABELS__HORIZONS": "1", "SOURCE__SYMBOLS": "A", variable: text})
        assert refusal().startswith(f"variable STOCK_PIPELINE_{variable}: field {name} is {text!r}, but it is empty; give one or more")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[AAPL,MSFT]", "source.symbols is '[AAPL,MSFT]', but it cannot be read as a list; write it with commas, as in A,B, or as JSON"),
        ("[1]", "source.symbols.0 is 1, but it should be text; put it in quotes"),
        ('[["A"]]', "source.symbols.0 is ['A'], but input should be a valid string"),
    ],
)
def test_a_list_that_cannot_be_read_is_refused(given: Given, text: str, told: str) -> None:
    given(SOURCE__SYMBOLS=text)
    assert refusal().startswith(f"variable STOCK_PIPELINE_SOURCE__SYMBOLS: field {told}")


@pytest.mark.parametrize(("text", "told"), [("5,x", "labels.horizons.1 is 'x'"), ("5,0", "labels.horizons.1 is '0'"), ("5,5", "twice")])
def test_a_wrong_number_of_a_list_is_told(given: Given, text: str, told: str) -> None:
    given(LABELS__HORIZONS=text)
    assert told in refusal()
