//! Programs that look at sites on their own: search engines, previews of links, monitors. They are many, come often,
//! and nobody waits for what they get.

/// Parts of the `User-Agent` of known ones, in lower case.
const KNOWN: [&str; 56] = [
    "adsbot",
    "ahrefsbot",
    "amazonbot",
    "applebot",
    "archive.org_bot",
    "baiduspider",
    "barkrowler",
    "better stack",
    "betteruptime",
    "bingbot",
    "blexbot",
    "bytespider",
    "ccbot",
    "checkly",
    "claudebot",
    "cloudflare-healthchecks",
    "crawler",
    "datadog",
    "dataforseobot",
    "discordbot",
    "dotbot",
    "duckduckbot",
    "elb-healthchecker",
    "facebookexternalhit",
    "freshping",
    "googlebot",
    "googlehc",
    "googleother",
    "gptbot",
    "hetrixtools",
    "ia_archiver",
    "kube-probe",
    "linkedinbot",
    "meta-externalagent",
    "mj12bot",
    "nagios",
    "newrelicpinger",
    "oai-searchbot",
    "perplexitybot",
    "petalbot",
    "pingdom",
    "prometheus",
    "semrushbot",
    "seznambot",
    "site24x7",
    "slackbot",
    "slurp",
    "spider",
    "statuscake",
    "telegrambot",
    "twitterbot",
    "updown.io",
    "uptime-kuma",
    "uptimerobot",
    "yandexbot",
    "zabbix",
];

/// Whether a `User-Agent` names a known one.
pub fn is_crawler(user_agent: &[u8]) -> bool {
    // What comes later is no name.
    let start = &user_agent[..user_agent.len().min(512)];
    let text = String::from_utf8_lossy(start).to_ascii_lowercase();
    KNOWN.iter().any(|name| text.contains(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crawlers_and_monitors_are_told_from_visitors() {
        for agent in [
            "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
            "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; bingbot/2.0) Chrome/116.0 Safari/537.36",
            "Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)",
            "Mozilla/5.0+(compatible; UptimeRobot/2.0; http://www.uptimerobot.com/)",
            "Uptime-Kuma/1.23.11",
            "facebookexternalhit/1.1",
        ] {
            assert!(is_crawler(agent.as_bytes()), "{agent}");
        }
        for agent in [
            "",
            "curl/7.88.1",
            "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
            "Mozilla/5.0 (Macintosh) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36",
            "python-requests/2.31.0",
            "my-app/1.0 (service)",
        ] {
            assert!(!is_crawler(agent.as_bytes()), "{agent}");
        }
        assert!(!is_crawler(&[0xff; 4096]));
    }

    #[test]
    fn the_table_is_sorted_and_in_lower_case() {
        assert!(KNOWN.is_sorted());
        assert!(KNOWN.iter().all(|name| name.to_ascii_lowercase() == **name));
    }
}
