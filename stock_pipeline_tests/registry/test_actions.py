from collections.abc import Callable

import pytest

from stock_pipeline.core.columns import VERSION
from stock_pipeline.core.errors import InputError
from stock_pipeline.registry.comparison import Comparison
from stock_pipeline.registry.manual import is_enabled, promote, roll_back, with_enablement
from stock_pipeline.registry.registration import Registry
from stock_pipeline.registry.tables import (
    ACTIVE,
    ARCHIVED,
    BY,
    CANDIDATE,
    DECISION,
    DECISIONS,
    HOLDOUT,
    IN_SHADOW,
    MODEL_ENABLEMENT,
    OVERRIDE,
    PERSON,
    PROMOTION,
    REASON,
    REJECTED,
    RETIRED,
    ROLLBACK,
    SHADOW,
    STATUS,
)
from stock_pipeline.settings import PromotionSettings
from stock_pipeline_tests.factories.comparisons import comparison
from stock_pipeline_tests.registry.test_lifecycle import DAYS, versions

RULE = PromotionSettings(tolerance_for="all")


def registry(*statuses: str) -> Registry:
    return Registry(versions(*statuses), DECISIONS.empty())


def compared(error: float, sessions: int = 20) -> Callable[[str, str], Comparison | None]:
    return lambda _own, _champion: comparison(sessions=sessions, predictions=20 * sessions, mae=error) if sessions else None


def promoted(before: Registry, version: int, compare: Callable[[str, str], Comparison | None], forced: str | None = None) -> Registry:
    return promote(before, "a", version, DAYS[5], RULE, compare, compare, forced)


@pytest.mark.parametrize(("status", "decision_basis"), [(CANDIDATE, HOLDOUT), (SHADOW, IN_SHADOW)])
def test_a_hand_promotes_what_passes(status: str, decision_basis: str) -> None:
    found = promoted(registry(ACTIVE, status), 2, compared(0.24))
    assert found.versions[STATUS].to_list() == [RETIRED, ACTIVE]
    row = found.decisions.row(0, named=True)
    assert (row[VERSION], row[DECISION], row["decision_basis"], row[BY], row["champion"], row["mae"]) == (
        2,
        PROMOTION,
        decision_basis,
        PERSON,
        1,
        0.24,
    )


@pytest.mark.parametrize(
    ("status", "error", "sessions", "told"),
    [
        (ACTIVE, 0.2, 20, "version 2 of a is active already"),
        (REJECTED, 0.2, 20, "version 2 of a was rejected: no version was active; promote it anyway with --force and --reason"),
        (ARCHIVED, 0.2, 20, "version 2 of a is archived"),
        (RETIRED, 0.2, 20, "go back to it with `stock-pipeline models rollback a`"),
        (
            CANDIDATE,
            0.4,
            20,
            "does not pass: rank IC 0.0200 on 20 sessions against 0.0200 of the active version, but its error is 60.00% larger",
        ),
        (CANDIDATE, 0.2, 0, "shares no session with version 1"),
        (SHADOW, 0.2, 19, "has 380 predictions of 19 sessions with outcomes in shadow, and needs 100 of 20"),
    ],
)
def test_a_hand_is_refused_what_the_rule_refuses(status: str, error: float, sessions: int, told: str) -> None:
    with pytest.raises(InputError, match=told):
        promoted(registry(ACTIVE, status), 2, compared(error, sessions))


@pytest.mark.parametrize("status", [CANDIDATE, SHADOW, REJECTED, RETIRED])
def test_a_reason_passes_over_the_rule(status: str) -> None:
    found = promoted(registry(ACTIVE, status), 2, compared(9.0, 0), "I know better")
    assert found.versions[STATUS].to_list() == [RETIRED, ACTIVE]
    assert found.decisions.select("decision_basis", BY, REASON).row(0) == (OVERRIDE, PERSON, "I know better")


def test_not_even_a_reason_brings_back_what_is_archived() -> None:
    with pytest.raises(InputError, match="its artefact is not in place"):
        promoted(registry(ACTIVE, ARCHIVED), 2, compared(0.2), "I know better")


def test_one_step_back_and_another_and_no_further() -> None:
    three = promoted(registry(RETIRED, ACTIVE, SHADOW), 3, compared(0.2))
    once = roll_back(three, "a", None, DAYS[6], "it errs")
    assert once.versions[STATUS].to_list() == [RETIRED, ACTIVE, RETIRED]
    twice = roll_back(once, "a", None, DAYS[7], "it errs too")
    assert twice.versions[STATUS].to_list() == [ACTIVE, RETIRED, RETIRED]
    assert twice.decisions.select(VERSION, DECISION, "champion", REASON).rows()[1:] == [
        (2, ROLLBACK, 3, "it errs"),
        (1, ROLLBACK, 2, "it errs too"),
    ]
    with pytest.raises(InputError, match="a has no earlier version that was active"):
        roll_back(twice, "a", None, DAYS[8], "on")


def test_back_to_a_version_that_is_named() -> None:
    found = roll_back(registry(RETIRED, RETIRED, ACTIVE), "a", 1, DAYS[5], "it was better")
    assert found.versions[STATUS].to_list() == [ACTIVE, RETIRED, RETIRED]


@pytest.mark.parametrize(
    ("version", "told"), [(3, "version 3 of a is active"), (2, "version 2 of a is rejected"), (9, "a has no version 9")]
)
def test_going_back_takes_a_version_that_has_served(version: int, told: str) -> None:
    with pytest.raises(InputError, match=told):
        roll_back(registry(RETIRED, REJECTED, ACTIVE), "a", version, DAYS[5], "on")


def test_a_model_is_disabled_and_enabled_again() -> None:
    off = with_enablement(MODEL_ENABLEMENT.empty(), "a", False, DAYS[5], "it errs")
    assert (is_enabled(off, "a"), is_enabled(off, "b")) == (False, True)
    on = with_enablement(off, "a", True, DAYS[6], "mended")
    assert is_enabled(on, "a") and on.height == 1 and MODEL_ENABLEMENT.validate(on).equals(on)
    with pytest.raises(InputError, match="a is enabled already"):
        with_enablement(on, "a", True, DAYS[6], "again")
    with pytest.raises(InputError, match="b is enabled already"):
        with_enablement(MODEL_ENABLEMENT.empty(), "b", True, DAYS[6], "again")
