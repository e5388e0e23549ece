"""DTM Ops: the desk from which displacement and migration assessments are run."""

from dtm_ops.celery import app as celery_app

__all__ = ["celery_app"]
