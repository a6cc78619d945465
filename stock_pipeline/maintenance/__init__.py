"""Maintenance: what keeps the stores small and safe."""
