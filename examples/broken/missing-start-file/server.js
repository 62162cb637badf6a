// Never run.
