import pytest

from stock_pipeline.core.errors import InputError
from stock_pipeline.portfolio.profiles import PROFILES, chosen_profiles


def test_the_profiles_from_calm_to_bold() -> None:
    calm, middle, bold = (chosen_profiles(name)[0] for name in ("conservative", "default", "aggressive"))
    assert {calm, middle, bold} == set(PROFILES)
    assert calm.minimum_price > middle.minimum_price > bold.minimum_price
    assert calm.maximum_volatility_rank < middle.maximum_volatility_rank < bold.maximum_volatility_rank
    assert calm.weight_low_risk > middle.weight_low_risk > bold.weight_low_risk


@pytest.mark.parametrize("profile", PROFILES, ids=lambda profile: profile.name)
def test_every_profile_makes_sense(profile) -> None:  # type: ignore[no-untyped-def]
    assert profile.description.endswith(".")
    assert 0 < profile.maximum_volatility_rank <= 1
    assert profile.weight_predicted_return + profile.weight_low_risk > 0
    assert 0 < profile.maximum_per_sector <= profile.size


def test_an_unknown_profile_lists_those_there_are() -> None:
    with pytest.raises(InputError, match="'bold' is not known; choose one of default, conservative, aggressive, all"):
        chosen_profiles("bold")


def test_all_are_every_profile() -> None:
    assert chosen_profiles("all") == PROFILES
