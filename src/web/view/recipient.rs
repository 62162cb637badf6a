//! `/mail/…`: whether an address wants what webhooks send there.

use askama::Template;

/// The page.
#[derive(Template, Default)]
#[template(path = "recipient.html")]
pub struct RecipientPage {
    pub csrf: String,
    /// What the link holds.
    pub token: String,
    /// The origin of this server.
    pub server: String,
    pub address: String,
    /// The e-mail address of the account that wants to send there.
    pub by: Option<String>,
    pub shown: Shown,
}

/// What the page says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Shown {
    /// Nobody knows the link.
    #[default]
    Unknown,
    Question,
    Expired,
    /// It was answered just now.
    Agreed,
    Refused,
    /// It was answered before.
    UsedYes,
    UsedNo,
}

impl RecipientPage {
    fn title(&self) -> &'static str {
        match self.shown {
            Shown::Unknown => "This link does not work",
            Shown::Question => "Do you want this mail?",
            Shown::Expired => "This link has expired",
            Shown::Agreed => "You get this mail from now on",
            Shown::Refused => "You get no mail",
            Shown::UsedYes | Shown::UsedNo => "This link was used",
        }
    }

    fn asks(&self) -> bool {
        self.shown == Shown::Question
    }

    /// Whether it can be taken back here.
    fn stops(&self) -> bool {
        matches!(self.shown, Shown::Agreed | Shown::UsedYes)
    }

    /// Each of what it can say.
    pub fn sample() -> Vec<(&'static str, Self)> {
        let page = |shown| Self {
            csrf: "0".repeat(128),
            token: "5f".repeat(32),
            server: "https://orbitra.example.com".to_owned(),
            address: "ops@example.com".to_owned(),
            by: Some("ada@example.com".to_owned()),
            shown,
        };
        vec![
            ("question", page(Shown::Question)),
            ("nobody", Self { by: None, ..page(Shown::Question) }),
            ("expired", page(Shown::Expired)),
            ("agreed", page(Shown::Agreed)),
            ("refused", page(Shown::Refused)),
            ("used", page(Shown::UsedYes)),
            ("used-no", page(Shown::UsedNo)),
            ("unknown", Self::default()),
        ]
    }
}
