require("node:net")
  .createServer((socket) => {
    socket.on("error", () => {});
    socket.end("220 mail.example.com ESMTP\r\n");
  })
  .listen(process.env.PORT, "0.0.0.0");
