"""The suite: the same engines as everywhere, a database and Valkey numbers of its own, and a quick password hasher."""

from dtm_ops import embedded
from dtm_ops.settings import environment
from dtm_ops.settings.base import *  # noqa: F403  settings modules of Django are star imports by its own design

DEBUG = False
ALLOWED_HOSTS = ["testserver", "localhost", "127.0.0.1"]
SECRET_KEY = "only-for-tests-" + "0" * 50
FIELD_ENCRYPTION_KEYS = ["MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]

_database_url = environment.secret("DATABASE_URL", default="")
DATABASES = {"default": environment.database(_database_url) if _database_url else embedded.database()}

_redis_url = environment.secret("REDIS_URL", default="")
CELERY_BROKER_URL = f"{_redis_url}/14" if _redis_url else embedded.broker_url(14)
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": f"{_redis_url}/15" if _redis_url else embedded.redis_url(15),
        "KEY_PREFIX": "dtm-ops-test",
    },
}
EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
AXES_ENABLED = False
WHITENOISE_AUTOREFRESH = True
DEMO_ALLOWED = True
