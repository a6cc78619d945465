"""Labels: what came after a session, which the models learn to foretell.

What does not belong here: anything known at the session (features/), joining the two (datasets/).
"""
