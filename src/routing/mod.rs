//! Which host name is answered by what: the one value between control plane and data plane.

pub mod hold;
pub mod meter;
pub mod policy;
pub mod publisher;
pub mod replica;
pub mod requests;
mod rows;
pub mod sleeper;
pub mod successor;
pub mod table;
pub mod tally;
pub mod traffic;
pub mod upstream;
pub mod visits;
