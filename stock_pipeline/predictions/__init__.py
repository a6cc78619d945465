"""What a model says of each stock after a session's close, and the signals that follow from it."""
