from django.apps import AppConfig


class EmbeddedConfig(AppConfig):
    name = "dtm_ops.embedded"
    label = "embedded"
