"""The Celery application. Tasks live in the apps; the beat schedule is static and stands in settings."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "dtm_ops.settings.local")

app = Celery("dtm_ops")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
