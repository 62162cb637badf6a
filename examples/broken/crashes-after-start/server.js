const http = require("node:http");
http
  .createServer((request, response) => {
    response.statusCode = 503;
    response.end();
    setTimeout(() => {
      throw new Error("the licence of the Quux module has expired");
    }, 50);
  })
  .listen(process.env.PORT, "0.0.0.0");
