//! Orbitra: a self-hosted deployment platform in one binary.

pub mod app;
pub mod boot;
pub mod builder;
pub mod cli;
pub mod clock;
pub mod config;
pub mod crypto;
pub mod db;
pub mod docker;
pub mod egress;
pub mod events;
pub mod failpoint;
pub mod forges;
pub mod git;
pub mod handover;
pub mod logs;
pub mod meter;
pub mod model;
pub mod notify;
pub mod pipeline;
pub mod proxy;
pub mod routing;
pub mod server;
pub mod task;
pub mod tls;
pub mod web;
