"""The documentation site: `make docs` builds it into docs/_build/html."""

from azureml_replay import __version__

project = "AzureML Job Replayer"
release = __version__
extensions = ["myst_parser"]
myst_heading_anchors = 3
exclude_patterns = ["_build"]
html_theme = "furo"
html_static_path = ["_static"]
html_css_files = ["answers.css"]
html_title = f"{project} {release}"
html_show_copyright = False
