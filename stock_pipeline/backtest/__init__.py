"""A long-only book of the highest-scored stocks, filled at the next open, after costs, session by session."""
