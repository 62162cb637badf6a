//! What the tests share.

pub mod api_client;
pub mod app;
pub mod apps;
pub mod archive;
pub mod bind;
pub mod dns;
pub mod docker_api;
pub mod engine;
pub mod forge;
pub mod front;
pub mod git_server;
pub mod load;
pub mod mail_server;
pub mod orbitra;
pub mod own_dockerd;
pub mod pebble;
pub mod processes;
pub mod pusher;
pub mod receiver;
pub mod registry;
pub mod ssh_server;
pub mod tls;
pub mod toy;
pub mod until;
pub mod wire;
