"""Drift of the features since the models learnt from them: statistics, severities and a report."""
