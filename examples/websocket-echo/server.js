import { createServer } from "node:http";
import { WebSocketServer } from "ws";

const port = Number(process.env.PORT ?? 3000);

const page = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>WebSocket echo</title>
<link rel="icon" href="data:,">
<style>
  :root { color-scheme: light dark; }
  body { max-width: 32rem; margin: 4rem auto; padding: 0 1.5rem; font: 1rem/1.6 system-ui, sans-serif; }
  input, button { font: inherit; padding: .4rem .6rem; }
</style>
<h1>WebSocket echo</h1>
<form>
  <label>Message <input name="message" required autocomplete="off"></label>
  <button>Send</button>
</form>
<ul aria-live="polite"></ul>
<script>
  const socket = new WebSocket(location.origin.replace(/^http/, "ws") + "/echo");
  const show = (text) => {
    const line = document.createElement("li");
    line.textContent = text;
    document.querySelector("ul").append(line);
  };
  socket.onopen = () => show("connected");
  socket.onmessage = (event) => show("echo: " + event.data);
  socket.onclose = (event) => show("closed (" + event.code + ")");
  document.querySelector("form").onsubmit = (event) => {
    event.preventDefault();
    socket.send(event.target.message.value);
    event.target.reset();
  };
</script>
</html>
`;

const server = createServer((request, response) => {
  response.writeHead(200, { "content-type": "text/html; charset=utf-8" });
  response.end(page);
});

const sockets = new WebSocketServer({ server, maxPayload: 1024 * 1024 });
sockets.on("connection", (socket) => {
  socket.on("message", (data, isBinary) => socket.send(data, { binary: isBinary }));
  // A frame that breaks the protocol closes its own connection, not the process.
  socket.on("error", (error) => console.error(`connection: ${error.message}`));
});

server.listen(port, "0.0.0.0", () => console.log(`listening on port ${port}`));

process.on("SIGTERM", () => {
  for (const socket of sockets.clients) socket.close(1001, "the server is going away");
  server.close(() => process.exit(0));
  server.closeIdleConnections();
});
