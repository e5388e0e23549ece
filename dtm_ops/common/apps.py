from django.apps import AppConfig


class CommonConfig(AppConfig):
    name = "dtm_ops.common"
    label = "common"
