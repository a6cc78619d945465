"""A long-only book of the best-scored stocks, filled at the next open, after costs, session by session."""
