"""Setting how the threads of the numeric libraries wait."""

import os


def sleep_when_idle() -> None:
    """Let idle OpenMP threads sleep. They read this at import, so it is called before LightGBM, XGBoost, CatBoost or torch is imported.

    By default they spin, which made two jobs side by side up to ten times slower. What the environment says already is left alone.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
