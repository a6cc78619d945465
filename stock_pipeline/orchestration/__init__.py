"""Dagster glue that the stages share: resources, the asset factory, freshness, schedules, sensors, jobs.

What does not belong here: anything about markets or models.
"""
