"""Features: numbers known of each stock after a session's close, as ratios that no later split or dividend changes.

A family's file lists its features, ``catalogue.py`` says which of them make the set, ``compute.py`` computes them. What does not
belong here: anything that happens after the session (labels/), joining the two (datasets/).
"""
