"""`/log-in/`: the stock log-in; a demonstration tells its log-ins."""

from typing import Any

from django.contrib.auth.views import LoginView

from dtm_ops.accounts.models import User

DemoLogins = tuple[tuple[str, str, Any], ...]


class LogInView(LoginView):
    """``demo_logins``: (user name, password, what the person does); shown as far as those users exist."""

    redirect_authenticated_user = True
    demo_logins: DemoLogins = ()

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(**kwargs) | {"demo_logins": self._existing()}

    def _existing(self) -> list[tuple[str, str, Any]]:
        names = [name for name, _password, _words in self.demo_logins]
        there = set(User.objects.filter(username__in=names, is_active=True).values_list("username", flat=True))
        return [login for login in self.demo_logins if login[0] in there]
