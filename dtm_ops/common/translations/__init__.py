"""The message catalogues: found in the source, written, compiled and checked without GNU gettext.

Two pairs of catalogues stand in LOCALE_PATHS: `dtm_ops/locale` (every message of our own code and templates) and
`dtm_ops/locale_libraries` (what Django and the libraries do not say in our languages, or say badly). Needs Babel, which
is a development requirement: nothing that serves a page imports this package.
"""
