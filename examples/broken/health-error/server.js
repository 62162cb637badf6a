const http = require("node:http");
http
  .createServer((request, response) => {
    response.statusCode = 500;
    response.end("it broke");
  })
  .listen(process.env.PORT, "0.0.0.0");
