//! What the proxy does for a project's visitors before its application is asked, and behind it.

use serde::{Deserialize, Serialize};

use super::deployment::words;
use super::network::Network;
use super::site_rules::SiteRules;

/// Most entries of each list of addresses.
pub const MOST_NETWORKS: usize = 256;
/// Longest text of redirects or fields, in bytes.
pub const LONGEST_RULES: usize = 16 * 1024;
/// Longest name and password, in characters.
pub const LONGEST_LOGIN: usize = 128;

/// A project's settings of the proxy. Nothing is set by default.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ProxySettings {
    /// Largest content of a request in MB, 1 to 102,400; `None` is without a limit.
    pub max_body_mb: Option<u32>,
    /// Seconds until the head of an answer, 1 to 3,600; `None` is the proxy's own.
    pub first_byte_seconds: Option<u32>,
    /// Seconds that an application may send nothing in the middle of an answer, 1 to 86,400.
    pub idle_seconds: Option<u32>,
    /// Visitors of the project's addresses see a page that says so; deployments' own addresses go on.
    pub maintenance: bool,
    /// Answers are compressed that are not already.
    pub compress: bool,
    /// Lines as in the file `_redirects`: `/old/* /new/:splat 301`.
    pub redirects: String,
    /// Lines as in the file `_headers`.
    pub headers: String,
    /// Networks whose visitors are let in; all of them when it is empty.
    pub allow: Vec<String>,
    /// Networks whose visitors are not; it counts more.
    pub deny: Vec<String>,
    /// What visitors are asked for.
    pub login: Option<Login>,
    /// Where only people are let in who are signed in to the dashboard and may see the project.
    pub sign_in: SignIn,
}

words!(
    /// Where visitors have to be signed in to the dashboard: nowhere, at deployments' and branches' own addresses, or at
    /// all of a project's.
    SignIn { Nowhere = "none", Previews = "previews", Everywhere = "all" });

#[allow(clippy::derivable_impls, reason = "the words bring their own derives")]
impl Default for SignIn {
    fn default() -> Self {
        Self::Nowhere
    }
}

/// A name and a password for visitors.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Login {
    pub user: String,
    /// The password's hash.
    pub hash: String,
}

impl ProxySettings {
    /// Networks out of a list; `Err` is the place of the first that is none.
    ///
    /// # Errors
    /// The index in the list.
    pub fn networks(list: &[String]) -> Result<Vec<Network>, usize> {
        let read = |(at, text): (usize, &String)| Network::parse(text.trim()).ok_or(at);
        list.iter().enumerate().map(read).collect()
    }

    /// Redirects and fields as rules, and what of them cannot be used.
    pub fn rules(&self) -> (SiteRules, Vec<String>) {
        SiteRules::parse(&self.redirects, &self.headers)
    }
}

/// Whether a name can stand in `user:password`.
pub fn is_login_name(name: &str) -> bool {
    let length = name.chars().count();
    (1..=LONGEST_LOGIN).contains(&length) && !name.chars().any(|c| c == ':' || c.is_control())
}
