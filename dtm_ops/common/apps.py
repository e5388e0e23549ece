from django.apps import AppConfig
from django.contrib.admin import widgets


class CommonConfig(AppConfig):
    name = "dtm_ops.common"
    label = "common"

    def ready(self) -> None:
        # Django knows the languages that its own Select2 brings; ours lies beside them in this app's static files.
        widgets.SELECT2_TRANSLATIONS["kk"] = "kk"
