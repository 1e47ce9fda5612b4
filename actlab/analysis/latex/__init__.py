"""Tables for a paper: LaTeX that fits the text width of an article, whatever a study measured and named."""
