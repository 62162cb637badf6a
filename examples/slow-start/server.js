import { createServer } from "node:http";

const port = Number(process.env.PORT ?? 3000);
const delay = Number(process.env.START_DELAY_MS ?? 5000);

const server = createServer((request, response) => {
  response.writeHead(200, { "content-type": "text/plain" });
  response.end(`ready after ${delay} ms\n`);
});

console.log(`will listen in ${delay} ms`);
const timer = setTimeout(() => {
  server.listen(port, "0.0.0.0", () => console.log(`listening on port ${port}`));
}, delay);

process.on("SIGTERM", () => {
  clearTimeout(timer);
  server.close(() => process.exit(0));
  server.closeIdleConnections();
});
