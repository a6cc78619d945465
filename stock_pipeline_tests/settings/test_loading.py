from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import BaseModel

from stock_pipeline.settings import FILE_NAME, FILE_VARIABLE, PREFIX, Settings, load_settings, settings_file
from stock_pipeline_tests.harness.given_settings import Given, refusal


def test_without_file_and_variables_the_defaults_hold() -> None:
    settings = load_settings()
    assert settings == Settings()
    assert (settings.home, settings.exchange, settings.source.name, settings.source.path) == (Path.cwd() / "data", "XNYS", "sample", None)
    assert (settings.schedule.enabled, settings.schedule.time, settings.schedule.time_zone) == (True, "22:45", "America/New_York")
    assert (settings.automation.nightly.timeout_seconds, settings.automation.nightly.retries) == (1800, 3)
    assert (settings.automation.training.timeout_seconds, settings.automation.training.retries) == (7200, 1)
    assert (settings.models.names, settings.models.seed, settings.retention.backups) == (None, 7, 7)


def test_an_empty_file_changes_nothing(given: Given) -> None:
    given("# home: elsewhere\n")
    assert load_settings() == Settings()


def test_the_file_wins_over_the_defaults_and_the_environment_over_the_file(given: Given) -> None:
    given("home: from the file\nschedule:\n  time: '01:00'\n  enabled: false\nmodels: {seed: 3}\n")
    assert load_settings().home == Path.cwd() / "from the file"
    given(HOME="from the environment", SCHEDULE__TIME="02:00")
    settings = load_settings()
    assert settings.home == Path.cwd() / "from the environment"
    assert (settings.schedule.time, settings.schedule.enabled, settings.schedule.time_zone) == ("02:00", False, "America/New_York")
    assert settings.models.seed == 3
    assert Settings(home=Path("passed in")).home == Path.cwd() / "passed in"


def test_deep_and_listed_settings_come_from_either(given: Given) -> None:
    given("automation: {nightly: {retries: 5}}\nmodels: {names: [light_gbm, spline_ridge]}\n")
    settings = load_settings()
    assert (settings.automation.nightly.retries, settings.automation.nightly.timeout_seconds) == (5, 1800)
    assert settings.models.names == ("light_gbm", "spline_ridge")
    given(AUTOMATION__NIGHTLY__RETRIES="6", MODELS__NAMES='["stack"]', SOURCE='{"name": "files", "path": "a.csv"}')
    settings = load_settings()
    assert settings.automation.nightly.retries == 6
    assert settings.models.names == ("stack",)
    assert (settings.source.name, settings.source.path) == ("files", str(Path.cwd() / "a.csv"))


@pytest.mark.parametrize("word", ["null", " NULL "])
def test_null_is_a_word_in_a_variable_too(word: str, given: Given) -> None:
    given(REGISTRY__PROMOTION__TOLERANCE=word, DATASETS__SESSIONS=word, DATASETS__TRAIN_SESSIONS=word)
    settings = load_settings()
    assert (settings.registry.promotion.tolerance, settings.datasets.sessions, settings.datasets.train_sessions) == (None, None, None)
    given("registry: {promotion: {tolerance: null}}\n", REGISTRY__PROMOTION__TOLERANCE="0.2")
    assert load_settings().registry.promotion.tolerance == 0.2


def test_another_file_can_be_named(given: Given, tmp_path: Path) -> None:
    given("home: from the working directory")
    other = tmp_path / "other.yaml"
    other.write_text("home: from the other", encoding="utf-8")
    given(SETTINGS=str(other))
    assert settings_file() == other
    assert load_settings().home == Path.cwd() / "from the other"


@pytest.mark.parametrize("name", ["nowhere.yaml", "."])
def test_a_file_that_is_named_must_be_one(given: Given, name: str) -> None:
    given(SETTINGS=name)
    assert refusal() == f"{FILE_VARIABLE} names {Path(name)}, which is not a file; correct or unset it"


