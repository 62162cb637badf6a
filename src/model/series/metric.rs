//! What can be asked for.

use serde::{Deserialize, Serialize};

use super::point::Point;
use crate::model::deployment::words;
use crate::model::histogram;

words!(
/// A kind of figure.
Metric {
    Cpu = "cpu", Memory = "memory", Requests = "requests", Responses = "responses", Errors = "errors",
    LatencyP50 = "latency_p50", LatencyP95 = "latency_p95", LatencyP99 = "latency_p99", Egress = "egress",
    InFlight = "in_flight",
});

impl Metric {
    /// What its numbers are.
    pub fn unit(self) -> &'static str {
        match self {
            Self::Cpu => "millicores",
            Self::Memory | Self::Egress => "bytes",
            Self::Requests | Self::Responses | Self::Errors | Self::InFlight => "requests",
            Self::LatencyP50 | Self::LatencyP95 | Self::LatencyP99 => "milliseconds",
        }
    }

    /// Whether each container has one of its own.
    pub fn of_containers(self) -> bool {
        matches!(self, Self::Cpu | Self::Memory)
    }

    /// Its value at a point, to three digits behind the point; of [`Metric::Responses`] all of them together. `None`
    /// when the point says nothing of it.
    pub fn value(self, point: &Point) -> Option<f64> {
        let hundredths = match self {
            Self::Cpu => {
                // Microseconds of a millisecond are thousandths of a core.
                let known = point.cpu_millis > 0;
                return known.then(|| rounded(point.cpu_micros as f64 / point.cpu_millis as f64));
            }
            Self::Memory => return (point.memory > 0).then_some(point.memory as f64),
            Self::Requests | Self::Responses => return Some(point.requests() as f64),
            Self::Errors => return Some(point.classes[5] as f64),
            Self::Egress => return Some(point.bytes as f64),
            Self::InFlight => return Some(point.in_flight as f64),
            Self::LatencyP50 => 50,
            Self::LatencyP95 => 95,
            Self::LatencyP99 => 99,
        };
        histogram::percentile(&point.buckets, hundredths)
            .map(|micros| rounded(micros as f64 / 1000.0))
    }
}

fn rounded(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}
