"""What is the same everywhere. `local`, `production` and `test` import this and add their servers and secrets."""

from pathlib import Path
from typing import Any

from csp.constants import NONE, SELF

BASE_DIR = Path(__file__).resolve().parent.parent.parent

INSTALLED_APPS = [
    "dtm_ops.accounts",
    "dtm_ops.common",
    "dtm_ops.embedded",
    "dtm_ops.records",
    "locations",
    "training",
    "assessments",
    "dtm_ops.accounts.apps.AdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.humanize",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "axes",
    "csp",
    "django_filters",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "import_export",
    "pgtrigger",
    "pghistory",
    "rest_framework",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "dtm_ops.accounts.middleware.LanguageMiddleware",
    # What no view declares open asks for a log-in.
    "django.contrib.auth.middleware.LoginRequiredMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "pghistory.middleware.HistoryMiddleware",
    "axes.middleware.AxesMiddleware",
]

ROOT_URLCONF = "dtm_ops.urls"
WSGI_APPLICATION = "dtm_ops.wsgi.application"

TEMPLATES: list[dict[str, Any]] = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.template.context_processors.i18n",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "assessments.pages.frame.frame",
            ],
        },
    },
]

DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# --- people and passwords

AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = ["axes.backends.AxesStandaloneBackend", "django.contrib.auth.backends.ModelBackend"]
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "home"
LOGOUT_REDIRECT_URL = "login"
AXES_FAILURE_LIMIT = 8
AXES_COOLOFF_TIME = 0.25  # hours
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_LOCKOUT_TEMPLATE = "registration/locked.html"
AXES_ENABLE_ADMIN = False
AXES_VERBOSE = False

# --- what a browser may do

CONTENT_SECURITY_POLICY: dict[str, Any] = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "img-src": [SELF, "data:"],
        "object-src": [NONE],
        "base-uri": [SELF],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
    },
}
X_FRAME_OPTIONS = "DENY"
SECURE_REFERRER_POLICY = "same-origin"
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_AGE = 14 * 24 * 3600
DATA_UPLOAD_MAX_NUMBER_FIELDS = 5000
MESSAGE_STORAGE = "django.contrib.messages.storage.session.SessionStorage"

# --- languages and time

LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("ru", "Русский"), ("kk", "Қазақша")]
LOCALE_PATHS = [BASE_DIR / "dtm_ops" / "locale", BASE_DIR / "dtm_ops" / "locale_libraries"]
FORMAT_MODULE_PATH = "dtm_ops.formats"
USE_I18N = True
USE_TZ = True
USE_THOUSAND_SEPARATOR = True
# The zone of the mission's desk. Times of a place are shown in the place's own zone (AdminUnit.time_zone).
TIME_ZONE = "Asia/Almaty"

# --- files

STATIC_URL = "static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
# Photos of what somebody saw. No address leads here: a view serves them to whoever may read the proposal.
MEDIA_ROOT = BASE_DIR / "var" / "media"
STATICFILES_DIRS = [BASE_DIR / "dtm_ops" / "static"]

# --- background work

CELERY_TIMEZONE = TIME_ZONE
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_TASK_SOFT_TIME_LIMIT = 55 * 60
CELERY_TASK_TIME_LIMIT = 60 * 60
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
# A message is given again only when no task can still be running on it: twice the hard limit. The two restore options
# make kombu look for lost messages every 10 seconds instead of every 100.
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "visibility_timeout": 2 * CELERY_TASK_TIME_LIMIT,
    "unacked_restore_interval": 10,
    "unacked_restore_throttle": 1,
    "socket_keepalive": True,
}
CELERY_BEAT_SCHEDULE = {
    # Looks at KoboForm.next_sync_at; a beat that was away does not pile up work: old ticks expire.
    "sync-due-forms": {"task": "assessments.sync_due_forms", "schedule": 60.0, "options": {"expires": 50}},
    "delete-old-notices": {"task": "assessments.delete_old_notices", "schedule": 3600.0, "options": {"expires": 3000}},
    "send-due-statuses": {"task": "assessments.send_due_statuses", "schedule": 60.0, "options": {"expires": 50}},
    "fetch-due-files": {"task": "assessments.fetch_due_files", "schedule": 300.0, "options": {"expires": 290}},
    "publish-due-lists": {"task": "assessments.publish_due_lists", "schedule": 300.0, "options": {"expires": 290}},
    "send-due-notices": {"task": "records.send_due_notices", "schedule": 60.0, "options": {"expires": 50}},
    "remind-of-trainings": {"task": "training.send_reminders", "schedule": 600.0, "options": {"expires": 500}},
}

# --- mail: what people are told leaves through the outbox (`dtm_ops.records.notices`)

EMAIL_TIMEOUT = 20  # seconds; a notice that takes longer is tried again
DEFAULT_FROM_EMAIL = "DTM Ops <dtm-ops@localhost>"
# Where links in mails lead: background work knows no request.
SITE_ADDRESS = "http://localhost:8000"

# --- API

REST_FRAMEWORK: dict[str, Any] = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        # First: the first one says how to log in, without which a wrong token would be 403 instead of 401.
        "dtm_ops.accounts.authentication.ApiTokenAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["dtm_ops.common.api.NothingIsOpen"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_FILTER_BACKENDS": ["dtm_ops.common.api.DeclaredFilters"],
    "DEFAULT_PAGINATION_CLASS": "dtm_ops.common.api.Pages",
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    # OPTIONS would answer for rows out of reach as for others; what there is stands in the schema.
    "DEFAULT_METADATA_CLASS": None,
    "DEFAULT_THROTTLE_CLASSES": ["rest_framework.throttling.UserRateThrottle"],
    "DEFAULT_THROTTLE_RATES": {"user": "600/min"},
    "EXCEPTION_HANDLER": "dtm_ops.common.api.answer_error",
}
SPECTACULAR_SETTINGS: dict[str, Any] = {
    "TITLE": "DTM Ops API",
    "DESCRIPTION": "Read access to places, rounds, coverage, figures and submissions, within the reader's own units.",
    "VERSION": "1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "SERVE_PERMISSIONS": ["rest_framework.permissions.IsAuthenticated"],
    "SWAGGER_UI_SETTINGS": {"deepLinking": True, "supportedSubmitMethods": ["get"]},
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "dtm_ops.common.api.describe_errors",
    ],
}

# --- imports: only XLSX and CSV, all or nothing, previews kept where every web host finds them

IMPORT_EXPORT_USE_TRANSACTIONS = True
IMPORT_EXPORT_SKIP_ADMIN_LOG = True
IMPORT_EXPORT_TMP_STORAGE_CLASS = "import_export.tmp_storages.CacheStorage"

# --- logs: one line each; never a token, a phone number or an answer

LOGGING: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": "INFO"},
}

# --- the product itself

# Whether `manage.py demo` may write: fictitious people have no place in production.
DEMO_ALLOWED = False
# Whether a shared practice KoboToolbox stands beside the product (its address, or blank).
PRACTICE_KOBO_URL = ""
PRACTICE_KOBO_STATE = BASE_DIR / "var" / "practice_kobo" / "state.sqlite3"
SUPPORT_CONTACT = ""
# How phones are written at home: country code, the digit dialled before a number within the country, digits after it.
PHONE_PLAN = {"country": "7", "trunk": "8", "digits": 10}
