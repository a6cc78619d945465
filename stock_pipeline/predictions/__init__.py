"""Predictions of each stock after a session's close, and the signals made from them."""
