//! Addresses that users give for requests to be sent to.

use url::Url;

use super::policy::Policy;

/// Most bytes of an address.
const LONGEST: usize = 2048;
/// Stands for what is not shown; an address with it is still one (RFC 3986).
const HIDDEN: &str = "***";

/// An address that no request is sent to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UrlRefused {
    /// `format`, `too_long` or `url_not_allowed`.
    pub code: &'static str,
    pub message: &'static str,
}

fn refused(code: &'static str, message: &'static str) -> UrlRefused {
    UrlRefused { code, message }
}

impl Policy {
    /// Reads an address under this policy, without resolving its name. What comes back is as it is sent: hosts in
    /// their plain spelling, addresses in any spelling as addresses.
    ///
    /// # Errors
    /// It is no URL, has a part it must not have, or leads where nothing may be sent.
    pub fn web_url(&self, text: &str) -> Result<Url, UrlRefused> {
        if text.len() > LONGEST {
            return Err(refused("too_long", "At most 2048 bytes."));
        }
        // The URL standard leaves these out in silence; what is sent must be what was written.
        if text.bytes().any(|byte| byte <= b' ' || byte == 0x7f) {
            return Err(refused("format", "An address without blanks."));
        }
        let url = Url::parse(text).map_err(|_| refused("format", "An address: `https://…`."))?;
        let plain = url.scheme() == "http";
        if url.scheme() != "https" && !(plain && self.allow_http()) {
            return Err(refused("url_not_allowed", "Only `https:` addresses."));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(refused("url_not_allowed", "No user name and no password."));
        }
        if url.fragment().is_some() {
            return Err(refused("url_not_allowed", "Nothing after a `#`."));
        }
        let host = url.host_str().unwrap_or_default();
        let port = url.port_or_known_default().unwrap_or_default();
        if self.check_host(host).is_err() || self.check_port(host, port).is_err() {
            return Err(refused(
                "url_not_allowed",
                "This address may not be reached from this server: only public hosts, on port 443, 80 or from 1024 up.",
            ));
        }
        Ok(url)
    }
}

/// An address as lists and logs show it: of its query only that there is one.
pub fn masked(url: &Url) -> String {
    let mut shown = url.clone();
    // Neither fails on an address that has a host.
    let _ = shown.set_username("");
    let _ = shown.set_password(None);
    shown.set_query(url.query().map(|_| HIDDEN));
    shown.to_string()
}

/// An address whose path is a credential: only where it leads to.
pub fn origin(url: &Url) -> String {
    format!("{}/{HIDDEN}", url.origin().ascii_serialization())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_may_be_reached_is_an_address() {
        let policy = Policy::default();
        for (text, code) in [
            ("", "format"),
            ("hooks.example.com", "format"),
            ("https://", "format"),
            ("https://a.example/ b", "format"),
            ("https://a.example/\n", "format"),
            ("http://a.example/", "url_not_allowed"),
            ("ftp://a.example/", "url_not_allowed"),
            ("javascript:alert(1)", "url_not_allowed"),
            ("https://user@a.example/", "url_not_allowed"),
            ("https://:secret@a.example/", "url_not_allowed"),
            ("https://a.example/#part", "url_not_allowed"),
            ("https://a.example:22/", "url_not_allowed"),
            ("https://a.example./", "url_not_allowed"),
            ("https://localhost/", "url_not_allowed"),
            ("https://a.localhost/", "url_not_allowed"),
            ("https://printer.local/", "url_not_allowed"),
            ("https://db.internal/", "url_not_allowed"),
            ("https://single/", "url_not_allowed"),
            ("https://127.0.0.1/", "url_not_allowed"),
            ("https://2130706433/", "url_not_allowed"),
            ("https://0x7f.1/", "url_not_allowed"),
            ("https://0177.0.0.1/", "url_not_allowed"),
            ("https://[::ffff:169.254.169.254]/", "url_not_allowed"),
            ("https://[::1]:8080/", "url_not_allowed"),
            ("https://169.254.169.254/latest/meta-data/", "url_not_allowed"),
            ("https://①②⑦.⓪.⓪.①/", "url_not_allowed"),
        ] {
            let error = policy.web_url(text).expect_err(text);
            assert_eq!(error.code, code, "{text}");
        }
        let long = format!("https://a.example/{}", "x".repeat(LONGEST));
        assert_eq!(policy.web_url(&long).expect_err("too long").code, "too_long");
        for good in
            ["https://hooks.example.com/a?b=c", "https://a.example:8443/", "https://8.8.8.8/"]
        {
            assert_eq!(policy.web_url(good).expect(good).as_str(), good);
        }
        let open = Policy::parse(&["127.0.0.1/32"], true).expect("a policy");
        assert!(open.web_url("http://127.0.0.1:81/").is_ok());
    }

    #[test]
    fn a_query_is_masked() {
        let shown = |text: &str| masked(&Url::parse(text).expect("an address"));
        assert_eq!(shown("https://a.example/x?token=secret"), "https://a.example/x?***");
        assert_eq!(shown("https://a.example/x"), "https://a.example/x");
    }
}
