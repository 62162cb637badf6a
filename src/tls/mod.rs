//! TLS at the edge: which certificate a connection gets, and how the certificates come to be.
//!
//! `chain` reads what somebody sends, `store` holds what is served and is swapped as a whole, `keeper` fills it from
//! the database, `acceptor` makes connections of it. `issuance` orders what is missing from the `authority`, which looks at
//! `challenges`, or at records that `dns` sets. `stapling` has answers about certificates from the responders that
//! they name, which `ocsp` reads.

pub mod acceptor;
pub mod authority;
pub mod chain;
pub mod challenges;
pub mod dns;
pub mod issuance;
pub mod keeper;
pub mod ocsp;
pub mod stapling;
pub mod store;
mod trust;
