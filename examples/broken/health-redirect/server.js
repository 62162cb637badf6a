const http = require("node:http");
http
  .createServer((request, response) => {
    response.writeHead(301, { location: "/login" });
    response.end();
  })
  .listen(process.env.PORT, "0.0.0.0");
