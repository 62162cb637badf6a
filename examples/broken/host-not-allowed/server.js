const http = require("node:http");
http
  .createServer((request, response) => {
    response.statusCode = 400;
    response.end("DisallowedHost at " + request.url);
  })
  .listen(process.env.PORT, "0.0.0.0");
