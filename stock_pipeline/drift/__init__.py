"""Drift of the features since the models learned from them: statistics, severities and a report."""
