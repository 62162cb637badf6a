//! Applications that speak HTTP/2 without TLS, as gRPC does: streams both ways, trailers both ways, deadlines, cancels.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt;
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body::Frame;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, BodyStream, StreamBody};
use hyper::body::Incoming;
use hyper::client::conn::http2::SendRequest;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use orbitra::model::project::Protocol;
use orbitra::routing::replica::Place;
use orbitra::routing::table::Route;
use orbitra::routing::upstream::Upstream;
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use crate::support::front::HOST;
use crate::support::tls::connect;
use crate::support::until::until;
use crate::tls::Edge;

type Body = UnsyncBoxBody<Bytes, Infallible>;

/// A message as gRPC frames it (<https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md>).
fn message(text: &str) -> Bytes {
    let mut bytes = vec![0];
    bytes.extend(u32::try_from(text.len()).unwrap().to_be_bytes());
    bytes.extend(text.as_bytes());
    bytes.into()
}

fn fields(pairs: &[(&'static str, &str)]) -> HeaderMap {
    let pair = |(name, value): &(&'static str, &str)| {
        (http::HeaderName::from_static(name), HeaderValue::from_str(value).unwrap())
    };
    pairs.iter().map(pair).collect()
}

fn body(frames: impl futures_util::Stream<Item = Frame<Bytes>> + Send + 'static) -> Body {
    StreamBody::new(frames.map(Ok)).boxed_unsync()
}

/// An application with a method for each kind of call.
struct App {
    address: SocketAddr,
    connections: Arc<AtomicUsize>,
    /// Calls of `Hang` that have begun, and those that were given up.
    hanging: Arc<AtomicUsize>,
    canceled: Arc<AtomicUsize>,
}

/// Counts when a call is given up.
struct Canceled(Arc<AtomicUsize>);

impl Drop for Canceled {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

impl App {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let app = Self {
            address: listener.local_addr().unwrap(),
            connections: Arc::default(),
            hanging: Arc::default(),
            canceled: Arc::default(),
        };
        let (connections, hanging, canceled) =
            (app.connections.clone(), app.hanging.clone(), app.canceled.clone());
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                connections.fetch_add(1, Ordering::SeqCst);
                let (hanging, canceled) = (hanging.clone(), canceled.clone());
                let service = service_fn(move |request| {
                    let (hanging, canceled) = (hanging.clone(), canceled.clone());
                    async move { Ok::<_, Infallible>(answer(request, &hanging, canceled).await) }
                });
                let connection = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
                tokio::spawn(connection.serve_connection(TokioIo::new(stream), service));
            }
        });
        app
    }

    fn route(&self) -> Route {
        let place = Place { container: "one".to_owned(), address: self.address };
        Route::Upstream(Upstream::speaking(Protocol::H2c, "app".to_owned(), &[place]))
    }
}

async fn answer(
    request: Request<Incoming>,
    hanging: &AtomicUsize,
    canceled: Arc<AtomicUsize>,
) -> Response<Body> {
    let (parts, incoming) = request.into_parts();
    let response = Response::builder().header("content-type", "application/grpc");
    let status = |code: &str| Frame::trailers(fields(&[("grpc-status", code)]));
    match parts.uri.path() {
        "/echo.Echo/Unary" => {
            assert_eq!(parts.headers["te"], "trailers");
            assert_eq!(parts.headers["content-type"], "application/grpc");
            assert_eq!(parts.uri.authority().unwrap(), HOST);
            assert_eq!(parts.headers["x-forwarded-proto"], "https");
            let collected = incoming.collect().await.unwrap();
            let sum = collected.trailers().and_then(|trailers| trailers.get("x-sum")).cloned();
            let mut trailers = fields(&[("grpc-status", "0"), ("x-late", "yes")]);
            trailers.extend(sum.map(|sum| (http::HeaderName::from_static("x-sum"), sum)));
            let timeout = parts.headers.get("grpc-timeout").cloned();
            let timeout = timeout.unwrap_or(HeaderValue::from_static("none"));
            let frames = [Frame::data(collected.to_bytes()), Frame::trailers(trailers)];
            response
                .header("x-timeout", timeout)
                .body(body(futures_util::stream::iter(frames)))
                .unwrap()
        }
        "/echo.Echo/Bidi" => {
            let echoed = BodyStream::new(incoming).filter_map(|frame| async move {
                frame.ok().and_then(|frame| frame.into_data().ok()).map(Frame::data)
            });
            let end = futures_util::stream::iter([status("0")]);
            response.body(body(echoed.chain(end))).unwrap()
        }
        "/echo.Echo/Many" => {
            let all = (0..1000).map(|number| Frame::data(message(&number.to_string())));
            let all: Vec<_> = all.chain([status("0")]).collect();
            response.body(body(futures_util::stream::iter(all))).unwrap()
        }
        "/echo.Echo/Refused" => response
            .header("grpc-status", "7")
            .header("grpc-message", "not%20for%20you")
            .body(body(futures_util::stream::empty()))
            .unwrap(),
        "/echo.Echo/Silent" => std::future::pending().await,
        "/echo.Echo/Late" => {
            let end = Frame::trailers(fields(&[("grpc-status", "13"), ("grpc-message", "late")]));
            let frames = [Frame::data(message("half")), end];
            response.body(body(futures_util::stream::iter(frames))).unwrap()
        }
        "/echo.Echo/Hang" => {
            hanging.fetch_add(1, Ordering::SeqCst);
            let canceled = Canceled(canceled);
            let begun = futures_util::stream::iter([Frame::data(message("begun"))]);
            let never = futures_util::stream::once(async move {
                let _canceled = canceled;
                std::future::pending().await
            });
            response.body(body(begun.chain(never))).unwrap()
        }
        _ => {
            response.header("grpc-status", "12").body(body(futures_util::stream::empty())).unwrap()
        }
    }
}

