"""The roster: people, form kinds, training sessions, attendance, certificates."""
