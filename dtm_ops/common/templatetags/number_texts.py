"""``{% load number_texts %}``: numbers in templates as `dtm_ops.common.number_texts` writes them."""

from django.template import Library

from dtm_ops.common.number_texts import count_text, growth_text, percent_text

register = Library()
register.filter("count", count_text)
register.filter("percent", percent_text)
register.filter("growth", growth_text)
