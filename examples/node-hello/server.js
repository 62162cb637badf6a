import { createServer } from "node:http";
import { hostname } from "node:os";

const port = Number(process.env.PORT ?? 3000);

const page = () => `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Hello from Orbitra</title>
<link rel="icon" href="data:,">
<style>
  :root { color-scheme: light dark; }
  body { margin: 0; min-height: 100vh; display: grid; place-items: center; padding: 1.5rem;
         box-sizing: border-box; font: 1rem/1.6 system-ui, sans-serif;
         background: Canvas; color: CanvasText; }
  main { max-width: 32rem; }
  h1 { margin: 0 0 .5rem; font-size: clamp(2rem, 8vw, 3rem); line-height: 1.1; letter-spacing: -.02em; }
  dl { display: grid; grid-template-columns: auto 1fr; gap: .25rem 1rem; margin: 1.5rem 0 0; }
  dt { opacity: .7; }
  dd { margin: 0; font-family: ui-monospace, monospace; overflow-wrap: anywhere; }
</style>
</head>
<body>
<main>
  <h1>Hello from Orbitra</h1>
  <p>This page comes from a small Node server that was built from a Git repository.</p>
  <dl>
    <dt>Container</dt><dd>${hostname()}</dd>
    <dt>Node</dt><dd>${process.version}</dd>
    <dt>Time</dt><dd>${new Date().toISOString()}</dd>
  </dl>
</main>
</body>
</html>
`;

const routes = {
  "/": () => [200, "text/html; charset=utf-8", page()],
  "/healthz": () => [200, "text/plain", "ok\n"],
  // The number of variables, not their values: the page is public.
  "/env-count": () => [200, "application/json", JSON.stringify({ count: Object.keys(process.env).length })],
};

const server = createServer((request, response) => {
  const path = request.url.split("?", 1)[0];
  const route = Object.hasOwn(routes, path) ? routes[path] : () => [404, "text/plain", "not found\n"];
  const [status, type, body] = route();
  response.writeHead(status, { "content-type": type, "content-length": Buffer.byteLength(body) });
  response.end(request.method === "HEAD" ? undefined : body);
});

server.listen(port, "0.0.0.0", () => console.log(`listening on port ${port}`));

// Requests that have begun are answered; idle connections are closed, or they would keep the
// process alive.
process.on("SIGTERM", () => {
  console.log("SIGTERM: finishing the open requests");
  server.close(() => process.exit(0));
  server.closeIdleConnections();
});
