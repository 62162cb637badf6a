//! `/metrics` for Prometheus, on an address of its own
//! (<https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format>).

use std::fmt::Write as _;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use super::listen;
use crate::model::histogram::BUCKETS;
use crate::routing::meter::Sums;
use crate::routing::requests::Application;
use crate::routing::table::Routes;

/// Connections at a time.
const MOST: usize = 16;
const HEAD: Duration = Duration::from_secs(10);
const KIND: HeaderValue = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");

/// Answers until it is dropped.
///
/// # Errors
/// The address cannot be used; the message names the setting.
pub async fn serve(address: SocketAddr, routes: Routes) -> io::Result<()> {
    let mut listeners = listen::listen(address, 1, "ORBITRA_METRICS_LISTEN")?;
    let Some(listener) = listeners.pop() else { return Ok(()) };
    let listener = TcpListener::from_std(listener)?;
    let places = std::sync::Arc::new(Semaphore::new(MOST));
    let mut connections = tokio::task::JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        let Ok(place) = places.clone().acquire_owned().await else { return Ok(()) };
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let routes = routes.clone();
        connections.spawn(async move {
            let answer = service_fn(|request| std::future::ready(answer(&routes, &request)));
            let _ = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(HEAD)
                .serve_connection(TokioIo::new(stream), answer)
                .await;
            drop(place);
        });
    }
}

fn answer(
    routes: &Routes,
    request: &Request<Incoming>,
) -> Result<Response<Full<Bytes>>, std::convert::Infallible> {
    let mut response = Response::new(Full::default());
    if request.uri().path() != "/metrics" {
        *response.status_mut() = StatusCode::NOT_FOUND;
    } else if !matches!(*request.method(), Method::GET | Method::HEAD) {
        *response.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
    } else {
        *response.body_mut() = Full::from(text(routes));
        response.headers_mut().insert(CONTENT_TYPE, KIND);
    }
    Ok(response)
}

/// All figures. Names of projects and identifiers need no escapes.
pub fn text(routes: &Routes) -> String {
    let mut out = String::with_capacity(16 * 1024);
    let traffic = routes.traffic();
    for (name, kind, help, value) in [
        ("orbitra_requests_total", "counter", "Requests of visitors.", traffic.requests()),
        ("orbitra_connections", "gauge", "Open connections.", traffic.connections() as u64),
        ("orbitra_hosts", "gauge", "Host names that are routed.", traffic.hosts() as u64),
    ] {
        let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}\n{name} {value}");
    }
    let _ = writeln!(
        out,
        "# HELP orbitra_build_info The version.\n# TYPE orbitra_build_info gauge\n\
         orbitra_build_info{{version=\"{}\"}} 1",
        env!("CARGO_PKG_VERSION")
    );
    let mut all: Vec<_> =
        routes.applications().into_iter().map(|one| (one.meters.sums(), one)).collect();
    all.retain(|(sums, _)| sums.requests() + sums.in_flight > 0);
    all.sort_by(|(_, one), (_, other)| one.deployment.as_str().cmp(other.deployment.as_str()));
    let family = |out: &mut String, name: &str, kind: &str, help: &str| {
        let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}");
    };
    let name = "orbitra_deployment_requests_total";
    family(&mut out, name, "counter", "Answered requests, by the class of their status.");
    for (sums, one) in &all {
        for (class, count) in sums.classes.iter().enumerate().filter(|(_, count)| **count > 0) {
            let class = if class == 0 { "none".to_owned() } else { format!("{class}xx") };
            let _ = writeln!(out, "{name}{{{},class=\"{class}\"}} {count}", labels(one));
        }
    }
    for (name, kind, help, value) in [
        (
            "orbitra_deployment_requests_in_flight",
            "gauge",
            "Requests under way.",
            (|sums: &Sums| sums.in_flight) as fn(&Sums) -> u64,
        ),
        (
            "orbitra_deployment_response_bytes_total",
            "counter",
            "Bytes of answers' bodies.",
            |sums| sums.bytes,
        ),
    ] {
        family(&mut out, name, kind, help);
        for (sums, one) in &all {
            let _ = writeln!(out, "{name}{{{}}} {}", labels(one), value(sums));
        }
    }
    let name = "orbitra_deployment_request_duration_seconds";
    family(
        &mut out,
        name,
        "histogram",
        "From the head of a request to the last byte of its answer.",
    );
    for (sums, one) in &all {
        let (labels, mut count) = (labels(one), 0);
        for (bucket, end) in sums.buckets.iter().zip(BUCKETS) {
            count += bucket;
            let end = end as f64 / 1e6;
            let _ = writeln!(out, "{name}_bucket{{{labels},le=\"{end}\"}} {count}");
        }
        count += sums.buckets[BUCKETS.len()];
        let _ = writeln!(out, "{name}_bucket{{{labels},le=\"+Inf\"}} {count}");
        let _ = writeln!(out, "{name}_sum{{{labels}}} {}", sums.micros as f64 / 1e6);
        let _ = writeln!(out, "{name}_count{{{labels}}} {count}");
    }
    out
}

fn labels(one: &Application) -> String {
    format!(
        "project=\"{}\",project_id=\"{}\",deployment_id=\"{}\"",
        one.name, one.project, one.deployment
    )
}
