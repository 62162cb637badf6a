//! What the engine in this process finds when it asks a registry.

use std::collections::BTreeMap;

use orbitra::docker::{Credentials, ImageSource, PullError};
use serde_json::Value;

use super::{Behaviour, Engine};

/// Images by their names, and by their digests for as long as the registry is there.
#[derive(Default)]
pub struct Registry {
    tags: BTreeMap<String, String>,
    images: BTreeMap<String, Behaviour>,
    credentials: Option<Credentials>,
    /// How often an image was pulled.
    pulls: usize,
}

impl Registry {
    pub fn resolve(&self, source: &ImageSource) -> Result<String, PullError> {
        self.admit(source)?;
        if let Some((_, digest)) = source.reference.split_once('@') {
            return Ok(digest.to_owned());
        }
        let missing = || PullError::NotFound("manifest unknown".to_owned());
        self.tags.get(&source.reference).cloned().ok_or_else(missing)
    }

    pub fn pull(&mut self, source: &ImageSource) -> Result<Behaviour, PullError> {
        self.admit(source)?;
        self.pulls += 1;
        let missing = || PullError::NotFound("manifest unknown".to_owned());
        let (_, digest) = source.reference.split_once('@').expect("pulled by a digest");
        self.images.get(digest).cloned().ok_or_else(missing)
    }

    fn admit(&self, source: &ImageSource) -> Result<(), PullError> {
        if self.credentials.is_none() || self.credentials == source.credentials {
            return Ok(());
        }
        Err(PullError::AuthFailed("unauthorized: authentication required".to_owned()))
    }
}

impl Engine {
    /// Puts an image that behaves like this into the registry. Answers its digest.
    pub fn publish(&self, reference: &str, app: &Value) -> String {
        let mut things = self.0.things.lock().unwrap();
        let digest = format!("sha256:{:064x}", things.registry.images.len() + 1);
        let behaviour = serde_json::from_value(app.clone()).unwrap();
        things.registry.images.insert(digest.clone(), behaviour);
        things.registry.tags.insert(reference.to_owned(), digest.clone());
        digest
    }

    /// From now on the registry wants these.
    pub fn set_credentials(&self, username: &str, password: &str) {
        let credentials =
            Credentials { username: username.to_owned(), password: password.to_owned() };
        self.0.things.lock().unwrap().registry.credentials = Some(credentials);
    }

    /// Somebody else on this machine pulls an image.
    pub fn pull_as_somebody(&self, pin: &str) {
        let mut things = self.0.things.lock().unwrap();
        let digest = pin.split_once('@').unwrap().1.to_owned();
        let behaviour = things.registry.images[&digest].clone();
        things.pulled.insert(pin.to_owned(), behaviour);
    }

    /// Gives an image that was pulled another name.
    pub fn tag(&self, id: &str, name: &str) {
        let mut things = self.0.things.lock().unwrap();
        let behaviour = things.pulled[id.trim_start_matches("sha256:")].clone();
        things.pulled.insert(name.to_owned(), behaviour);
    }

    /// How often an image was pulled.
    pub fn pulls(&self) -> usize {
        self.0.things.lock().unwrap().registry.pulls
    }

    /// Names of the images that were pulled.
    pub fn pulled(&self) -> Vec<String> {
        self.0.things.lock().unwrap().pulled.keys().cloned().collect()
    }
}
