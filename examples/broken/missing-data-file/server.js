const fs = require("node:fs");
JSON.parse(fs.readFileSync("/app/catalogue.json", "utf8"));
