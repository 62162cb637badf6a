const http = require("node:http");
http
  .createServer((request, response) => {
    request.resume();
  })
  .listen(process.env.PORT, "0.0.0.0");
