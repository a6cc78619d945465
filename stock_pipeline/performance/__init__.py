"""Predictions beside their outcomes: how good each model was on each session, live and out of fold."""
