"""Numbers, times and texts that cannot be, each told in one plain sentence."""

import json
from typing import Any

import pytest
from pydantic import BaseModel

from stock_pipeline.settings import FILE_NAME, PREFIX, Settings, load_settings
from stock_pipeline_tests.harness.given_settings import Given, refusal


def numbers(section: BaseModel, prefix: str = "") -> dict[str, float]:
    """Every setting that is a number, by its dotted name, with its default."""
    found: dict[str, float] = {}
    for name in type(section).model_fields:
        value = getattr(section, name)
        if isinstance(value, BaseModel):
            found |= numbers(value, f"{prefix}{name}.")
        elif isinstance(value, int | float) and not isinstance(value, bool):
            found[f"{prefix}{name}"] = value
    return found


NUMBERS = numbers(Settings.model_construct()) | {"datasets.sessions": 250, "datasets.train_sessions": 60}


def in_file(name: str, value: str) -> str:
    """A settings file with one setting, its value as YAML."""
    *sections, field = name.split(".")
    return "".join(f"{'  ' * depth}{section}:\n" for depth, section in enumerate(sections)) + f"{'  ' * len(sections)}{field}: {value}\n"


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize("value", ["soon", "-1", "1" + "0" * 20, ".nan", ".inf", "-.inf", "[1]", "''", "{a: 1}"])
def test_what_is_no_number_to_work_with_is_refused_in_one_plain_sentence(given: Given, name: str, value: str) -> None:
    given(in_file(name, value))
    told = refusal()
    assert told.startswith(f"file {FILE_NAME}: field {name} is ")
    assert len(told) < 200
    variable = name.upper().replace(".", "__")
    given("", **{variable: value.replace(".nan", "nan").replace(".inf", "inf").strip("'")})
    assert refusal().startswith(f"variable {PREFIX}{variable}: field {name} is ")


@pytest.mark.parametrize("name", NUMBERS)
def test_a_number_of_the_usual_size_is_taken(given: Given, name: str) -> None:
    given(in_file(name, json.dumps(NUMBERS[name])))
    load_settings()


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("schedule.time", "24:00", "such as 22:45"),
        ("schedule.time", "22:45\n", "such as 22:45"),
        ("schedule.time", "half past ten", "such as 22:45"),
        ("source.currency", "usd", "such as USD"),
        ("source.currency", "DOLLAR", "such as USD"),
        ("source.history_from", "the beginning", "such as 2010-01-04"),
        ("schedule.time_zone", "New York", "America/New_York"),
    ],
)
def test_a_wrong_text_is_told_by_an_example(given: Given, name: str, value: str, told: str) -> None:
    given(**{name.upper().replace(".", "__"): value})
    message = refusal()
    assert f"field {name} is {value!r}, but " in message
    assert told in message


def test_nothing_is_told_by_a_regular_expression() -> None:
    def patterns(schema: Any) -> list[str]:
        inner = schema.values() if isinstance(schema, dict) else schema if isinstance(schema, list) else ()
        own = [schema["pattern"]] if isinstance(schema, dict) and isinstance(schema.get("pattern"), str) else []
        return own + [found for one in inner for found in patterns(one)]

    assert patterns(Settings.model_json_schema()) == []
