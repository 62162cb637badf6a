require("node:net").connect(5432, "db.invalid");