@pytest.mark.parametrize(
    ("file", "told"),
    [
        ("lock_wait_seconds: soon", "field lock_wait_seconds is 'soon', but it should be a whole number, such as 10"),
        ("lock_wait_seconds: 1.5", "field lock_wait_seconds is 1.5, but it should be a whole number, such as 10"),
        ("lock_wait_seconds: 0", "field lock_wait_seconds is 0, but it should be 1 or more"),
        ("home: 5", "field home is 5, but it should be a path"),
        ("trading: {cost_bps_per_side: -1}", "field trading.cost_bps_per_side is -1, but it should be 0 or more"),
        ("trading: {cost_bps_per_side: .inf}", "field trading.cost_bps_per_side is inf, but "),
        ("backtest: {cost_bps: 10}", "field backtest.cost_bps is set, but there is no such setting"),
        ("schedule: {time: '25:00'}", "field schedule.time is '25:00', but it should be a time from 00:00 to 23:59, such as 22:45"),
        # YAML reads base sixty.
        ("schedule: {time: 22:45}", "field schedule.time is 1365, but it should be a time from 00:00 to 23:59, such as 22:45; put it in"),
        ("schedule: {enabled: maybe}", "field schedule.enabled is 'maybe', but it should be true or false"),
        ("schedule: {time_zone: Mars/City}", "field schedule.time_zone is 'Mars/City', but there is no such time zone"),
        ("schedule: {time_zone: ../etc/passwd}", "field schedule.time_zone is '../etc/passwd', but there is no such time zone"),
        ("schedule: 5", "field schedule is a section, so it holds no value of its own; give its settings by name, such"),
        ("registry: {promotion: {tolerance: 2}}", "field registry.promotion.tolerance is 2, but it should be 1 or less"),
        ("quality: {jump_ratio: .nan}", "field quality.jump_ratio is nan, but it should be a number, such as 0.5"),
        ("labels: {horizons: []}", "field labels.horizons is [], but it should name one horizon or more, none of them twice"),
        ("labels: {horizons: [1, 5, 1]}", "field labels.horizons is [1, 5, 1], but it should name one horizon or more, none of them twice"),
        ("labels: {horizons: [1, 0]}", "field labels.horizons.1 is 0, but it should be 1 or more"),
        ("labels: {horizons: true}", "field labels.horizons is True, but it should be a list, as in [A, B] or A, B"),
        ("labels: {volatility_horizon: 1}", "field labels.volatility_horizon is 1, but it should be 2 sessions or more, as a standard"),
        ("datasets: {fold_sessions: 0}", "field datasets.fold_sessions is 0, but it should be 1 or more"),
        ("datasets: {train_sessions: 0}", "field datasets.train_sessions is 0, but it should be 1 or more"),
        ("datasets: {minimum_train_sessions: 0, train_sessions: 9}", "field datasets.minimum_train_sessions is 0, but it should be"),
        ("datasets: {sessions: 0}", "field datasets.sessions is 0, but it should be 1 or more"),
        ("models: {device: gpu}", "field models.device is 'gpu', but input should be 'auto', 'cpu' or 'cuda'"),
        ("models: {tuning_trials: 0}", "field models.tuning_trials is 0, but it should be 1 or more"),
        ("models: {suspicious_rank_ic: 1.5}", "field models.suspicious_rank_ic is 1.5, but it should be 1 or less"),
        ("backtest: {top_share: 0}", "field backtest.top_share is 0, but it should be more than 0"),
        ("source: {symbols: [A, 1]}", "field source.symbols.1 is 1, but it should be text; put it in quotes"),
        ("automation: {nightly: {retries: x}}", "field automation.nightly.retries is 'x', but it should be a whole number, such as 10"),
        ("nowhere: 1", "field nowhere is set, but there is no such setting; see docs/settings.md for the names"),
        ("schedule: {tiem: '22:45'}", "field schedule.tiem is set, but there is no such setting; see docs/settings.md"),
    ],
)
def test_a_wrong_setting_in_the_file_is_named_with_file_field_and_value(given: Given, file: str, told: str) -> None:
    given(file)
    assert refusal().startswith(f"file {FILE_NAME}: {told}")


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("LOCK_WAIT_SECONDS", "soon", "field lock_wait_seconds is 'soon', but it should be a whole number, such as 10"),
        ("SCHEDULE__TIME", "7:30", "field schedule.time is '7:30', but it should be a time from 00:00 to 23:59, such as 22:45"),
        ("SCHEDULE__TIEM", "07:30", "field schedule.tiem is set, but there is no such setting; see docs/settings.md for the names"),
        ("SCHEDULE__TIME__ZONE", "UTC", "field schedule.time is a mapping, but it should be a time"),
        ("AUTOMATION__NIGHTLY__RETRIES", "-1", "field automation.nightly.retries is '-1', but it should be 0 or more"),
        ("SOURCE__SYMBOLS", "[1]", "field source.symbols.0 is 1, but it should be text; put it in quotes"),
        ("SCHEDULE", '{"time": "x"}', "field schedule.time is 'x', but it should be a time"),
        (
            "SCHEDULE",
            "{time",
            "field schedule cannot be read as JSON; give its settings one by one, as in STOCK_PIPELINE_SCHED",
        ),
    ],
)
def test_a_wrong_variable_is_named_with_field_and_value(given: Given, name: str, value: str, told: str) -> None:
    given("models: {seed: 3}\n", **{name: value})
    assert refusal().startswith(f"variable {PREFIX}{name}: {told}")


