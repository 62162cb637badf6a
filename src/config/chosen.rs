//! Settings that an instance admin chooses while the server runs. They stand between the compiled defaults and what the
//! operator gives: a setting that is given by flag, environment or file stays as it is given.

use serde::{Deserialize, Serialize};

use super::Config;

/// What was chosen; what is not is as the server was started. As it is stored.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Chosen {
    /// Counts changes.
    pub revision: i64,
    pub rate_free: Option<u32>,
    pub rate_professional: Option<u32>,
    pub egress_allow: Option<Vec<String>>,
    pub egress_allow_http: Option<bool>,
}

impl Config {
    /// Where a setting was given: a flag, a variable or the file. `None` when it is the default.
    pub fn given(&self, name: &str) -> Option<&str> {
        self.given.get(name).map(String::as_str)
    }

    /// These settings with what was chosen.
    pub fn with(&self, chosen: &Chosen) -> Self {
        let mut config = self.clone();
        let free = |name: &str| self.given(name).is_none();
        if let Some(rate) = chosen.rate_free.filter(|_| free("rate_free")) {
            config.rates.free = rate;
        }
        if let Some(rate) = chosen.rate_professional.filter(|_| free("rate_professional")) {
            config.rates.professional = rate;
        }
        if let Some(allow) = chosen.egress_allow.clone().filter(|_| free("egress_allow")) {
            config.egress_allow = allow;
        }
        if let Some(allow) = chosen.egress_allow_http.filter(|_| free("egress_allow_http")) {
            config.egress_allow_http = allow;
        }
        config
    }
}
