//! A gRPC client that somebody else has written (tonic's own) and its server, with the proxy in between: every kind of call,
//! over TLS and without it.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::{Buf, BufMut, Bytes};
use futures_util::{StreamExt, stream};
use http::uri::PathAndQuery;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use orbitra::model::project::Protocol;
use orbitra::routing::replica::Place;
use orbitra::routing::table::Route;
use orbitra::routing::upstream::Upstream;
use tokio::net::{TcpListener, TcpStream};
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request, Response, Status, Streaming};

use crate::support::front::{Front, HOST};
use crate::support::tls::connect;
use crate::tls::Edge;

/// More than every window and buffer on the way.
const LARGE: usize = 16 * 1024 * 1024;

/// Messages that are text, so that no compiler of theirs is needed.
#[derive(Clone, Copy, Default)]
struct Text;

impl Codec for Text {
    type Encode = String;
    type Decode = String;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Text {
    type Item = String;
    type Error = Status;

    fn encode(&mut self, text: String, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.put(text.as_bytes());
        Ok(())
    }
}

impl Decoder for Text {
    type Item = String;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<String>, Status> {
        let bytes = buffer.copy_to_bytes(buffer.remaining());
        String::from_utf8(bytes.into()).map(Some).map_err(|_| Status::internal("no text"))
    }
}

/// One call at the application.
async fn answer(
    request: http::Request<Incoming>,
) -> Result<http::Response<tonic::body::Body>, Status> {
    let mut grpc = tonic::server::Grpc::new(Text).max_decoding_message_size(2 * LARGE);
    let method = request.uri().path().rsplit('/').next().unwrap().to_owned();
    Ok(match &*method {
        "Unary" => {
            let service = tower::service_fn(|request: Request<String>| async move {
                let told = request.metadata().get("x-told").cloned();
                let timeout = request.metadata().get("grpc-timeout").cloned();
                let mut response = Response::new(request.into_inner());
                for (name, value) in [("x-told", told), ("x-timeout", timeout)] {
                    if let Some(value) = value {
                        response.metadata_mut().insert(name, value);
                    }
                }
                Ok::<_, Status>(response)
            });
            grpc.unary(service, request).await
        }
        "Many" => {
            let service = tower::service_fn(|request: Request<String>| async move {
                let count: usize = request.into_inner().parse().unwrap();
                Ok::<_, Status>(Response::new(stream::iter(0..count).map(|n| Ok(n.to_string()))))
            });
            grpc.server_streaming(service, request).await
        }
        "Sum" => {
            let service = tower::service_fn(|request: Request<Streaming<String>>| async move {
                let (mut messages, mut sum) = (request.into_inner(), 0);
                while let Some(message) = messages.message().await? {
                    sum += message.len();
                }
                Ok::<_, Status>(Response::new(sum.to_string()))
            });
            grpc.client_streaming(service, request).await
        }
        "Talk" => {
            let service = tower::service_fn(|request: Request<Streaming<String>>| async move {
                let echoed = request.into_inner().map(|message| message.map(|text| text + "!"));
                Ok::<_, Status>(Response::new(echoed))
            });
            grpc.streaming(service, request).await
        }
        "Refused" => {
            let service = tower::service_fn(|_: Request<String>| async move {
                let details = Bytes::from_static(&[0, 1, 255]);
                let mut status =
                    Status::with_details(Code::FailedPrecondition, "not yet: größer\n", details);
                status.metadata_mut().insert("x-why", "because".parse().unwrap());
                Err::<Response<String>, _>(status)
            });
            grpc.unary(service, request).await
        }
        "Late" => {
            let service = tower::service_fn(|_: Request<String>| async move {
                let all = [Ok("half".to_owned()), Err(Status::data_loss("the other half"))];
                Ok::<_, Status>(Response::new(stream::iter(all)))
            });
            grpc.server_streaming(service, request).await
        }
        "Hang" => {
            let service = tower::service_fn(|_: Request<String>| async move {
                std::future::pending::<Result<Response<String>, Status>>().await
            });
            grpc.unary(service, request).await
        }
        _ => Status::unimplemented(method).into_http(),
    })
}

async fn application() -> Route {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let connection = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
            tokio::spawn(connection.serve_connection(TokioIo::new(stream), service_fn(answer)));
        }
    });
    let place = Place { container: "one".to_owned(), address };
    Route::Upstream(Upstream::speaking(Protocol::H2c, "app".to_owned(), &[place]))
}

type Client = tonic::client::Grpc<Channel>;

fn client(channel: Channel) -> Client {
    tonic::client::Grpc::new(channel).max_decoding_message_size(2 * LARGE)
}

async fn over_tls(edge: &Edge) -> Client {
    let (address, config) = (edge.address, edge.authority.client(&["h2"]));
    let connector = tower::service_fn(move |_| {
        let config = config.clone();
        async move { connect(address, HOST, config).await.map(TokioIo::new) }
    });
    let endpoint = Endpoint::from_shared(format!("https://{HOST}")).unwrap();
    client(endpoint.connect_with_connector(connector).await.unwrap())
}

