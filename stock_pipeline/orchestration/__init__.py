"""The declaration and execution of stages, and the glue to Dagster: resources, the asset factory, freshness, schedules, sensors, jobs.

What does not belong here: anything about markets or models.
"""
