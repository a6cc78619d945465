"""Market data: sources, daily bars, corporate actions, instruments, quality. The only room that talks to the outside."""
