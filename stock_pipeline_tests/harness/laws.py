"""How property tests run: the same examples every time, and however slow the machine."""

from hypothesis import HealthCheck, settings


def law(examples: int) -> settings:
    """Settings for a law that is tried on so many examples, in each of which files and fixtures may be used."""
    return settings(
        max_examples=examples,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )
