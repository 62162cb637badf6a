//! Every page renders every sample, and the HTML keeps the rules that hold for all pages.

use std::collections::HashSet;
use std::io::Write;
use std::path::{Path, PathBuf};

use askama::Template;
use orbitra::web::view::compare::ComparePage;
use orbitra::web::view::delivery::DeliveryPage;
use orbitra::web::view::deployment::DeploymentPage;
use orbitra::web::view::docs::DocsPage;
use orbitra::web::view::docs_errors::{ErrorCodePage, ErrorsPage};
use orbitra::web::view::domains::DomainsPage;
use orbitra::web::view::error::ErrorPage;
use orbitra::web::view::keys::KeysPage;
use orbitra::web::view::login::LoginPage;
use orbitra::web::view::logs::LogsPage;
use orbitra::web::view::metrics::MetricsPage;
use orbitra::web::view::new_project::NewProjectPage;
use orbitra::web::view::project::ProjectPage;
use orbitra::web::view::projects::ProjectsPage;
use orbitra::web::view::recipient::RecipientPage;
use orbitra::web::view::settings::SettingsPage;
use orbitra::web::view::setup::SetupPage;
use orbitra::web::view::system::SystemPage;
use orbitra::web::view::variable::VariablePage;
use orbitra::web::view::variables::VariablesPage;
use orbitra::web::view::visit::VisitPage;
use orbitra::web::view::webhook::WebhookPage;
use orbitra::web::view::webhooks::WebhooksPage;
use orbitra::web::view::welcome::WelcomePage;
use orbitra::web::{assets, view};
use scraper::{ElementRef, Html, Selector};

/// All samples of all pages: name and HTML.
fn all() -> Vec<(String, String)> {
    fn render<P: Template>(page: &str, samples: Vec<(&'static str, P)>) -> Vec<(String, String)> {
        samples
            .into_iter()
            .map(|(name, sample)| {
                let name = format!("{page}-{}", name.replace(' ', "-"));
                let html = sample.render().unwrap();
                (name, html)
            })
            .collect()
    }
    [
        render("setup", SetupPage::sample()),
        render("welcome", WelcomePage::sample()),
        render("login", LoginPage::sample()),
        render("projects", ProjectsPage::sample()),
        render("new", NewProjectPage::sample()),
        render("project", ProjectPage::sample()),
        render("deployment", DeploymentPage::sample()),
        render("compare", ComparePage::sample()),
        render("logs", LogsPage::sample()),
        render("metrics", MetricsPage::sample()),
        render("variables", VariablesPage::sample()),
        render("variable", VariablePage::sample()),
        render("domains", DomainsPage::sample()),
        render("settings", SettingsPage::sample()),
        render("keys", KeysPage::sample()),
        render("visit", VisitPage::sample()),
        render("recipient", RecipientPage::sample()),
        render("webhooks", WebhooksPage::sample()),
        render("webhook", WebhookPage::sample()),
        render("delivery", DeliveryPage::sample()),
        render("system", SystemPage::sample()),
        render("error", ErrorPage::sample()),
        render("docs", DocsPage::sample()),
        render("docs-errors", ErrorsPage::sample()),
        render("docs-error", ErrorCodePage::sample()),
    ]
    .concat()
}

/// Runs a check on every sample and names the sample that fails it.
fn every(check: impl Fn(&str, &Html)) {
    for (name, html) in all() {
        check(&name, &Html::parse_document(&html));
    }
}

fn select<'a>(html: &'a Html, selector: &str) -> Vec<ElementRef<'a>> {
    html.select(&Selector::parse(selector).unwrap()).collect()
}

fn within<'a>(element: ElementRef<'a>, selector: &str) -> Vec<ElementRef<'a>> {
    element.select(&Selector::parse(selector).unwrap()).collect()
}

#[test]
fn a_page_has_one_heading_one_title_and_its_landmarks() {
    every(|name, html| {
        for selector in
            ["h1", "title", "main#main", "a.skip[href='#main']", "#announcer[role=status]"]
        {
            assert_eq!(select(html, selector).len(), 1, "{name}: {selector}");
        }
        let title: String = select(html, "title")[0].text().collect();
        assert!(title.ends_with("Orbitra"), "{name}: {title}");
    });
}

#[test]
fn nothing_is_inline_and_nothing_comes_from_elsewhere() {
    every(|name, html| {
        assert!(select(html, "style, script:not([src]), base").is_empty(), "{name}");
        for element in select(html, "*") {
            for (attribute, value) in element.value().attrs() {
                assert!(
                    attribute != "style" && !attribute.starts_with("on"),
                    "{name}: {attribute}={value}"
                );
                if matches!(attribute, "src" | "srcset" | "action" | "data-src" | "data-stream") {
                    assert!(value.starts_with('/'), "{name}: {attribute}={value}");
                }
                if attribute == "href" && matches!(element.value().name(), "link" | "use") {
                    assert!(value.starts_with("/assets/"), "{name}: {value}");
                }
                assert!(!value.trim_start().starts_with("javascript:"), "{name}");
            }
        }
    });
}

#[test]
fn every_reference_has_its_target() {
    let icons = String::from_utf8(std::fs::read("static/icons.svg").unwrap()).unwrap();
    every(|name, html| {
        let ids: Vec<&str> =
            select(html, "[id]").iter().filter_map(|element| element.attr("id")).collect();
        let known: HashSet<&str> = ids.iter().copied().collect();
        assert_eq!(ids.len(), known.len(), "{name}: an id occurs twice");
        for attribute in
            ["for", "aria-labelledby", "aria-describedby", "popovertarget", "data-show"]
        {
            for element in select(html, &format!("[{attribute}]")) {
                for id in element.attr(attribute).unwrap_or_default().split(' ') {
                    assert!(known.contains(id), "{name}: {attribute}={id}");
                }
            }
        }
        for link in select(html, "a[href^='#']") {
            let id = &link.attr("href").unwrap_or_default()[1..];
            assert!(known.contains(id), "{name}: #{id}");
        }
        for shape in select(html, "use") {
            let icon = shape.attr("href").unwrap_or_default().split('#').nth(1).unwrap_or_default();
            assert!(icons.contains(&format!("id=\"{icon}\"")), "{name}: icon {icon}");
        }
    });
}

#[test]
fn every_field_has_a_label_and_every_control_a_name() {
    every(|name, html| {
        for field in select(html, "input:not([type=hidden]), select, textarea") {
            let labelled = field
                .attr("id")
                .is_some_and(|id| !select(html, &format!("label[for='{id}']")).is_empty());
            let wrapped = field
                .ancestors()
                .filter_map(ElementRef::wrap)
                .any(|parent| parent.value().name() == "label");
            assert!(labelled || wrapped, "{name}: {}", field.html());
        }
        for control in select(html, "button, a") {
            let text: String = control.text().collect();
            assert!(
                !text.trim().is_empty() || control.attr("aria-label").is_some(),
                "{name}: {}",
                control.html()
            );
        }
    });
}

#[test]
fn every_form_that_changes_something_carries_the_token() {
    every(|name, html| {
        for form in select(html, "form") {
            let tokens = within(form, "input[type=hidden][name=csrf]").len();
            let post = form.attr("method") == Some("post");
            assert_eq!(tokens, usize::from(post), "{name}: {}", form.html());
        }
    });
}

/// Otherwise an update would take away what somebody is typing, or the focus.
#[test]
fn a_live_region_has_an_address_and_no_field() {
    let mut regions = 0;
    for (name, html) in all() {
        let html = Html::parse_document(&html);
        for region in select(&html, "[data-live]") {
            regions += 1;
            assert!(region.attr("id").is_some(), "{name}");
            let source = region.attr("data-src").unwrap_or_default();
            assert!(
                source.starts_with("/dashboard") && source.contains("?part="),
                "{name}: {source}"
            );
            let fields = within(
                region,
                "input:not([type=hidden]), textarea, select, [contenteditable], [data-live]",
            );
            assert!(fields.is_empty(), "{name}: {}", fields[0].html());
            for control in within(region, "button, a, summary") {
                assert!(control.attr("id").is_some(), "{name}: {}", control.html());
            }
            assert!(within(region, "[data-say]").len() <= 1, "{name}");
        }
    }
    assert!(regions > 10);
}