def test_the_file_is_named_where_a_variable_sets_only_the_section_s_other_fields(given: Given) -> None:
    given("schedule: {time: x}", SCHEDULE='{"enabled": true}', SCHEDULE__TIME_ZONE="UTC")
    assert refusal().startswith(f"file {FILE_NAME}: field schedule.time is 'x'")


def test_a_variable_in_small_letters_counts_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("stock_pipeline_source__name", "files")
    assert load_settings().source.name == "files"
    monkeypatch.setenv("stock_pipeline_hoem", "data")
    assert refusal().startswith("variable stock_pipeline_hoem is set, but there is no such setting")


def test_a_variable_that_is_no_setting_is_named(given: Given) -> None:
    given(HOEM="data")
    assert refusal() == "variable STOCK_PIPELINE_HOEM is set, but there is no such setting; see docs/settings.md for the names"


@pytest.mark.parametrize(
    ("file", "told"),
    [
        ("home: [a", "cannot be read as YAML: expected ',' or ']', but got '<stream end>' in line 1, column 9"),
        ("home: a\n\tb: c", "cannot be read as YAML: "),
        (b"home: \xff\xfe", "cannot be read as YAML: byte 7 of it is not UTF-8"),
        ("home: !!python/object/apply:os.getcwd []", "cannot be read as YAML: something is wrong in line 1, column 7"),
        ("- home", "does not hold settings by name; write lines such as `home: data`"),
        ("only words", "does not hold settings by name; write lines such as `home: data`"),
    ],
)
def test_a_file_that_holds_no_settings_is_named_with_the_reason(given: Given, file: str | bytes, told: str) -> None:
    given(file)
    assert refusal().startswith(f"{FILE_NAME} {told}")


def leaves(section: BaseModel, prefix: str = "") -> dict[str, Any]:
    """Every setting by its dotted name."""
    found: dict[str, Any] = {}
    for name in type(section).model_fields:
        value = getattr(section, name)
        found |= leaves(value, f"{prefix}{name}.") if isinstance(value, BaseModel) else {f"{prefix}{name}": value}
    return found


# Of those that are left out by default.
GIVEN_INSTEAD = {
    "models.names": ["lightgbm", "risk"],
    "source.symbols": ["A", "B"],
    "datasets.sessions": 250,
    "datasets.train_sessions": 60,
}


@pytest.mark.parametrize("name", sorted(leaves(Settings.model_construct())))
def test_every_setting_can_be_given_by_file_and_by_variable(given: Given, name: str) -> None:
    default = leaves(Settings())[name]
    value = GIVEN_INSTEAD.get(name, list(default) if isinstance(default, tuple) else default)
    nested: Any = value if value is None or isinstance(value, bool | int | float | list) else str(value)
    for part in reversed(name.split(".")):
        nested = {part: nested}
    expected = tuple(value) if isinstance(value, list) else value
    given(yaml.safe_dump(nested))
    assert leaves(load_settings())[name] == expected
    as_text = "/a/path" if value is None else ",".join(map(str, value)) if isinstance(value, list) else str(value)
    given("", **{name.replace(".", "__").upper(): as_text})
    assert str(leaves(load_settings())[name]) == (as_text if value is None else str(expected))


def test_a_rolling_window_may_be_as_long_as_the_shortest_training_range(given: Given) -> None:
    given(DATASETS__TRAIN_SESSIONS="40", LABELS__HORIZONS="[5, 1, 20]")
    settings = load_settings()
    assert (settings.datasets.train_sessions, settings.labels.horizons) == (40, (5, 1, 20))


def test_settings_do_not_change_once_they_are_loaded() -> None:
    settings = load_settings()
    with pytest.raises(ValueError, match="frozen"):
        settings.exchange = "XLON"  # type: ignore[misc]
    with pytest.raises(ValueError, match="frozen"):
        settings.schedule.time = "01:00"  # type: ignore[misc]


def test_a_folder_in_place_of_the_settings_file_is_refused() -> None:
    Path(FILE_NAME).mkdir()
    assert "is not a file, but settings are read from it; make it one, or remove it" in refusal()


def test_of_two_variables_the_one_that_is_wrong_is_named(given: Given) -> None:
    given(MODELS__NAMES="mlp", MODELS='["mlp"]')
    assert refusal().startswith("variable STOCK_PIPELINE_MODELS: field models is a section")
