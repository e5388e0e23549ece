"""How the web server runs, the same on a laptop and in production. The address comes with `--bind`."""

from pathlib import Path

wsgi_app = "dtm_ops.wsgi:application"
worker_class = "gthread"
workers = 2
threads = 4
timeout = 60
graceful_timeout = 8
# The sign of life is a file that is touched all the time: in memory where there is such a place.
worker_tmp_dir = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108
# Its socket would lie in the home folder of whoever starts it.
control_socket_disable = True
