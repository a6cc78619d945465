"""Suggested stocks for each risk profile, with or without models."""
