"""A secret in a wrong place: its name is told, its value is not, neither in the sentence nor in the errors behind it."""

import json

import pytest
from click.testing import CliRunner

from stock_pipeline import definitions
from stock_pipeline.command_line.main import main
from stock_pipeline.settings import load_settings
from stock_pipeline_tests.harness.given_settings import Given, all_told

SECRET = "canary-7f3a"  # noqa: S105  (no secret of anybody's)

# A settings file, variables, and what is told of the place.
PLACES: list[tuple[str, dict[str, str], str]] = [
    ("", {"API_TOKEN": SECRET}, "variable STOCK_PIPELINE_API_TOKEN is set"),
    ("", {"SETTINGS__TOKEN": SECRET}, "variable STOCK_PIPELINE_SETTINGS__TOKEN is set"),
    ("", {"SOURCE__API_KEY": SECRET}, "variable STOCK_PIPELINE_SOURCE__API_KEY: field source.api_key is set"),
    ("", {"SOURCE__YAHOO__TOKEN": SECRET}, "variable STOCK_PIPELINE_SOURCE__YAHOO__TOKEN: field source.yahoo.token is set"),
    ("", {"SOURCE__NAME__TOKEN": SECRET}, "variable STOCK_PIPELINE_SOURCE__NAME__TOKEN: field source.name is a mapping"),
    ("", {"HOME__TOKEN": SECRET}, "variable STOCK_PIPELINE_HOME__TOKEN is set, but there is no such setting"),
    ("", {"SOURCE": SECRET}, "variable STOCK_PIPELINE_SOURCE: field source cannot be read as JSON"),
    ("", {"SOURCE": f'{{"yahoo": {SECRET}'}, "variable STOCK_PIPELINE_SOURCE: field source cannot be read as JSON"),
    ("", {"SOURCE__YAHOO": f"token={SECRET}"}, "variable STOCK_PIPELINE_SOURCE__YAHOO: field source.yahoo cannot be read as JSON"),
    ("", {"SOURCE": json.dumps(SECRET)}, "variable STOCK_PIPELINE_SOURCE: field source is a section"),
    ("", {"SOURCE": json.dumps({"token": SECRET})}, "variable STOCK_PIPELINE_SOURCE: field source.token is set"),
    ("", {"SOURCE": json.dumps([SECRET])}, "variable STOCK_PIPELINE_SOURCE: field source is a section"),
    ("", {"SOURCE__YAHOO": json.dumps({"token": SECRET})}, "variable STOCK_PIPELINE_SOURCE__YAHOO: field source.yahoo.token is set"),
    (f"api_key: {SECRET}", {}, "file stock_pipeline.yaml: field api_key is set"),
    (f"api_key: {{id: {SECRET}}}", {}, "file stock_pipeline.yaml: field api_key is set"),
    (f"source: {{yahoo: {{token: {SECRET}}}}}", {}, "file stock_pipeline.yaml: field source.yahoo.token is set"),
    (f"schedule: [{SECRET}]", {}, "file stock_pipeline.yaml: field schedule is a section"),
    (f"source: {{yahoo: {SECRET}}}", {}, "file stock_pipeline.yaml: field source.yahoo is a section"),
    (f"source: {{name: {{token: {SECRET}}}}}", {}, "file stock_pipeline.yaml: field source.name is a mapping"),
    (f"source: {{symbols: [A, {{token: {SECRET}}}]}}", {}, "file stock_pipeline.yaml: field source.symbols.1 is a mapping"),
    (f"source: {{symbols: {{token: {SECRET}}}}}", {}, "file stock_pipeline.yaml: field source.symbols is a mapping"),
    (f"source: {{1: {SECRET}}}", {}, "file stock_pipeline.yaml: field source.1 is set"),
    (f"lock_wait_seconds: soon\napi_key: {SECRET}", {}, "file stock_pipeline.yaml: field lock_wait_seconds is 'soon'"),
    (f"1: {SECRET}", {}, "stock_pipeline.yaml does not hold settings by name"),
    (SECRET, {}, "stock_pipeline.yaml does not hold settings by name"),
    (f"- token: {SECRET}", {}, "stock_pipeline.yaml does not hold settings by name"),
    (f"token: '{SECRET}", {}, "stock_pipeline.yaml cannot be read as YAML: found unexpected end of stream in line 1"),
    (f"token: [{SECRET}\nhome: data", {}, "stock_pipeline.yaml cannot be read as YAML: expected ',' or ']'"),
    (f"token: a: {SECRET}", {}, "stock_pipeline.yaml cannot be read as YAML: mapping values are not allowed here in line 1"),
    (f"token: !{SECRET} x", {}, "stock_pipeline.yaml cannot be read as YAML: something is wrong in line 1, column 8"),
    (f"token: !{SECRET}!{SECRET} x", {}, "stock_pipeline.yaml cannot be read as YAML: something is wrong in line 1"),
    (f"token: *{SECRET}", {}, "stock_pipeline.yaml cannot be read as YAML: something is wrong in line 1, column 8"),
    (f"token: \x07{SECRET}", {}, "stock_pipeline.yaml cannot be read as YAML: it holds an impossible character"),
    (
        f"token: {SECRET}\nday: 2026-02-30",
        {},
        "stock_pipeline.yaml cannot be read as YAML: it holds an impossible character, date or number",
    ),
]


@pytest.mark.parametrize(("file", "variables", "place"), PLACES)
def test_a_value_in_a_wrong_place_is_told_neither_by_the_settings_nor_where_dagster_loads_them(
    given: Given, file: str, variables: dict[str, str], place: str
) -> None:
    given(file, **variables)
    for load in (load_settings, definitions.defs):
        told = all_told(load)
        assert place in told
        assert SECRET not in told
        assert "The above exception" not in told


@pytest.mark.parametrize(("file", "variables", "place"), PLACES)
def test_nor_by_the_commands(given: Given, file: str, variables: dict[str, str], place: str) -> None:
    given(file, **variables)
    for arguments in (["run"], ["status", "--json"], ["train"], ["models", "list"], ["mlflow"]):
        ended = CliRunner().invoke(main, arguments)
        assert (ended.exit_code, ended.stdout) == (2, "")
        assert ended.stderr.startswith(f"Error: {place}")
        assert SECRET not in ended.output


def test_the_value_of_a_setting_that_there_is_is_told_and_cut_where_it_is_long(given: Given) -> None:
    given(LOCK_WAIT_SECONDS="soon")
    assert "is 'soon'," in all_told(load_settings)
    given(LOCK_WAIT_SECONDS="9" * 5000)
    told = all_told(load_settings).splitlines()[-1]
    assert "is '99999" in told
    assert "(5002 characters), but" in told
    assert len(told) < 400
