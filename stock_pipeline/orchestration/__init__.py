"""How a stage is declared and executed, and the glue to Dagster: resources, the asset factory, freshness, schedules, sensors, jobs.

What does not belong here: anything about markets or models.
"""
