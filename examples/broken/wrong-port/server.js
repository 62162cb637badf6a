const http = require("node:http");
http.createServer((request, response) => response.end("here")).listen(4321, "0.0.0.0");
