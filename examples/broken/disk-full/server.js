require("node:fs").writeFileSync("/dev/full", "x");
