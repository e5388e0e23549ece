"""PostgreSQL and Valkey from the wheels, for a machine that has neither.

Where they listen and what their secrets are follows from the project's own folder alone, so that settings can name them
without starting anything. Starting and stopping is for `manage.py` and the tests (`users.using_servers`). Nothing in
here needs Django or a package beyond the standard library, except to make the database itself.
"""

from dtm_ops.embedded.places import broker_url, database, redis_url, secret

__all__ = ["broker_url", "database", "redis_url", "secret"]
