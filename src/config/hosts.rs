//! Host names and the URLs that are shown.

use std::net::{IpAddr, SocketAddr};

use super::{ConfigError, Setting};
use crate::model::git_url::{pushed_project, pushed_to};
use crate::model::hostname;
use crate::model::ids::ProjectId;

/// Which names are whose, and how URLs to them are written.
#[derive(Clone, Debug)]
pub struct Hosts {
    base_domain: String,
    dashboard: Option<String>,
    scheme: &'static str,
    port: Option<u16>,
}

/// Whether this is a lower-case DNS name.
fn is_hostname(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 200
        && text.split('.').all(|label| {
            (1..=63).contains(&label.len())
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        })
}

pub(super) fn read(
    base: &Setting,
    dashboard: &Setting,
    scheme: &Setting,
    listen: SocketAddr,
    listen_tls: Option<SocketAddr>,
) -> Result<Hosts, ConfigError> {
    let hostname = |setting: &Setting| {
        let name = setting.value.trim().trim_end_matches('.').to_ascii_lowercase();
        is_hostname(&name)
            .then_some(name)
            .ok_or_else(|| setting.error("a host name, such as apps.example.com"))
    };
    let text = scheme.value.trim();
    let (scheme, port) = match text.split_once(':') {
        _ if text.is_empty() => match listen_tls {
            Some(address) => ("https", Some(address.port())),
            None => ("http", Some(listen.port())),
        },
        None => (text, None),
        Some((word, port)) => (
            word,
            Some(
                port.parse()
                    .map_err(|_| scheme.error("`http` or `https`, with a port after `:`"))?,
            ),
        ),
    };
    let (scheme, usual) = match scheme {
        "http" => ("http", 80),
        "https" => ("https", 443),
        _ => {
            return Err(ConfigError(format!(
                "ORBITRA_PUBLIC_SCHEME must start with http or https, not `{text}`"
            )));
        }
    };
    Ok(Hosts {
        base_domain: hostname(base)?,
        dashboard: dashboard.non_empty().map(|_| hostname(dashboard)).transpose()?,
        scheme,
        port: port.filter(|port| *port != usual),
    })
}

impl Hosts {
    /// Deployments and projects have names under this domain.
    pub fn base_domain(&self) -> &str {
        &self.base_domain
    }

    /// The host of dashboard and API, where it is not the base domain.
    pub fn dashboard_host(&self) -> Option<&str> {
        self.dashboard.as_deref()
    }

    /// Scheme and, where it is not the scheme's own, port of URLs: `https`, `http:8080`.
    pub fn public_scheme(&self) -> String {
        match self.port {
            Some(port) => format!("{}:{port}", self.scheme),
            None => self.scheme.to_owned(),
        }
    }

    /// Whether URLs are https.
    pub fn secure(&self) -> bool {
        self.scheme == "https"
    }

    /// The port that visitors reach TLS at; `None` when URLs are http.
    pub fn https_port(&self) -> Option<u16> {
        self.secure().then(|| self.port.unwrap_or(443))
    }

    /// Whether a lower-case host (without port) is the dashboard's and the API's.
    pub fn is_control(&self, host: &str) -> bool {
        let literal = host.trim_start_matches('[').trim_end_matches(']');
        match &self.dashboard {
            Some(dashboard) => {
                host == dashboard || literal.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
            }
            None => {
                host == self.base_domain || host == "localhost" || literal.parse::<IpAddr>().is_ok()
            }
        }
    }

    /// The URL of a host, without a slash at the end.
    pub fn url_of(&self, host: &str) -> String {
        match self.port {
            Some(port) => format!("{}://{host}:{port}", self.scheme),
            None => format!("{}://{host}", self.scheme),
        }
    }

    /// The URL of a branch, by its label.
    pub fn url_of_branch(&self, label: &str) -> String {
        self.url_of(&hostname::of_branch(label, &self.base_domain))
    }

    /// The address that a project is pushed to with Git, by its name or its id.
    pub fn push_address(&self, project: &str) -> String {
        format!("{}/git/{project}.git", self.dashboard_url())
    }

    /// A stored address of a repository as people see it.
    pub fn shown_source(&self, stored: String) -> String {
        match pushed_project(&stored) {
            Some(project) => self.push_address(project.as_str()),
            None => stored,
        }
    }

    /// What is stored for an address that people send for a project: its own push address has a form that outlives new
    /// names of project and server.
    pub fn stored_source(&self, sent: &str, id: &ProjectId, name: &str) -> String {
        let own = [self.push_address(id.as_str()), self.push_address(name), pushed_to(id)];
        if own.iter().any(|own| own == sent.trim_end_matches('/')) {
            return pushed_to(id);
        }
        sent.to_owned()
    }

    /// The URL of dashboard and API, without a slash at the end.
    pub fn dashboard_url(&self) -> String {
        self.url_of(self.dashboard.as_deref().unwrap_or(&self.base_domain))
    }
}
