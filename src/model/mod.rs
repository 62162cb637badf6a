//! Pure types and rules. No I/O, no async, no clock.

pub mod build_plan;

pub mod ids;
pub mod timestamp;
