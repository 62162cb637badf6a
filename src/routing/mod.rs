//! Which host name is answered by what: the one value between control plane and data plane.

pub mod publisher;
pub mod requests;
pub mod table;
pub mod traffic;
pub mod upstream;
