import polka from "polka";

const port = Number(process.env.PORT ?? 3000);
const app = polka().get("/", (_, response) => response.end("Hello from polka\n"));
app.listen(port, "0.0.0.0", () => console.log(`listening on ${port}`));
process.on("SIGTERM", () => app.server.close(() => process.exit(0)));
