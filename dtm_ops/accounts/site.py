"""The admin site."""

from django.contrib.admin import AdminSite
from django.utils.translation import gettext_lazy as _


class DeskSite(AdminSite):
    """The coordinators' desk."""

    site_header = "DTM Ops"
    site_title = "DTM Ops"
    index_title = _("The desk")
    site_url = "/"
    enable_nav_sidebar = True
