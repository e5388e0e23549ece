"""Settings: `local` (embedded servers), `production` (no defaults), `test`. The environment is read in `environment.py` only."""
