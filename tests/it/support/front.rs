//! A server with routes, for one test.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use axum::Router;
use orbitra::model::peer::PeerAddr;
use orbitra::routing::table::{Entry, Notice, Route, RouteTable, Routes, StaticSite};
use orbitra::routing::upstream::Upstream;
use orbitra::server::{Options, Server};

/// The host that every test's application has.
pub const HOST: &str = "app.test";

pub struct Front {
    pub server: Server,
    pub routes: Routes,
    pub address: SocketAddr,
}

impl Front {
    /// Two threads, usual limits, this route for `HOST`.
    pub fn start(route: Route) -> Self {
        Self::with(route, |_| {})
    }

    /// The same with other options.
    pub fn with(route: Route, change: impl FnOnce(&mut Options)) -> Self {
        let routes = Routes::new(table(route));
        let router = Router::new()
            .route("/", axum::routing::get(|| async { "control" }))
            .route("/peer", axum::routing::get(peer))
            .route("/panic", axum::routing::get(panic));
        let listen = SocketAddr::from(([127, 0, 0, 1], 0));
        let is_control = |host: &str| host == "localhost" || host == "127.0.0.1";
        let mut options = Options::new(listen, routes.clone(), router, is_control);
        options.threads = 2;
        change(&mut options);
        let server = Server::start(options).unwrap();
        Self { address: server.local_addr(), server, routes }
    }
}

async fn peer(axum::Extension(peer): axum::Extension<PeerAddr>) -> String {
    peer.0.to_string()
}

async fn panic() -> String {
    panic!("a page of the control plane panics, as this test wants it to");
}

pub fn table(route: Route) -> RouteTable {
    let entry = Entry { route, noindex: false, application: None, policy: None, kept: None };
    let mut table = RouteTable::default();
    table.hosts.insert(HOST.into(), entry);
    table
}

pub fn upstream(address: SocketAddr) -> (Arc<Upstream>, Route) {
    let upstream = Upstream::new(address.to_string(), address);
    (Arc::clone(&upstream), Route::Upstream(upstream))
}

/// The route to an address.
pub fn to(address: SocketAddr) -> Route {
    upstream(address).1
}

pub fn files(root: &Path) -> Route {
    Route::Static(Arc::new(StaticSite {
        root: root.to_owned(),
        single_page: false,
        rules: Default::default(),
    }))
}

pub fn notice(notice: Notice) -> Route {
    Route::Notice(notice)
}
