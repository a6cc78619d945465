"""What holds for every test: properties are tried on the same examples, and output is as wide, however slow or wide the machine is."""

import os

from hypothesis import HealthCheck, settings

settings.register_profile("steady", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("steady")
os.environ.pop("COLUMNS", None)  # which the processes of pytest-xdist have of their own
