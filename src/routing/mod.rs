//! Which host name is answered by what: the one value between control plane and data plane.

pub mod publisher;
pub mod table;
pub mod upstream;
