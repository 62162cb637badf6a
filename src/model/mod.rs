//! Pure types and rules. No I/O, no async, no clock.

pub mod actor;
pub mod api_key;
pub mod audit;
pub mod branch;
pub mod build_plan;
pub mod catalogue;
pub mod deployment;
pub mod env_var;
pub mod event;
pub mod failure;
pub mod git_url;
pub mod hostname;
pub mod ids;
pub mod key_limits;
pub mod log_line;
pub mod network;
pub mod peer;
pub mod problems;
pub mod project;
pub mod project_env;
pub mod release;
pub mod scope;
pub mod site_rules;
pub mod timestamp;
pub mod transition;
pub mod user;
