import { greeting } from "greeting";
import polka from "polka";

const port = Number(process.env.PORT ?? 3000);
const app = polka().get("/", (_, response) => response.end(greeting("a workspace")));
app.listen(port, "0.0.0.0", () => console.log(`listening on ${port}`));
process.on("SIGTERM", () => app.server.close(() => process.exit(0)));
