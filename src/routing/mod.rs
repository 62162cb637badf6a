//! Which host name is answered by what: the one value between control plane and data plane.

pub mod hold;
pub mod publisher;
pub mod replica;
pub mod requests;
pub mod sleeper;
pub mod table;
pub mod tally;
pub mod traffic;
pub mod upstream;
