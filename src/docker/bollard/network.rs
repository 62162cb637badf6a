//! The network of a project, or of one deployment.

use std::collections::HashMap;

use bollard::models::{Ipam, IpamConfig, NetworkCreateRequest};

use super::{Bollard, CALL, checked, found, within};
use crate::docker::{EngineError, NetworkError, NetworkSpec, Owner};

/// Makes the network unless it exists.
pub async fn ensure(engine: &Bollard, spec: NetworkSpec) -> Result<(), NetworkError> {
    let client = engine.client()?;
    let _one_at_a_time = engine.making_network.lock().await;
    let call = client.inspect_network(checked(&spec.name)?, None);
    if let Some(existing) = found(within(CALL, "inspect network", call).await)? {
        let owner = Owner::from_labels(&existing.labels.unwrap_or_default());
        return if owner.as_ref() == Some(&spec.owner) {
            Ok(())
        } else {
            let reason = format!("the network {} belongs to somebody else", spec.name);
            Err(EngineError::Refused(reason).into())
        };
    }
    match within(CALL, "create network", client.create_network(request(spec))).await {
        Ok(_) => Ok(()),
        Err(EngineError::Refused(text)) if subnet_in_use(&text) => Err(NetworkError::SubnetInUse),
        Err(error) => Err(error.into()),
    }
}

fn request(spec: NetworkSpec) -> NetworkCreateRequest {
    let (address, prefix) = spec.subnet;
    let pool = IpamConfig { subnet: Some(format!("{address}/{prefix}")), ..IpamConfig::default() };
    // Containers of one network reach each other; between networks the engine drops everything.
    let icc = ("com.docker.network.bridge.enable_icc", "true");
    NetworkCreateRequest {
        name: spec.name,
        driver: Some("bridge".to_owned()),
        ipam: Some(Ipam { config: Some(vec![pool]), ..Ipam::default() }),
        options: Some(HashMap::from([(icc.0.to_owned(), icc.1.to_owned())])),
        labels: Some(spec.owner.labels()),
        ..NetworkCreateRequest::default()
    }
}

/// The engine's words for another network, or a route of the host, on the same addresses.
fn subnet_in_use(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    text.contains("pool overlaps") || text.contains("overlapping ipv4")
}
