import shutil
from io import StringIO
from pathlib import Path

import pytest
from django.contrib.admin.widgets import get_select2_language
from django.contrib.staticfiles import finders
from django.core.management import CommandError, call_command
from django.test import RequestFactory
from django.utils import translation
from django.utils.translation import gettext, ngettext
from django.views.i18n import JavaScriptCatalog
from pytest_django import Settings

LIBRARIES = Path(__file__).parents[2] / "dtm_ops" / "locale_libraries"


@pytest.fixture
def project(settings: Settings, tmp_path: Path) -> Path:
    """A project of one template, with the real catalogues of the libraries."""
    shutil.copytree(LIBRARIES, tmp_path / "locale_libraries")
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates" / "page.html").write_text('{% translate "Coverage" %}', encoding="utf-8")
    settings.BASE_DIR = tmp_path
    settings.LOCALE_PATHS = [tmp_path / "locale", tmp_path / "locale_libraries"]
    settings.TEMPLATES = [{**settings.TEMPLATES[0], "DIRS": [tmp_path / "templates"]}]
    return tmp_path


def check_translations() -> list[str]:
    stderr = StringIO()
    try:
        call_command("translations", "check", stdout=StringIO(), stderr=stderr)
    except CommandError as error:
        return [*stderr.getvalue().splitlines(), str(error)]
    return []


def test_check_names_each_missing_translation_and_fails(project: Path) -> None:
    assert check_translations() == [
        "locale/ru/LC_MESSAGES/django.po: 'Coverage': is missing; used in templates/page.html",
        "locale/kk/LC_MESSAGES/django.po: 'Coverage': is missing; used in templates/page.html",
        "2 faults in the translations",
    ]


def test_check_after_update_and_translation_is_content(project: Path) -> None:
    call_command("translations", "update", stdout=StringIO())
    for language, word in (("ru", "Охват"), ("kk", "Қамту")):
        path = project / "locale" / language / "LC_MESSAGES" / "django.po"
        text = path.read_text(encoding="utf-8")
        path.write_text(text.replace('msgid "Coverage"\nmsgstr ""', f'msgid "Coverage"\nmsgstr "{word}"'), "utf-8")
    call_command("translations", "update", stdout=StringIO())
    assert check_translations() == []


def test_check_of_a_library_text_that_nobody_translated_names_it(project: Path) -> None:
    path = project / "locale_libraries" / "kk" / "LC_MESSAGES" / "djangojs.po"
    path.write_text(path.read_text(encoding="utf-8").replace('"Уақытты таңдаңыз"', '""', 1), encoding="utf-8")
    used = "django/contrib/admin/static/admin/js/admin/DateTimeShortcuts.js"
    assert (
        f"locale_libraries/kk/LC_MESSAGES/djangojs.po: 'Choose a Time': is not translated; used in {used}"
        in check_translations()
    )


@pytest.mark.parametrize(
    ("language", "said"),
    [
        ("kk", ["Өшіру", "Бұл өріс міндетті.", "Дс", "Шартты таңдаңыз."]),
        ("ru", ["Удалить", "Обязательное поле.", "Пн", "Выберите условие."]),
    ],
)
def test_words_of_the_libraries_are_ours_where_theirs_are_missing_or_wrong(language: str, said: list[str]) -> None:
    with translation.override(language):
        assert [gettext(text) for text in ("Delete", "This field is required.", "Mon", "Select a lookup.")] == said


def test_kazakh_plural_of_django_is_not_its_broken_one() -> None:
    with translation.override("kk"):
        texts = [ngettext("%(total_count)s selected", "All %(total_count)s selected", n) for n in (1, 5)]
    assert texts == ["%(total_count)s таңдалды", "Барлық %(total_count)s таңдалды"]


def test_scripts_and_search_boxes_of_the_admin_speak_kazakh() -> None:
    with translation.override("kk"):
        script = JavaScriptCatalog.as_view(packages=["django.contrib.admin"])(RequestFactory().get("/"))
        assert '"Choose a Date": "\\u041a\\u04af\\u043d\\u0434\\u0456 ' in script.content.decode()
        assert get_select2_language() == "kk"
    assert finders.find("admin/js/vendor/select2/i18n/kk.js") is not None
