//! `/dashboard/visit`: on the way to a site behind its wall.

use askama::Template;

/// The page. The browser goes on at once.
#[derive(Template)]
#[template(path = "visit.html")]
pub struct VisitPage {
    pub host: String,
    /// With a token that is good once.
    pub address: String,
}

impl VisitPage {
    /// On the way.
    pub fn sample() -> Vec<(&'static str, Self)> {
        vec![(
            "full",
            Self {
                host: "shop-dep4q7w1z3c.example.com".to_owned(),
                address: "https://shop-dep4q7w1z3c.example.com/.orbitra/sign-in?token=0".to_owned(),
            },
        )]
    }
}
