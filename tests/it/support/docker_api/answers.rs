//! The engine's values in the words of Docker's API, and back.

use std::collections::HashMap;

use bytes::{BufMut, Bytes, BytesMut};
use orbitra::docker::{
    ContainerSpec, ContainerState, NetworkSpec, OutputChunk, Owned, OwnedObject, Owner,
};
use serde_json::{Value, json};

pub fn container(state: ContainerState) -> Value {
    let network =
        json!({ "IPAddress": state.address.map(|ip| ip.to_string()).unwrap_or_default() });
    let networks = if state.in_network { json!({ "own": network }) } else { json!({}) };
    json!({
        "Id": state.id.0,
        "Name": format!("/{}", state.name),
        "RestartCount": state.restarts,
        "State": {
            "Running": state.running,
            "Paused": state.paused,
            "Restarting": false,
            "OOMKilled": state.out_of_memory,
            "ExitCode": state.exit_code.unwrap_or(0),
            "Pid": 0,
            "Error": "",
        },
        "Config": { "Labels": state.owner.map(|owner| owner.labels()) },
        "NetworkSettings": { "Networks": networks },
    })
}

pub fn container_spec(name: String, body: &Value) -> ContainerSpec {
    let words = |value: &Value| {
        let words = value.as_array()?;
        Some(words.iter().map(|word| word.as_str().unwrap().to_owned()).collect())
    };
    let variables: Vec<String> = words(&body["Env"]).unwrap_or_default();
    let split = |line: String| line.split_once('=').map(|(a, b)| (a.to_owned(), b.to_owned()));
    let host = &body["HostConfig"];
    ContainerSpec {
        owner: owner(&body["Labels"]),
        name,
        replica: body["Labels"]["orbitra.replica"].as_str().map(|text| text.parse().unwrap()),
        image: text(&body["Image"]),
        network: text(&host["NetworkMode"]),
        environment: variables.into_iter().filter_map(split).collect(),
        entrypoint: words(&body["Entrypoint"]),
        command: words(&body["Cmd"]),
        memory_bytes: host["Memory"].as_u64().unwrap_or(0),
        cpu_millis: 0,
        pids: 0,
        hostname: text(&body["Hostname"]),
    }
}

pub fn network(object: &OwnedObject) -> Value {
    json!({ "Id": object.id, "Name": object.name, "Labels": object.owner.labels() })
}

pub fn networks(owned: Owned) -> Value {
    owned.networks.iter().map(network).collect()
}

pub fn network_spec(body: &Value) -> NetworkSpec {
    let subnet = text(&body["IPAM"]["Config"][0]["Subnet"]);
    let (address, prefix) = subnet.split_once('/').unwrap();
    NetworkSpec {
        owner: owner(&body["Labels"]),
        name: text(&body["Name"]),
        subnet: (address.parse().unwrap(), prefix.parse().unwrap()),
    }
}

pub fn images(owned: Owned) -> Value {
    let one = |image: &OwnedObject| {
        json!({
            "Id": image.id,
            "ParentId": "",
            "RepoTags": [image.name],
            "RepoDigests": [],
            "Created": 0,
            "Size": 1,
            "SharedSize": -1,
            "Labels": image.owner.labels(),
            "Containers": -1,
        })
    };
    owned.images.iter().map(one).collect()
}

/// A piece of output as the engine sends it: which stream, how long, then the bytes.
pub fn frame(chunk: &OutputChunk) -> Bytes {
    let mut framed = BytesMut::new();
    framed.put_u32(if chunk.stderr { 2 << 24 } else { 1 << 24 });
    framed.put_u32(u32::try_from(chunk.bytes.len()).unwrap());
    framed.put_slice(&chunk.bytes);
    framed.freeze()
}

fn owner(labels: &Value) -> Owner {
    let labels: HashMap<String, String> = serde_json::from_value(labels.clone()).unwrap();
    Owner::from_labels(&labels).unwrap()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
