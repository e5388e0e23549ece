from pathlib import Path

import pytest
from django.apps import apps

from dtm_ops.common.translations.literals import find_unmarked_text, find_unnamed_models
from dtm_ops.common.translations.messages import Fault


def texts_of(folder: Path, name: str, source: str) -> list[str]:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(source, encoding="utf-8")
    return [fault.msgid for fault in find_unmarked_text([folder], base=folder)]


@pytest.mark.parametrize(
    ("source", "texts"),
    [
        ("<h1>Coverage of {{ round }}</h1>", ["Coverage of \N{OBJECT REPLACEMENT CHARACTER}"]),
        ('<h1>{% translate "Coverage" %} {{ share }} %</h1>', []),
        ("<p>{% blocktranslate %}Not <b>yet</b>{% endblocktranslate %}</p>", []),
        ("{% comment %}A note{% endcomment %}{# Another #}<!-- A third -->", []),
        ('<img alt="Map of places" class="map"><input type="submit" value="Send">', ["Map of places", "Send"]),
        ('<input type="text" value="2022-Q4" name="code">', []),
        ('<button type="submit" name="step" value="again">{% translate "Check again" %}</button>', []),
        ('<span translate="no">ХКҰ <b>МОМ</b></span> DTM Ops, XLSX', []),
        ("<script>let words = 1;</script><code>make run</code>", []),
        ('<a href="{% url "home" %}" title="{% translate "Home" %}">{% translate "Home" %}</a>', []),
    ],
)
def test_words_of_a_template_that_are_not_marked_are_told(tmp_path: Path, source: str, texts: list[str]) -> None:
    assert texts_of(tmp_path, "templates/page.html", source) == texts


@pytest.mark.parametrize(
    ("source", "texts"),
    [
        ('name = models.CharField("full name", max_length=9)', ["full name"]),
        ('name = models.CharField(_("full name"), help_text="As in the passport.")', ["As in the passport."]),
        ('unit = models.ForeignKey("locations.AdminUnit", on_delete=PROTECT)', []),
        ('raise ValidationError("No such place.")', ["No such place."]),
        ('raise Refused(f"No place {code}.")', ["f'No place {code}.'"]),
        ('messages.success(request, "Saved.")', ["Saved."]),
        ('@admin.action(description="Approve")\ndef approve(): ...', ["Approve"]),
        ('logger.warning("Kobo was away"); parser.add_argument("x", description="any")', []),
        ('class Sex(models.TextChoices):\n    MALE = "male", _("male")\n    OTHER = "other"', ["other"]),
        ('class Meta:\n    verbose_name_plural = "people"', ["people"]),
        ('class Config(AppConfig):\n    label = "accounts"', []),
    ],
)
def test_strings_of_a_module_that_reach_a_screen_unmarked_are_told(
    tmp_path: Path, source: str, texts: list[str]
) -> None:
    assert texts_of(tmp_path, "app/models.py", source) == texts


def test_strings_of_commands_are_english_for_administrators(tmp_path: Path) -> None:
    assert texts_of(tmp_path, "app/management/commands/a.py", 'messages.error(request, "No file.")') == []


def test_models_with_django_made_labels_are_told() -> None:
    faults = find_unnamed_models([apps.get_app_config("pghistory")])
    assert faults[:2] == [
        Fault("pghistory/apps.py", "pghistory", "has no translated verbose_name"),
        Fault("pghistory/models.py", "Context", "has no translated verbose_name"),
    ]
    assert Fault("pghistory/models.py", "Context.metadata", "has no translated verbose_name") in faults


def test_models_with_translated_labels_have_no_faults() -> None:
    assert find_unnamed_models([apps.get_app_config("auth")]) == []
