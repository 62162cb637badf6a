const http = require("node:http");
http
  .createServer((request, response) => {
    require("node:net").connect(6379, "127.0.0.1").on("error", (error) => {
      console.error(String(error));
      response.statusCode = 500;
      response.end();
    });
  })
  .listen(process.env.PORT, "0.0.0.0");
