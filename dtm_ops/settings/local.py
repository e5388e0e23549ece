"""The embedded default: PostgreSQL and Valkey from the wheels, unless DATABASE_URL or REDIS_URL name others."""

from dtm_ops import embedded
from dtm_ops.settings import environment
from dtm_ops.settings.base import *  # noqa: F403  settings modules of Django are star imports by its own design

DEBUG = environment.flag("DEBUG", default=False)
ALLOWED_HOSTS = environment.words("ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]"])

SECRET_KEY = environment.secret("SECRET_KEY", default="") or embedded.secret("SECRET_KEY")
FIELD_ENCRYPTION_KEYS = environment.encryption_keys(
    environment.words("FIELD_ENCRYPTION_KEYS", default=[]) or [embedded.secret("FIELD_ENCRYPTION_KEY")]
)

_database_url = environment.secret("DATABASE_URL", default="")
DATABASES = {"default": environment.database(_database_url) if _database_url else embedded.database()}
DATABASES["default"] |= {"CONN_MAX_AGE": 60, "CONN_HEALTH_CHECKS": True, "ATOMIC_REQUESTS": False}

_redis_url = environment.secret("REDIS_URL", default="")
CELERY_BROKER_URL, _cache_url = (
    environment.redis(_redis_url) if _redis_url else (embedded.broker_url(0), embedded.redis_url(1))
)
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": _cache_url,
        "KEY_PREFIX": "dtm-ops",
    },
}

# Without a mail server what would be sent lies in var/mail.
_email_url = environment.secret("EMAIL_URL", default="")
globals().update(environment.mail(_email_url or f"filemail:///{BASE_DIR / 'var' / 'mail'}"))
DEFAULT_FROM_EMAIL = environment.text("DEFAULT_FROM_EMAIL", default=DEFAULT_FROM_EMAIL)
SITE_ADDRESS = environment.site_address(environment.text("SITE_ADDRESS", default=SITE_ADDRESS))

WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = DEBUG

DEMO_ALLOWED = True
PRACTICE_KOBO_URL = environment.text("PRACTICE_KOBO_URL", default="http://127.0.0.1:8001")
