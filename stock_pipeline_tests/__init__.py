"""The tests mirror the package: the test of ``a/b.py`` is ``a/test_b.py``."""
