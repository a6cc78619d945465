"""Maintenance: backups of the stores, and the archive of old artefacts."""
