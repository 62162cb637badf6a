"""Says how many requests were made, and fails when they were too few to mean anything."""

import json
import sys

LEAST = {"short": 2_500, "full": 20_000}

kind, *names = sys.argv[1:]
made = 0
for name in names:
    with open(name) as file:
        report = json.load(file)
    if report["stop_reason"] != "completed":
        sys.exit(f"{name}: the run was not completed")
    made += report["test_cases"]["generated"]
print(f"\nrequests made: {made}")
if made < LEAST[kind]:
    sys.exit(f"at least {LEAST[kind]} were expected")
