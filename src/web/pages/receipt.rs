//! What the page of a deployment says about what it was made of.

use super::show;
use crate::model::deployment::Deployment;
use crate::model::receipt::looks::{Look, NoAnswer};
use crate::model::receipt::{BaseImage, Limits, Receipt};
use crate::web::view::receipt as view;
use crate::web::view::text::Foreign;
use crate::web::view::time::Millis;

/// Digits of a digest that are shown.
const SHORT: usize = 12;

/// The receipt as it is shown, once there is one. `before` is the deployment to compare with.
pub fn of(
    deployment: &Deployment,
    receipt: &Receipt,
    before: Option<&Deployment>,
) -> Option<view::Receipt> {
    receipt.written_at?;
    let variables = receipt.variables.iter().map(|variable| view::Variable {
        name: variable.name.clone(),
        fingerprint: variable.hash.as_deref().map(short),
    });
    Some(view::Receipt {
        facts: facts(receipt),
        variables: variables.collect(),
        looks: receipt.probes.iter().map(|probe| look(deployment, probe)).collect(),
        before: before
            .map(|before| view::Before { id: before.id.to_string(), name: show::short(before) }),
    })
}

fn facts(receipt: &Receipt) -> Vec<(String, Foreign)> {
    let mut facts = Vec::new();
    let mut add = |label: &str, value: String| facts.push((label.to_owned(), Foreign(value)));
    if let Some(image) = &receipt.image {
        add("Image", format!("{}, {}", short_id(&image.id), megabytes(image.size_bytes)));
        if let Some(reference) = &image.reference {
            add("Pulled as", reference.clone());
        }
    }
    if let Some(files) = receipt.files {
        add("Files", format!("{}, {}", files.count, megabytes(files.bytes)));
    }
    for base in &receipt.base_images {
        add("Base image", base_image(base));
    }
    if let Some(limits) = receipt.limits.filter(|_| receipt.files.is_none()) {
        add("Limits", limits_text(limits));
    }
    let own = std::iter::once(&receipt.hostname).filter(|name| !name.is_empty());
    let hostnames: Vec<_> = own.chain(&receipt.project_hostnames).cloned().collect();
    if !hostnames.is_empty() {
        add("Host names", hostnames.join(", "));
    }
    facts
}

fn base_image(base: &BaseImage) -> String {
    match (&base.digest, &base.id) {
        (Some(digest), _) => format!("{}, {}", base.name, short_digest(digest)),
        (None, Some(id)) => format!("{}, {} of this server", base.name, short_id(id)),
        (None, None) => base.name.clone(),
    }
}

fn limits_text(limits: Limits) -> String {
    let plural = if limits.instances == 1 { "" } else { "s" };
    format!(
        "{} MiB of memory, {} of a core, {} instance{plural}",
        limits.memory_mb,
        cores(limits.cpu_millis),
        limits.instances
    )
}

fn look(deployment: &Deployment, look: &Look) -> view::Look {
    let saw = match (look.status, look.reason) {
        (Some(status), _) => format!("answered {status}"),
        (None, Some(NoAnswer::NotListening)) => "nothing listened".to_owned(),
        (None, Some(NoAnswer::Timeout)) => "no answer in time".to_owned(),
        (None, Some(NoAnswer::NotHttp)) => "an answer that is not HTTP".to_owned(),
        (None, None) => "nothing".to_owned(),
    };
    view::Look {
        after: Millis(look.at.millis_since(deployment.created_at)),
        saw,
        took: Millis(look.duration_ms),
    }
}

/// `0.5`, `1`, `2.25`.
pub fn cores(millis: u32) -> String {
    let text = format!("{:.3}", f64::from(millis) / 1000.0);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// `284 MB`.
pub fn megabytes(bytes: u64) -> String {
    match bytes {
        0..1_000_000 => format!("{} kB", bytes.div_ceil(1000)),
        _ => format!("{} MB", bytes.div_ceil(1_000_000)),
    }
}

/// The first digits of a content address, without its kind.
pub fn short_id(id: &str) -> String {
    short(id.strip_prefix("sha256:").unwrap_or(id))
}

/// The first digits of a digest, with its kind.
pub fn short_digest(digest: &str) -> String {
    match digest.split_once(':') {
        Some((kind, digits)) => format!("{kind}:{}", short(digits)),
        None => short(digest),
    }
}

fn short(digits: &str) -> String {
    digits.chars().take(SHORT).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_written_as_people_read_them() {
        assert_eq!([500, 1000, 2250].map(cores), ["0.5", "1", "2.25"]);
        assert_eq!([0, 999, 284_000_001].map(megabytes), ["0 kB", "1 kB", "285 MB"]);
        assert_eq!(short_digest("sha256:0123456789abcdef"), "sha256:0123456789ab");
        assert_eq!(short_id("sha256:0123456789abcdef"), "0123456789ab");
    }
}
