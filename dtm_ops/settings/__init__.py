"""Settings: `local` (embedded servers), `production` (no defaults), `test`. `environment` alone reads variables."""
