from django.apps import AppConfig
from django.contrib.admin import apps as admin_apps
from django.utils.translation import gettext_lazy as _


class AccountsConfig(AppConfig):
    name = "dtm_ops.accounts"
    label = "accounts"
    verbose_name = _("Accounts")
    default = True


class AdminConfig(admin_apps.AdminConfig):
    """The stock admin with our own site class: its door is opened by a role, not by a flag alone."""

    default_site = "locations.site.DeskSite"
    default = False
