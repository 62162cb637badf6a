//! Small applications, written where a test needs one that behaves in its own way.

/// A Node image without dependencies: the build takes about a second.
pub const DOCKERFILE: &str =
    "FROM node:22-bookworm-slim\nWORKDIR /app\nCOPY . ./\nCMD [\"node\", \"server.js\"]\n";

/// The files of an application with this `server.js`.
pub fn node(server: &str) -> [(&str, &str); 2] {
    [("Dockerfile", DOCKERFILE), ("server.js", server)]
}

/// A `server.js` that answers everything with this text.
pub fn answering(text: &str) -> String {
    format!(
        r#"const http = require("node:http");
const server = http.createServer((request, response) => response.end("{text}"));
server.listen(process.env.PORT, "0.0.0.0", () => console.log("listening"));
process.on("SIGTERM", () => {{
  server.close(() => process.exit(0));
  server.closeIdleConnections();
}});
"#
    )
}
