const http = require("node:http");
for (const name of ["one", "two"]) {
  http.createServer((request, response) => response.end(name)).listen(process.env.PORT, "0.0.0.0");
}
