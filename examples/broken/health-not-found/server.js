const http = require("node:http");
http
  .createServer((request, response) => {
    response.statusCode = request.url === "/app" ? 200 : 404;
    response.end();
  })
  .listen(process.env.PORT, "0.0.0.0");
