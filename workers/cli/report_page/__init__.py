"""A report as one HTML file: words, charts as SVG, a table beside each; no script, nothing from elsewhere."""
