"""The one place that reads the environment.

Secrets may also come from a file named by `<NAME>_FILE` (Docker and systemd secrets). A value that is missing or wrong
ends the start with one line that names it: nothing half-configured ever serves a page.
"""

import base64
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import environ
from django.core.exceptions import ImproperlyConfigured

_env = environ.Env()


def stop(problem: str) -> SystemExit:
    """The one line, on standard error, with exit status 1."""
    return SystemExit(f"DTM Ops cannot start: {problem}")


@contextmanager
def _named(name: str) -> Iterator[None]:
    try:
        yield
    except ImproperlyConfigured:
        raise stop(f"{name} is missing from the environment") from None
    except (ValueError, KeyError) as error:
        raise stop(f"{name} has a value that cannot be read ({type(error).__name__})") from None


def _read(reader: Callable[..., Any], name: str, default: Any) -> Any:
    with _named(name):
        return reader(name) if default is _env.NOTSET else reader(name, default=default)


def text(name: str, default: Any = _env.NOTSET) -> str:
    return _read(_env.str, name, default)


def flag(name: str, *, default: bool) -> bool:
    return _read(_env.bool, name, default)


def number(name: str, *, default: int) -> int:
    return _read(_env.int, name, default)


def words(name: str, default: Any = _env.NOTSET) -> list[str]:
    """A comma-separated list; blanks around the commas do not count. Blank counts as missing."""
    found = [word.strip() for word in _read(_env.list, name, default) if word.strip()]
    if not found and default is _env.NOTSET:
        raise stop(f"{name} is blank")
    return found


def secret(name: str, default: Any = _env.NOTSET) -> str:
    """A value, or the content of the file that `<name>_FILE` names. Blank counts as missing."""
    file = _env.str(f"{name}_FILE", default="")
    if file:
        try:
            value = Path(file).read_text(encoding="utf-8").strip()
        except OSError as error:
            raise stop(f"{name}_FILE names a file that cannot be read ({error.strerror})") from None
    else:
        value = text(name, default)
    if not value and default is _env.NOTSET:
        raise stop(f"{name} is blank")
    return value


def database(url: str) -> dict[str, Any]:
    """Django's database settings for a `postgres://` address. Other engines are refused: the rules live in PostgreSQL.

    A server on a Unix socket is named by its folder, percent-encoded: `postgres://dtm@%2Frun%2Fpostgresql/dtm_ops`.
    """
    if not url.startswith(("postgres://", "postgresql://")):
        raise stop("DATABASE_URL must begin with postgres:// (no other engine holds the rules of this system)")
    with _named("DATABASE_URL"):
        found = dict(_env.db_url_config(url))
    if not found["NAME"]:
        raise stop("DATABASE_URL names no database (postgres://user:password@host:port/name)")
    return found | {"HOST": unquote(found["HOST"] or "")}


def redis(url: str, *, broker: int | None = None, cache: int | None = None) -> tuple[str, str]:
    """The addresses of queue and cache on one server, each at the number given, else at the address's own.

    Celery and the cache write a Unix socket differently.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("redis", "rediss", "unix") or not (parts.hostname or parts.path.strip("/")):
        raise stop("REDIS_URL must begin with redis://, rediss:// or unix:// and name a server")
    if parts.scheme == "unix":
        own = parse_qs(parts.query).get("db", ["0"])[0]
        queue = f"redis+socket://{parts.path}?virtual_host={own if broker is None else broker}"
        return queue, f"unix://{parts.path}?db={own if cache is None else cache}"
    numbered = [url if number is None else parts._replace(path=f"/{number}").geturl() for number in (broker, cache)]
    return numbered[0], numbered[1]


def mail(url: str) -> dict[str, Any]:
    """Django's mail settings for an address such as `smtp+tls://user:password@mail.example.org:587`.

    `dummymail://` sends nothing, `consolemail://` writes to the log, `filemail:////folder` into files.
    """
    try:
        config = _env.email_url_config(url)
    except (ImproperlyConfigured, ValueError, KeyError):
        raise stop("EMAIL_URL must be like smtp+tls://user:password@host:port") from None
    found = {name: value for name, value in config.items() if name.startswith("EMAIL_") and value}
    if found["EMAIL_BACKEND"].endswith("smtp.EmailBackend") and "EMAIL_HOST" not in found:
        raise stop("EMAIL_URL names no mail server (smtp+tls://user:password@host:port)")
    return found


def bucket(name: str, **options: str) -> dict[str, Any]:
    """Django's storage settings for a bucket. Without keys the library looks for the machine's own role.

    Nothing in it is public: no object gets an address of its own, a view of ours reads it for whoever may. There is no
    ACL, since buckets made after April 2023 refuse every request that names one; they are private without.
    """
    endpoint = options.get("endpoint_url", "")
    if endpoint and (urlsplit(endpoint).scheme not in ("http", "https") or not urlsplit(endpoint).hostname):
        raise stop("S3_ENDPOINT_URL must be like https://minio.example.org")
    if bool(options.get("access_key")) != bool(options.get("secret_key")):
        raise stop("S3_ACCESS_KEY_ID and S3_SECRET_ACCESS_KEY belong together: one of them is missing")
    if "/" in name:
        raise stop("S3_BUCKET is the name of a bucket, without an address and without a folder (S3_PREFIX)")
    chosen = {key: value for key, value in options.items() if value}
    fixed = {
        "bucket_name": name,
        "default_acl": None,
        "querystring_auth": True,
        "custom_domain": None,
        "file_overwrite": False,
        "signature_version": "s3v4",
    }
    return {"BACKEND": "storages.backends.s3.S3Storage", "OPTIONS": {**chosen, **fixed}}


def site_address(url: str) -> str:
    """Where the site is reached from outside, without a path and without a slash at its end."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.path.strip("/") or parts.query:
        raise stop("SITE_ADDRESS must be like https://dtm.example.org, without a path")
    return f"{parts.scheme}://{parts.netloc}"


def encryption_keys(values: list[str]) -> list[str]:
    """Each must be 32 bytes in URL-safe base64; the names that people trust us with hang on it."""
    keys = [value.strip() for value in values if value.strip()]
    for key in keys:
        try:
            size = len(base64.urlsafe_b64decode(key))
        except ValueError:
            size = 0
        if size != 32:
            raise stop("FIELD_ENCRYPTION_KEYS holds a key that is not 32 bytes in URL-safe base64")
    if not keys:
        raise stop("FIELD_ENCRYPTION_KEYS holds no key")
    return keys