#[test]
fn a_region_renders_alone_as_it_does_in_its_page() {
    for (name, page) in MetricsPage::sample() {
        let (whole, part) = (page.render().unwrap(), page.as_figures().render().unwrap());
        assert!(part.trim_start().starts_with("<div id=\"figures\""), "{name}");
        assert!(whole.contains(part.trim()), "{name}");
    }
    for (name, page) in DeploymentPage::sample() {
        let (whole, part) = (page.render().unwrap(), page.as_state().render().unwrap());
        assert!(part.trim_start().starts_with("<div id=\"state\""), "{name}");
        assert!(whole.contains(part.trim()), "{name}");
    }
    for (name, page) in ProjectPage::sample() {
        let whole = page.render().unwrap();
        for part in [page.as_tile().render().unwrap(), page.as_list().render().unwrap()] {
            assert!(whole.contains(part.trim()), "{name}");
        }
    }
    for (name, page) in VariablesPage::sample() {
        let (whole, part) = (page.render().unwrap(), page.as_pending().render().unwrap());
        assert!(whole.contains(part.trim()), "{name}");
    }
    for (name, page) in DomainsPage::sample() {
        let (whole, part) = (page.render().unwrap(), page.as_list().render().unwrap());
        assert!(whole.contains(part.trim()), "{name}");
    }
    for (_, page) in ProjectsPage::sample() {
        let whole = page.render().unwrap();
        for card in &page.cards {
            assert!(whole.contains(card.render().unwrap().trim()));
        }
    }
}

#[test]
fn times_carry_their_moment_and_states_their_icon() {
    every(|name, html| {
        for time in select(html, "time") {
            let moment = time.attr("datetime").unwrap_or_default();
            assert!(moment.ends_with('Z'), "{name}: {}", time.html());
        }
        for tag in select(html, ".tag") {
            assert_eq!(within(tag, "svg").len(), 1, "{name}: {}", tag.html());
        }
    });
    let words: HashSet<_> = view::status::Status::ALL.iter().map(|status| status.word()).collect();
    assert_eq!(words.len(), view::status::Status::ALL.len(), "one word, one state");
}

#[test]
fn secrets_do_not_stay_in_a_page() {
    every(|name, html| {
        for password in select(html, "input[type=password]") {
            assert!(password.attr("value").is_none(), "{name}");
        }
        let text = html.html();
        let shows_key = text.contains("orbu_0123456789");
        assert_eq!(shows_key, name == "keys-created", "{name}");
    });
}

/// `|safe` stands in one place, where the text comes from our own converter; colours stand in the style sheet only.
#[test]
fn templates_escape_everything_and_name_no_colour() {
    fn files(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                files(&path, found);
            } else {
                found.push(path);
            }
        }
    }
    let mut all = Vec::new();
    files(Path::new("templates"), &mut all);
    for path in all {
        let text = std::fs::read_to_string(&path).unwrap();
        let may = path.ends_with("parts/log_rows.html") || path.starts_with("templates/proxy");
        assert!(may || !text.contains("safe"), "{}", path.display());
        assert!(
            path.starts_with("templates/proxy")
                || !text.contains("=\"#0") && !text.contains("color:"),
            "{}",
            path.display()
        );
    }
}

fn gz(bytes: &[u8]) -> usize {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap().len()
}

#[test]
fn a_first_load_stays_small() {
    let size = |name: &str| gz(&std::fs::read(Path::new("static").join(name)).unwrap());
    let styles = size("app.css");
    let scripts: usize =
        ["app.js", "live.js", "forms.js", "time.js", "log.js", "chart.js"].map(size).iter().sum();
    assert!(styles <= 8_000, "style sheet: {styles} bytes");
    assert!(scripts <= 10_000, "scripts: {scripts} bytes");
    for (name, html) in all() {
        let page = gz(html.as_bytes());
        let first = page + styles + scripts + size("icons.svg") + size("favicon.svg");
        // The most variables a project can have, on one page.
        let most = usize::from(name == "variables-many");
        assert!(page <= 8_000 + most * 12_000, "{name}: {page} bytes");
        assert!(first <= 30_000, "{name}: {first} bytes");
        assert!(
            most == 1 || html.len() <= 60_000 || name.starts_with("docs"),
            "{name}: {} bytes",
            html.len()
        );
        let html = Html::parse_document(&html);
        let elements = select(&html, "*").len() - select(&html, ".log *").len();
        assert!(elements <= 1_500 + most * 6_500, "{name}: {elements} elements");
    }
}

/// Writes the samples where a web server can show them: `ORBITRA_SAMPLES=/tmp/samples cargo test samples -- --ignored`.
#[test]
#[ignore = "for looking at the pages"]
fn write_samples() {
    let folder = std::env::var("ORBITRA_SAMPLES").expect("ORBITRA_SAMPLES is a folder");
    let folder = Path::new(&folder);
    let files = folder.join("assets").join(assets::build());
    std::fs::create_dir_all(&files).unwrap();
    for file in std::fs::read_dir("static").unwrap() {
        let file = file.unwrap();
        std::fs::copy(file.path(), files.join(file.file_name())).unwrap();
    }
    for (name, html) in all() {
        std::fs::write(folder.join(name).with_extension("html"), html).unwrap();
    }
}
