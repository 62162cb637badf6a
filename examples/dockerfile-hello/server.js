const { createServer } = require("node:http");

const port = Number(process.env.PORT ?? 3000);

const server = createServer((request, response) => {
  response.writeHead(200, { "content-type": "text/plain; charset=utf-8" });
  response.end(`Hello from a Dockerfile, running as user ${process.getuid()}\n`);
});

server.listen(port, "0.0.0.0", () => console.log(`listening on port ${port}`));

process.on("SIGTERM", () => {
  server.close(() => process.exit(0));
  server.closeIdleConnections();
});
