const http = require("node:http");
http
  .createServer((request, response) => {
    response.statusCode = 418;
    response.end();
  })
  .listen(process.env.PORT, "0.0.0.0");
