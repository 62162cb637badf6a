//! A WebSocket through the proxy to a container, on real Docker.

use std::time::{Duration, Instant};

use futures_util::{SinkExt, StreamExt};
use serde_json::json;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::{WebSocketStream, client_async};

use crate::support::api_client::text;
use crate::support::git_server::GitServer;
use crate::support::orbitra::Orbitra;

async fn connect(orbitra: &Orbitra, host: &str) -> WebSocketStream<TcpStream> {
    let stream = TcpStream::connect(("127.0.0.1", orbitra.port)).await.unwrap();
    let request = format!("ws://{host}/echo").into_client_request().unwrap();
    client_async(request, stream).await.unwrap().0
}

async fn echo(socket: &mut WebSocketStream<TcpStream>, message: Message) {
    socket.send(message.clone()).await.unwrap();
    let limit = Duration::from_secs(5);
    let answer = tokio::time::timeout(limit, socket.next()).await.expect("an echo");
    assert_eq!(answer.unwrap().unwrap(), message);
}

#[tokio::test]
async fn messages_go_both_ways_and_an_open_socket_outlives_the_switch() {
    let git = GitServer::start();
    let orbitra = Orbitra::start_with(&[("ORBITRA_DRAIN_SECONDS", "4")]).await;
    let (repository, api) = (git.repository("echo", "websocket-echo"), &orbitra.api);
    let project = api.project("echo", json!({})).await;
    let first = api.deploy_live(&project, &repository).await;

    let mut socket = connect(&orbitra, "echo.localhost").await;
    echo(&mut socket, Message::text("hello")).await;
    echo(&mut socket, Message::binary(vec![0, 1, 2, 255])).await;
    echo(&mut socket, Message::text("x".repeat(300_000))).await;

    repository.change("server.js", "<h1>WebSocket echo</h1>", "<h1>The second</h1>");
    api.deploy_live(&project, &repository).await;
    let switched = Instant::now();
    assert!(orbitra.visit("echo.localhost", "/").await.body.contains("The second"));
    // The old socket still talks to the old container; a new one reaches the new.
    echo(&mut socket, Message::text("still there")).await;
    let mut newer = connect(&orbitra, "echo.localhost").await;
    echo(&mut newer, Message::text("new")).await;

    // At the drain limit the old one is closed, and its container rests.
    let end = tokio::time::timeout(Duration::from_secs(15), async {
        while let Some(Ok(message)) = socket.next().await {
            assert!(message.is_close(), "{message:?}");
        }
    });
    end.await.expect("the old socket ends");
    let lived = switched.elapsed();
    assert!(lived > Duration::from_secs(2), "closed after {lived:?}");
    crate::support::until::until("the old container rests", async || {
        let container = orbitra.container_of(&text(&first, "id"));
        (container["State"]["Paused"] == true).then_some(())
    })
    .await;
    echo(&mut newer, Message::text("goes on")).await;
}

#[tokio::test]
async fn at_a_stop_every_open_socket_is_told_to_go_and_comes_back_to_the_next_process() {
    let git = GitServer::start();
    let mut orbitra = Orbitra::start().await;
    let repository = git.repository("echo", "websocket-echo");
    let project = orbitra.api.project("echo", json!({})).await;
    orbitra.api.deploy_live(&project, &repository).await;
    let mut sockets = Vec::new();
    for number in 0..100 {
        let mut socket = connect(&orbitra, "echo.localhost").await;
        echo(&mut socket, Message::text(number.to_string())).await;
        sockets.push(socket);
    }
    let begin = Instant::now();
    orbitra.ask_to_stop();
    for mut socket in sockets {
        let next = tokio::time::timeout(Duration::from_secs(30), socket.next());
        let told = next.await.expect("it is told").expect("before the connection ends").unwrap();
        let Message::Close(Some(close)) = told else { panic!("{told:?}") };
        assert_eq!(u16::from(close.code), 1001, "going away");
    }
    let status = orbitra.ended().await;
    assert!(status.success(), "{status}");
    assert!(begin.elapsed() < Duration::from_secs(30), "{:?}", begin.elapsed());
    orbitra.restart().await;
    let mut socket = connect(&orbitra, "echo.localhost").await;
    echo(&mut socket, Message::text("back")).await;
}
