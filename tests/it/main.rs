//! The integration tests: one binary, one module per part of the product.

// Helpers of tests may unwrap as tests do; Clippy's own exemption covers test functions only.
#![allow(clippy::unwrap_used)]

mod api;
mod architecture;
mod contrast;
mod dashboard;
mod docker_broken;
mod docker_builds;
mod docker_crash;
mod docker_deploy;
mod docker_engine;
mod docker_failures;
mod docker_faults;
mod docker_forks;
mod docker_frameworks;
mod docker_install;
mod docker_javascript;
mod docker_languages;
mod docker_noise;
mod docker_python;
mod docker_redeploy;
mod docker_release;
mod docker_replicas;
mod docker_retention;
mod docker_secrets;
mod docker_sleep;
mod docker_sources_image;
mod docker_switch;
mod docker_variants;
mod docker_websocket;
mod faults;
mod mail;
mod measured;
mod pages;
mod plan_command;
mod plans;
mod proxy;
mod proxy_faults;
mod proxy_floods;
mod proxy_grpc;
mod proxy_grpc_refusals;
mod proxy_policy;
mod proxy_replicas;
mod proxy_rest;
mod proxy_sign_in;
mod proxy_smuggling;
mod proxy_static;
mod proxy_switch;
mod proxy_tonic;
mod proxy_websocket;
mod proxy_wire;
mod sources;
mod support;
mod tls;
mod whole;