type Client = SendRequest<Body>;

async fn client(edge: &Edge) -> Client {
    let config = edge.authority.client(&["h2"]);
    let stream = connect(edge.address, HOST, config).await.unwrap();
    let handshake =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream));
    let (sender, driver) = handshake.await.unwrap();
    tokio::spawn(driver);
    sender
}

fn call(method: &str, body: Body) -> Request<Body> {
    Request::post(format!("https://{HOST}/echo.Echo/{method}"))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(body)
        .unwrap()
}

fn once(text: &str) -> Body {
    body(futures_util::stream::iter([Frame::data(message(text))]))
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_and_their_trailers_cross_both_ways() {
    let app = App::start().await;
    let edge = Edge::start(app.route());
    let mut client = client(&edge).await;
    let frames = [Frame::data(message("hello")), Frame::trailers(fields(&[("x-sum", "5")]))];
    let mut request = call("Unary", body(futures_util::stream::iter(frames)));
    request.headers_mut().insert("grpc-timeout", HeaderValue::from_static("250m"));
    let answered = client.send_request(request).await.unwrap();
    assert_eq!(answered.headers()["x-timeout"], "250m");
    let collected = answered.into_body().collect().await.unwrap();
    let trailers = collected.trailers().unwrap().clone();
    assert_eq!(collected.to_bytes(), message("hello"));
    assert_eq!(trailers, fields(&[("grpc-status", "0"), ("x-late", "yes"), ("x-sum", "5")]));
    // A status without a message, and one behind a message.
    let refused = client.send_request(call("Refused", once(""))).await.unwrap();
    assert_eq!(
        (refused.status().as_u16(), &refused.headers()["grpc-status"]),
        (200, &HeaderValue::from_static("7"))
    );
    assert_eq!(refused.headers()["grpc-message"], "not%20for%20you");
    let late = client.send_request(call("Late", once(""))).await.unwrap();
    let late = late.into_body().collect().await.unwrap();
    assert_eq!(late.trailers().unwrap()["grpc-status"], "13");
    let many = client.send_request(call("Many", once(""))).await.unwrap();
    let many = many.into_body().collect().await.unwrap();
    assert_eq!(many.trailers().unwrap()["grpc-status"], "0");
    let expected: Vec<u8> = (0..1000).flat_map(|number| message(&number.to_string())).collect();
    assert_eq!(many.to_bytes(), expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn both_ends_of_a_stream_speak_in_turn_and_may_pause() {
    let app = App::start().await;
    let edge = Edge::with(app.route(), |options| {
        // A stream that says nothing is not a client that hangs.
        options.proxy.client_body = Duration::from_millis(250);
        options.proxy.upstream_body = Duration::from_millis(250);
        options.proxy.first_byte = Duration::from_millis(250);
    });
    let mut client = client(&edge).await;
    let (say, said) = mpsc::unbounded_channel::<Frame<Bytes>>();
    let said = futures_util::stream::unfold(said, |mut said| async move {
        said.recv().await.map(|frame| (frame, said))
    });
    let answered = client.send_request(call("Bidi", body(said))).await.unwrap();
    let mut answers = answered.into_body();
    for turn in 0..20 {
        let text = message(&format!("turn {turn}"));
        say.send(Frame::data(text.clone())).unwrap();
        let mut heard = Vec::new();
        while heard.len() < text.len() {
            heard.extend(answers.frame().await.unwrap().unwrap().into_data().unwrap());
        }
        assert_eq!(heard, text);
        if turn % 10 == 0 {
            // Longer than every limit.
            tokio::time::sleep(Duration::from_millis(1200)).await;
        }
    }
    drop(say);
    let end = answers.frame().await.unwrap().unwrap().into_trailers().unwrap();
    assert_eq!(end["grpc-status"], "0");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_is_given_up_ends_at_the_application() {
    let app = App::start().await;
    let edge = Edge::start(app.route());
    let mut client = client(&edge).await;
    // A deadline that runs out is a call that the client gives up.
    for given_up in 1..=3 {
        let answered = client.send_request(call("Hang", once(""))).await.unwrap();
        let mut answers = answered.into_body();
        assert!(answers.frame().await.unwrap().unwrap().is_data());
        assert_eq!(app.hanging.load(Ordering::SeqCst), given_up);
        drop(answers);
        until("the application is told", async || {
            (app.canceled.load(Ordering::SeqCst) == given_up).then_some(())
        })
        .await;
    }
    // Neither connection suffers.
    let answered = client.send_request(call("Unary", once("on"))).await.unwrap();
    assert_eq!(answered.into_body().collect().await.unwrap().to_bytes(), message("on"));
    assert!(app.connections.load(Ordering::SeqCst) <= 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_calls_share_few_connections() {
    let app = App::start().await;
    let edge = Edge::with(app.route(), |options| options.threads = 1);
    let client = client(&edge).await;
    let mut all = tokio::task::JoinSet::new();
    for number in 0..90 {
        let mut client = client.clone();
        all.spawn(async move {
            let text = number.to_string();
            let answered = client.send_request(call("Unary", once(&text))).await.unwrap();
            assert_eq!(answered.into_body().collect().await.unwrap().to_bytes(), message(&text));
        });
    }
    while let Some(done) = all.join_next().await {
        done.unwrap();
    }
    let connections = app.connections.load(Ordering::SeqCst);
    assert!((1..=90).contains(&connections), "{connections}");
    for _ in 0..20 {
        let answered = client.clone().send_request(call("Unary", once("x"))).await.unwrap();
        answered.into_body().collect().await.unwrap();
    }
    assert_eq!(app.connections.load(Ordering::SeqCst), connections, "they are used again");
}

#[tokio::test(flavor = "multi_thread")]
async fn visitors_without_http_2_reach_it_and_an_application_that_is_gone_is_said() {
    let app = App::start().await;
    let edge = Edge::start(app.route());
    let address = edge.front.address;
    let request = format!("GET /nothing HTTP/1.1\r\nHost: {HOST}\r\n\r\n");
    // With TLS on, plain requests go there.
    assert_eq!(crate::support::wire::ask(address, &request).await.status, 308);
    let plain = crate::support::front::Front::start(app.route());
    let answer = crate::support::wire::ask(plain.address, &request).await;
    assert_eq!((answer.status, answer.header("grpc-status").as_deref()), (200, Some("12")));
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let place = Place { container: "gone".to_owned(), address: nobody };
    let route = Route::Upstream(Upstream::speaking(Protocol::H2c, "app".to_owned(), &[place]));
    let edge = Edge::start(route);
    let mut client = client(&edge).await;
    let answered = client.send_request(call("Unary", once(""))).await.unwrap();
    assert_eq!(
        (answered.status().as_u16(), &answered.headers()["grpc-status"]),
        (200, &HeaderValue::from_static("14"))
    );
    // Who asks for a page gets one.
    let page = Request::get(format!("https://{HOST}/")).header("accept", "text/html");
    let answered = client.send_request(page.body(once("")).unwrap()).await.unwrap();
    assert_eq!((answered.status().as_u16(), answered.headers().get("grpc-status")), (502, None));
}
