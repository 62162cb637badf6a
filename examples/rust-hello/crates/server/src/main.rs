//! A server that greets.

use tiny_http::{Header, Response, Server};

fn main() {
    let port = std::env::var("PORT").unwrap_or_else(|_| "8080".to_owned());
    let server = Server::http(format!("0.0.0.0:{port}")).expect("the port is free");
    println!("listening on {port}");
    for request in server.incoming_requests() {
        let page = format!("<!doctype html><title>Rust</title><h1>{}</h1>\n", greeting::text());
        let html = Header::from_bytes("Content-Type", "text/html; charset=utf-8").expect("a header");
        // A visitor who has gone needs no answer.
        let _ = request.respond(Response::from_string(page).with_header(html));
    }
}
