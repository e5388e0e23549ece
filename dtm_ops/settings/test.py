"""The suite: the same engines as everywhere, a database and Valkey numbers of its own, and a quick password hasher."""

from zlib import crc32

from dtm_ops import embedded
from dtm_ops.settings import environment
from dtm_ops.settings.base import *  # noqa: F403  settings modules of Django are star imports by its own design

DEBUG = False
ALLOWED_HOSTS = ["testserver", "localhost", "127.0.0.1"]
SECRET_KEY = "only-for-tests-" + "0" * 50
FIELD_ENCRYPTION_KEYS = ["MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]

# Suites that run at the same time (a second one by hand, xdist) take a database and Valkey numbers of their own. An
# outside server has sixteen numbers only: there they share 14 and 15.
_suffix = environment.text("DTM_TEST_SUFFIX", default="")
_lane = _suffix + environment.text("PYTEST_XDIST_WORKER", default="")
_lane_number = 16 + crc32(_lane.encode()) % 50 * 2 if _lane else 14

_database_url = environment.secret("DATABASE_URL", default="")
DATABASES = {"default": environment.database(_database_url) if _database_url else embedded.database()}
DATABASES["default"]["TEST"] = {"NAME": f"test_dtm_ops{_suffix and '_'}{_suffix}"}

_redis_url = environment.secret("REDIS_URL", default="")
CELERY_BROKER_URL, _cache_url = (
    environment.redis(_redis_url, broker=14, cache=15)
    if _redis_url
    else (embedded.broker_url(_lane_number), embedded.redis_url(_lane_number + 1))
)
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": _cache_url,
        "KEY_PREFIX": "dtm-ops-test",
    },
}
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.InMemoryStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
AXES_ENABLED = False
WHITENOISE_AUTOREFRESH = True
DEMO_ALLOWED = True
