//! Orbitra: a self-hosted deployment platform in one binary.

pub mod docker;
pub mod model;
