# The product for production: web, worker and beat are the same image with three commands (compose.yaml).
# Pin the digest of the base image where you build: docker buildx imagetools inspect python:3.12-slim-bookworm

FROM python:3.12-slim-bookworm AS packages
WORKDIR /build
COPY requirements/production.txt .
RUN python -m venv /opt/venv \
 && /opt/venv/bin/pip install --no-cache-dir --quiet --disable-pip-version-check --no-input \
      --require-hashes --only-binary :all: -r production.txt

FROM python:3.12-slim-bookworm
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    DJANGO_SETTINGS_MODULE=dtm_ops.settings.production \
    STATIC_ROOT=/srv/static
RUN groupadd --gid 10001 dtm && useradd --uid 10001 --gid dtm --no-create-home --home-dir /nonexistent dtm \
 && install --directory --owner dtm --group dtm /srv/media
COPY --from=packages /opt/venv /opt/venv
WORKDIR /srv/dtm
COPY manage.py ./
COPY dtm_ops dtm_ops
COPY locations locations
COPY training training
COPY assessments assessments
COPY templates templates
# Values of no use anywhere satisfy the settings for the one command that needs no server.
RUN --mount=type=bind,source=.ci/production.env,target=/tmp/production.env \
    python -m compileall -q dtm_ops locations training assessments \
 && env $(grep -v '^#' /tmp/production.env) python manage.py collectstatic --noinput --verbosity 0
USER 10001:10001
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=10s --start-period=60s --retries=3 \
    CMD ["python", "-m", "dtm_ops.healthcheck", "8000"]
CMD ["gunicorn", "--config", "python:dtm_ops.gunicorn", "--bind", "0.0.0.0:8000"]
