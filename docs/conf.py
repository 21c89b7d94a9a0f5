"""The documentation site: ``make docs`` builds it, from the root of the repository.

The root is the source folder, so that a link from page to page, to a report or to a source file is
the same on the site as in the repository.
"""

import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "docs")]

import lsm_stan  # noqa: E402

project = "lsm-stan"
author = "The lsm-stan authors"
copyright = author  # noqa: A001 - Sphinx's name
version = release = lsm_stan.__version__

root_doc = "docs/index"
include_patterns = [
    "docs/**.md",
    "reports/**/README.md",
    "lsm_stan/network/data/*/README.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
]
exclude_patterns = ["docs/_build", "**/fits/**", "**/runs/**", "**/simulations/**"]

extensions = [
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx_design",
    "site_math",
    "site_reference",
]
myst_enable_extensions = ["dollarmath", "colon_fence", "html_image"]
myst_heading_anchors = 4
numpydoc_show_class_members = False
numpydoc_xref_param_type = False
autodoc_member_order = "bysource"
autodoc_typehints = "none"  # numpydoc has the types

html_theme = "furo"
html_math_renderer = "mathml"
html_title = f"lsm-stan {release}"
html_static_path = ["_static"]
html_extra_path = ["root"]  # sends a reader of the root to docs/index.html
html_css_files = ["site.css"]
html_copy_source = False
html_show_sphinx = False
html_theme_options = {"navigation_with_keys": True}
