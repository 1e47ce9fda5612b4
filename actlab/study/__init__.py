"""What to run: a YAML file becomes a validated study, the study becomes runs, the runs become jobs. Trains nothing."""
