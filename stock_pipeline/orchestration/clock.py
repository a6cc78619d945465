"""The only use of the clock outside of ingestion: for the audit trail, never for data."""

from datetime import UTC, datetime


def utc_now() -> datetime:
    """The present moment in UTC, without a zone, as the stores keep it."""
    return datetime.now(UTC).replace(tzinfo=None)
