"""Production: outside servers, no defaults for anything that is secret or an address, and no demo."""

from pathlib import Path

from dtm_ops.settings import environment
from dtm_ops.settings.base import *  # noqa: F403  settings modules of Django are star imports by its own design

DEBUG = False
ALLOWED_HOSTS = environment.words("ALLOWED_HOSTS")
CSRF_TRUSTED_ORIGINS = [f"https://{'*' if host.startswith('.') else ''}{host}" for host in ALLOWED_HOSTS]

SECRET_KEY = environment.secret("SECRET_KEY")
if len(SECRET_KEY) < 50:
    raise environment.stop("SECRET_KEY is shorter than 50 characters")
# The first key encrypts, all of them decrypt: put a new one in front to rotate.
FIELD_ENCRYPTION_KEYS = environment.encryption_keys(environment.secret("FIELD_ENCRYPTION_KEYS").split(","))

DATABASES = {"default": environment.database(environment.secret("DATABASE_URL"))}
DATABASES["default"] |= {"CONN_MAX_AGE": 60, "CONN_HEALTH_CHECKS": True}

CELERY_BROKER_URL, _cache_url = environment.redis(environment.secret("REDIS_URL"))
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": _cache_url,
        "KEY_PREFIX": "dtm-ops",
    },
}

globals().update(environment.mail(environment.secret("EMAIL_URL")))
DEFAULT_FROM_EMAIL = environment.text("DEFAULT_FROM_EMAIL")
SITE_ADDRESS = environment.site_address(environment.text("SITE_ADDRESS"))

# Photos and files from the field: in a folder (MEDIA_ROOT), or in a bucket of S3 or of what speaks like it.
_bucket = environment.text("S3_BUCKET", default="")
STORAGES = {
    "default": environment.bucket(
        _bucket,
        endpoint_url=environment.text("S3_ENDPOINT_URL", default=""),
        region_name=environment.text("S3_REGION", default=""),
        location=environment.text("S3_PREFIX", default=""),
        access_key=environment.secret("S3_ACCESS_KEY_ID", default=""),
        secret_key=environment.secret("S3_SECRET_ACCESS_KEY", default=""),
    )
    if _bucket
    else {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}
STATIC_ROOT = Path(environment.text("STATIC_ROOT", default=str(STATIC_ROOT)))
# One folder for all web hosts.
MEDIA_ROOT = Path(environment.text("MEDIA_ROOT", default=str(MEDIA_ROOT)))

SECURE_SSL_REDIRECT = environment.flag("SECURE_SSL_REDIRECT", default=True)
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
SECURE_REDIRECT_EXEMPT = [r"^health/$"]
SECURE_HSTS_SECONDS = environment.number("SECURE_HSTS_SECONDS", default=31_536_000)
SECURE_HSTS_INCLUDE_SUBDOMAINS = True
SECURE_HSTS_PRELOAD = True
SESSION_COOKIE_SECURE = True
CSRF_COOKIE_SECURE = True
# Behind one proxy the address of the visitor is the last that the proxy added; without it everybody shares one lock.
AXES_IPWARE_PROXY_COUNT = environment.number("PROXY_COUNT", default=1)

SUPPORT_CONTACT = environment.text("SUPPORT_CONTACT", default="")

SENTRY_DSN = environment.secret("SENTRY_DSN", default="")
if SENTRY_DSN:
    import sentry_sdk  # only installed by requirements/production.txt
    from sentry_sdk.scrubber import DEFAULT_DENYLIST, EventScrubber

    sentry_sdk.init(
        dsn=SENTRY_DSN,
        send_default_pii=False,
        include_local_variables=False,
        # It sends the headers of requests along, and in this one Kobo's notices carry their secret.
        event_scrubber=EventScrubber(denylist=[*DEFAULT_DENYLIST, "x-dtm-secret"]),
    )
