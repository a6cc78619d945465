"""Has the data changed since the models learnt from it: statistics, severities and a report."""
