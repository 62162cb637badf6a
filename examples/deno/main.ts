import ms from "ms";

const begun = Date.now();
const port = Number(Deno.env.get("PORT") ?? 8000);
const server = Deno.serve({ port }, () =>
  new Response(`Hello from Deno ${Deno.version.deno}, up for ${ms(Date.now() - begun)}\n`));
Deno.addSignalListener("SIGTERM", () => server.shutdown());
