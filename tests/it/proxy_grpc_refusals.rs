//! Calls of gRPC that the proxy answers itself: a status as the protocol has it, never a page, whatever the reason.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http2::SendRequest;
use hyper_util::rt::{TokioExecutor, TokioIo};
use orbitra::model::ids::DeploymentId;
use orbitra::model::project::Protocol;
use orbitra::model::proxy_settings::ProxySettings;
use orbitra::routing::policy::Policy;
use orbitra::routing::replica::Place;
use orbitra::routing::sleeper::Sleeper;
use orbitra::routing::table::{Asleep, Notice, Route};
use orbitra::routing::upstream::Upstream;
use orbitra::server::Options;
use tokio::net::{TcpListener, TcpStream};

use crate::support::front::{Front, HOST, notice, table};
use crate::support::until::until;
use crate::support::wire;

/// An application at an address, which speaks HTTP/2.
fn to(address: SocketAddr) -> Route {
    let place = Place { container: "one".to_owned(), address };
    Route::Upstream(Upstream::speaking(Protocol::H2c, "app".to_owned(), &[place]))
}

/// An address where nobody listens.
async fn nobody() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap()
}

/// An application that takes calls and answers none.
async fn silent() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let service = hyper::service::service_fn(|_: Request<Incoming>| {
                std::future::pending::<Result<Response<Full<Bytes>>, std::convert::Infallible>>()
            });
            let connection = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
            tokio::spawn(connection.serve_connection(TokioIo::new(stream), service));
        }
    });
    address
}

fn front(route: Route, change: impl FnOnce(&mut Options)) -> Front {
    Front::with(route, |options| {
        options.h2c = true;
        change(options);
    })
}

struct Client(SendRequest<Full<Bytes>>);

impl Client {
    async fn of(front: &Front) -> Self {
        let stream = TokioIo::new(TcpStream::connect(front.address).await.unwrap());
        let handshake = hyper::client::conn::http2::handshake(TokioExecutor::new(), stream);
        let (sender, driver) = handshake.await.unwrap();
        tokio::spawn(driver);
        Self(sender)
    }

    /// What a call gets, which has no message and no trailers.
    async fn call(&mut self, host: &str, fields: &[(&str, &str)]) -> HeaderMap {
        let mut request =
            Request::post(format!("http://{host}/echo.Echo/Unary")).header("te", "trailers");
        if !fields.iter().any(|(name, _)| *name == "content-type") {
            request = request.header("content-type", "application/grpc+proto");
        }
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        let message = Full::from(Bytes::from_static(&[0, 0, 0, 0, 1, 7]));
        let answered = self.0.send_request(request.body(message).unwrap()).await.unwrap();
        assert_eq!(answered.status(), 200);
        assert!(hyper::body::Body::is_end_stream(answered.body()), "a head alone");
        let fields = answered.headers().clone();
        let rest = answered.into_body().collect().await.unwrap();
        assert!(rest.trailers().is_none() && rest.to_bytes().is_empty());
        for name in ["content-length", "content-security-policy", "retry-after", "vary"] {
            assert!(!fields.contains_key(name), "{name}");
        }
        fields
    }

