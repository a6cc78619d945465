"""Labels: what came after a session, which the models learn to predict.

What does not belong here: anything known at the session (features/), joining the two (datasets/).
"""