async fn in_the_clear(address: SocketAddr) -> Client {
    let connector =
        tower::service_fn(
            move |_| async move { TcpStream::connect(address).await.map(TokioIo::new) },
        );
    let endpoint = Endpoint::from_shared(format!("http://{HOST}")).unwrap();
    client(endpoint.connect_with_connector(connector).await.unwrap())
}

fn path(method: &str) -> PathAndQuery {
    format!("/test.Test/{method}").parse().unwrap()
}

async fn every_kind_of_call(client: &mut Client) {
    client.ready().await.unwrap();
    let mut request = Request::new("hello".to_owned());
    request.metadata_mut().insert("x-told", "yes".parse().unwrap());
    request.set_timeout(Duration::from_secs(20));
    let answered = client.unary(request, path("Unary"), Text).await.unwrap();
    assert_eq!(answered.metadata().get("x-told").unwrap(), "yes");
    assert_eq!(answered.metadata().get("x-timeout").unwrap(), "20000000u");
    assert_eq!(answered.into_inner(), "hello");

    client.ready().await.unwrap();
    let large = "x".repeat(LARGE);
    let answered = client.unary(Request::new(large.clone()), path("Unary"), Text).await.unwrap();
    assert!(answered.into_inner() == large);

    client.ready().await.unwrap();
    let asked = Request::new("5000".to_owned());
    let many = client.server_streaming(asked, path("Many"), Text).await.unwrap().into_inner();
    let many: Vec<String> = many.map(Result::unwrap).collect().await;
    assert_eq!((many.len(), many[4999].as_str()), (5000, "4999"));

    client.ready().await.unwrap();
    let parts = stream::iter((0..100).map(|_| "y".repeat(100_000)));
    let sum = client.client_streaming(Request::new(parts), path("Sum"), Text).await.unwrap();
    assert_eq!(sum.into_inner(), "10000000");

    client.ready().await.unwrap();
    let (say, said) = tokio::sync::mpsc::unbounded_channel::<String>();
    let said =
        stream::unfold(said, |mut said| async move { said.recv().await.map(|text| (text, said)) });
    let talk = client.streaming(Request::new(said), path("Talk"), Text).await.unwrap();
    let mut talk = talk.into_inner();
    for turn in 0..50 {
        say.send(format!("turn {turn}")).unwrap();
        assert_eq!(talk.message().await.unwrap().unwrap(), format!("turn {turn}!"));
    }
    drop(say);
    assert_eq!(talk.message().await.unwrap(), None);
    assert!(talk.trailers().await.unwrap().is_some());

    client.ready().await.unwrap();
    let refused = client.unary(Request::new(String::new()), path("Refused"), Text).await;
    let refused = refused.unwrap_err();
    assert_eq!(
        (refused.code(), refused.message()),
        (Code::FailedPrecondition, "not yet: größer\n")
    );
    assert_eq!(refused.details(), [0, 1, 255]);
    assert_eq!(refused.metadata().get("x-why").unwrap(), "because");

    client.ready().await.unwrap();
    let asked = Request::new(String::new());
    let mut late = client.server_streaming(asked, path("Late"), Text).await.unwrap().into_inner();
    assert_eq!(late.message().await.unwrap().unwrap(), "half");
    let status = late.message().await.unwrap_err();
    assert_eq!((status.code(), status.message()), (Code::DataLoss, "the other half"));

    client.ready().await.unwrap();
    let unknown = client.unary(Request::new(String::new()), path("Nothing"), Text).await;
    assert_eq!(unknown.unwrap_err().code(), Code::Unimplemented);

    client.ready().await.unwrap();
    let mut request = Request::new(String::new());
    request.set_timeout(Duration::from_millis(200));
    let begin = Instant::now();
    let late = client.unary(request, path("Hang"), Text).await.unwrap_err();
    assert!(matches!(late.code(), Code::DeadlineExceeded | Code::Cancelled), "{late:?}");
    assert!(begin.elapsed() < Duration::from_secs(10));
    // The connection is none the worse for it.
    client.ready().await.unwrap();
    let answered = client.unary(Request::new("on".to_owned()), path("Unary"), Text).await.unwrap();
    assert_eq!(answered.into_inner(), "on");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_call_crosses_over_tls() {
    let edge = Edge::start(application().await);
    every_kind_of_call(&mut over_tls(&edge).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_call_crosses_in_the_clear_where_that_is_wanted() {
    let front = Front::with(application().await, |options| options.h2c = true);
    every_kind_of_call(&mut in_the_clear(front.address).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_application_that_is_gone_is_a_status() {
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let place = Place { container: "gone".to_owned(), address: nobody };
    let route = Route::Upstream(Upstream::speaking(Protocol::H2c, "app".to_owned(), &[place]));
    let edge = Edge::start(route);
    let mut client = over_tls(&edge).await;
    client.ready().await.unwrap();
    let status = client.unary(Request::new(String::new()), path("Unary"), Text).await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable, "{status:?}");
    assert!(status.message().starts_with("The site did not answer: "), "{status:?}");
    // The connection is none the worse for it.
    client.ready().await.unwrap();
    let asked = Request::new(String::new());
    let status = client.server_streaming(asked, path("Many"), Text).await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable, "{status:?}");
}
