# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sphinx configuration of the documentation site; tools/docs_site.py runs it (make docs)."""

from __future__ import annotations

import re

project = "distdb.mysql_ha"
copyright = "2026, distdb contributors"
extensions = ["sphinx.ext.autodoc", "sphinx_antsibull_ext", "myst_parser"]
html_theme = "sphinx_ansible_theme"
html_title = "distdb.mysql_ha"
html_short_title = "distdb.mysql_ha"
html_theme_options = {
    "documentation_home_url": "index.html",
    "topbar_links": {},
    "vcs_pageview_mode": "",
}
html_use_smartypants = True
highlight_language = "YAML+Jinja"
myst_heading_anchors = 4
myst_enable_extensions = ["colon_fence"]
# Code blocks of documentation examples are not always what their language says at first sight.
suppress_warnings = ["misc.highlighting_failure"]
default_role = "any"

REPOSITORY = "https://github.com/distdb/mysql_ha/blob/main/"


def links_into_the_repository(app, docname, source):
    """A link to a file outside of docs/ leads to the repository: the page reads well there and here."""
    depth = docname.count("/") + 1
    up = r"\.\./" * depth
    if docname == "developer/contributing":
        up = r"(?!https?:|#)"
    source[0] = re.sub(rf"\]\({up}(?!\.\.)([^)]+)\)", rf"]({REPOSITORY}\1)", source[0])


def setup(app):
    app.connect("source-read", links_into_the_repository)