    async fn status(&mut self, host: &str, fields: &[(&str, &str)]) -> String {
        let answered = self.call(host, fields).await;
        assert_eq!(answered["content-type"], "application/grpc");
        answered["grpc-status"].to_str().unwrap().to_owned()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_the_reason_is_a_call_gets_a_status() {
    let sleeper = Sleeper::new(DeploymentId::from_random([7; 10]));
    let asleep = Route::Asleep(Asleep { sleeper, for_all: false });
    let crawler = &[("user-agent", "Mozilla/5.0 (compatible; Googlebot/2.1)")][..];
    let usual = |_: &mut Options| {};
    let none_at_a_time = |options: &mut Options| options.proxy.requests_per_deployment = 0;
    let impatient = |options: &mut Options| options.proxy.first_byte = Duration::from_millis(250);
    type Change = fn(&mut Options);
    type Case<'a> = (&'a str, Route, Change, &'a [(&'a str, &'a str)], &'a str);
    let cases: [Case<'_>; 10] = [
        ("gone", to(nobody().await), usual, &[], "14"),
        ("failed", notice(Notice::Failed), usual, &[], "14"),
        ("building", notice(Notice::Building), usual, &[], "14"),
        ("stopped", notice(Notice::Stopped), usual, &[], "14"),
        ("paused", notice(Notice::Paused), usual, &[], "14"),
        ("removed", notice(Notice::Removed), usual, &[], "5"),
        ("asleep", asleep, usual, crawler, "14"),
        ("over its limit", to(silent().await), none_at_a_time, &[], "8"),
        ("too slow", to(silent().await), impatient, &[], "4"),
        (
            "a loop",
            to(nobody().await),
            usual,
            &[("via", "1 a, 1 a, 1 a, 1 a, 1 a, 1 a, 1 a, 1 a, 1 a, 1 a, 1 a")],
            "13",
        ),
    ];
    for (what, route, change, fields, expected) in cases {
        let front = front(route, change);
        let mut client = Client::of(&front).await;
        assert_eq!(client.status(HOST, fields).await, expected, "{what}");
        // The mapping of the status that a page would carry.
        assert_eq!(client.status("nobody.test", &[]).await, "12", "{what}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_project_has_set_is_told_as_a_status_too() {
    let route = to(silent().await);
    let front = front(route.clone(), |_| {});
    let set = |change: fn(&mut ProxySettings)| {
        let mut settings = ProxySettings::default();
        change(&mut settings);
        let policy = Policy::of(&settings).unwrap();
        let mut table = table(route.clone());
        table.hosts.get_mut(HOST).unwrap().policy = Some(Arc::new(policy));
        front.routes.publish(table);
    };
    let mut client = Client::of(&front).await;
    set(|settings| settings.maintenance = true);
    let answered = client.call(HOST, &[]).await;
    assert_eq!(answered["grpc-status"], "14");
    let said = answered["grpc-message"].to_str().unwrap();
    let reference = answered["x-request-id"].to_str().unwrap();
    assert_eq!(said, format!("Back soon: This site is being worked on. ({reference})"));
    set(|settings| settings.deny = vec!["127.0.0.0/8".to_owned()]);
    assert_eq!(client.status(HOST, &[]).await, "7");
    set(|settings| settings.max_body_mb = Some(1));
    let front = front.address;
    // Over HTTP/1.1, where a length can be said that does not come.
    let request = format!(
        "POST / HTTP/1.1\r\nHost: {HOST}\r\nContent-Type: application/grpc-web\r\nContent-Length: 2000000\r\n\r\n"
    );
    let answer = wire::ask(front, &request).await;
    assert_eq!((answer.status, answer.header("grpc-status").as_deref()), (200, Some("8")));
    assert_eq!(answer.header("connection").as_deref(), Some("close"));
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_in_browsers_and_of_http_1_are_told_in_their_own_words() {
    let front = front(notice(Notice::Failed), |_| {});
    let mut client = Client::of(&front).await;
    for (sent, expected) in [
        ("application/grpc", "application/grpc"),
        ("application/grpc-web+proto", "application/grpc-web"),
        ("application/grpc-web-text", "application/grpc-web-text"),
    ] {
        let answered = client.call(HOST, &[("content-type", sent)]).await;
        assert_eq!(answered["content-type"], expected);
        assert_eq!(answered["grpc-status"], "14");
    }
    let ask = async |method: &str, content_type: &str| {
        let request = format!(
            "{method} / HTTP/1.1\r\nHost: {HOST}\r\nContent-Type: {content_type}\r\nContent-Length: 0\r\n\r\n"
        );
        let answer = wire::ask(front.address, &request).await;
        (answer.status, answer.header("grpc-status"))
    };
    assert_eq!(ask("POST", "application/grpc-web").await, (200, Some("14".to_owned())));
    // Not a call.
    assert_eq!(ask("POST", "application/json").await, (503, None));
    assert_eq!(ask("POST", "application/grpcx").await, (503, None));
    assert_eq!(ask("PUT", "application/grpc").await, (503, None));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_has_what_the_proxy_means() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("access");
    let front = front(to(nobody().await), |options| {
        options.proxy.access_log = Some(path.clone());
    });
    assert_eq!(Client::of(&front).await.status(HOST, &[]).await, "14");
    let line = until("the line is written", async || {
        let text = std::fs::read_to_string(path.join("access.log")).ok()?;
        serde_json::from_str::<serde_json::Value>(text.lines().next()?).ok()
    })
    .await;
    assert_eq!(line["status"], 502);
}
