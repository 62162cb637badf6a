require("node:fs").writeFileSync("/data/app.db", "");
