"""Not the application: a helper that is run by hand."""

print("This is the file with the usual name, and nothing is served from it.")
