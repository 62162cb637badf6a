import ms from "ms";

const server = Bun.serve({
  port: process.env.PORT ?? 3000,
  fetch: () => new Response(`Hello from Bun ${Bun.version}, up for ${ms(Math.round(process.uptime() * 1000))}\n`),
});
console.log(`listening on ${server.port}`);
process.on("SIGTERM", () => server.stop().then(() => process.exit(0)));
