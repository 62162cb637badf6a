const settings = require("node:fs").readFileSync(".env", "utf8");
console.log(settings);
