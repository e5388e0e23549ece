"""Rounds, focus groups, Kobo, review, coverage, figures."""
