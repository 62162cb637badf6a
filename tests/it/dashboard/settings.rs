//! The settings of a project.

use super::site::Site;

const PAGE: &str = "/dashboard/projects/web/settings";

#[tokio::test]
async fn every_part_of_the_settings_is_saved_by_itself() {
    let site = Site::plain();
    let mut ada = site.ada().await;
    ada.project("web").await;
    for (section, fields) in [
        ("general", &[("name", "web"), ("description", "Shop <b>")][..]),
        (
            "source",
            &[
                ("git_url", "https://github.com/acme/shop.git"),
                ("branch", ""),
                ("root_dir", "apps/web"),
            ],
        ),
        (
            "build",
            &[
                ("builder", "dockerfile"),
                ("dockerfile", "deploy/Dockerfile"),
                ("install_command", "npm ci"),
                ("build_command", ""),
                ("start_command", "npm start"),
                ("output_dir", ""),
                ("timeout_seconds", "600"),
            ],
        ),
        (
            "run",
            &[("port", "8080"), ("protocol", "h2c"), ("memory_mb", "256"), ("cpu_millis", "500")],
        ),
        (
            "health",
            &[
                ("health_path", "/up"),
                ("health_expect", "200"),
                ("health_timeout", "3"),
                ("health_grace", "30"),
            ],
        ),
        (
            "release",
            &[
                ("strategy", "single"),
                ("drain_seconds", "120"),
                ("stop_seconds", "20"),
                ("watch_seconds", "0"),
            ],
        ),
        (
            "pushes",
            &[("auto_deploy", "false"), ("preview_deployments", "true"), ("fork_previews", "true")],
        ),
        ("sleep", &[("sleep_live", "true"), ("sleep_crawlers", "true")]),
    ] {
        let page = ada.get(PAGE).await;
        let action = format!("{PAGE}/{section}");
        let was = page.attribute(&format!("#{section} input[name=was]"), "value");
        let token = page.token(&action);
        let mut all = vec![("csrf", token.as_str()), ("was", was.as_str())];
        all.extend(fields);
        let saved = ada.post(&action, &all).await;
        assert_eq!(saved.location(), format!("{PAGE}#{section}"), "{}", saved.text("main"));
        let page = ada.get(PAGE).await;
        for (name, value) in fields {
            let choices = [
                "auto_deploy",
                "builder",
                "fork_previews",
                "preview_deployments",
                "protocol",
                "sleep_crawlers",
                "sleep_live",
                "strategy",
            ];
            let chosen = if choices.contains(name) { " option[selected]" } else { "" };
            assert_eq!(page.attribute(&format!("#{name}{chosen}"), "value"), *value, "{name}");
        }
    }
    let page = ada.get(PAGE).await;
    assert_eq!(page.attribute("#builder option[selected]", "value"), "dockerfile");
    assert!(ada.get("/dashboard/projects/web").await.body.contains("acme/shop.git"));
    assert_eq!(site.written("project.updated").await, 8);
}

#[tokio::test]
async fn bad_values_are_said_beside_their_fields_and_nothing_is_saved() {
    let site = Site::plain();
    let mut ada = site.ada().await;
    ada.project("web").await;
    ada.project("other").await;
    for (section, name, value, status, said) in [
        ("general", "name", "other", 409, "taken"),
        ("general", "name", "Web", 422, "How about web?"),
        ("general", "name", "api", 422, "Orbitra uses this name"),
        ("source", "git_url", "file:///etc", 422, "not accepted"),
        ("source", "branch", "--upload-pack=id", 422, "cannot start with -"),
        ("source", "root_dir", "../..", 422, "without `..`"),
        ("build", "dockerfile", "../x", 422, "without `..`"),
        ("build", "timeout_seconds", "soon", 422, "A whole number is needed."),
        ("build", "timeout_seconds", "5", 422, "10"),
        ("run", "port", "70000", 422, "65"),
        ("release", "drain_seconds", "3601", 422, "3"),
        ("release", "drain_seconds", "soon", 422, "A whole number is needed."),
        ("release", "stop_seconds", "0", 422, "1"),
        ("run", "memory_mb", "", 422, "A whole number is needed."),
        ("health", "health_path", "http://evil.test", 422, "Starts with one"),
        ("health", "health_expect", "ok", 422, "A status or a range"),
    ] {
        let page = ada.get(PAGE).await;
        let action = format!("{PAGE}/{section}");
        let mut fields: Vec<(String, String)> = Vec::new();
        for field in page.names(&format!("#{section} :is(input:not([type=password]), select)")) {
            let value = page.value(&format!("#{section} [name={field}]"));
            fields.push((field, value));
        }
        for field in fields.iter_mut().filter(|(field, _)| field == name) {
            value.clone_into(&mut field.1);
        }
        let fields: Vec<_> =
            fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let refused = ada.post(&action, &fields).await;
        assert_eq!(refused.status, status, "{name}={value}: {}", refused.text("main"));
        let text = refused.text(&format!("#{name}-wrong"));
        assert!(text.contains(&said.replace('`', "")), "{name}={value}: {text}");
        assert_eq!(refused.attribute(&format!("#{name}"), "value"), value, "what was typed stays");
    }
    for (section, name, said) in [
        ("release", "strategy", "This value is not known."),
        ("sleep", "sleep_live", "One of the two is needed."),
    ] {
        let page = ada.get(PAGE).await;
        let action = format!("{PAGE}/{section}");
        let names = page.names(&format!("#{section} :is(input:not([type=password]), select)"));
        let values: Vec<_> = names
            .iter()
            .map(|field| match field == name {
                true => "neither".to_owned(),
                false => page.value(&format!("#{section} [name={field}]")),
            })
            .collect();
        let fields = names.iter().map(String::as_str).zip(values.iter().map(String::as_str));
        let fields: Vec<_> = fields.collect();
        let refused = ada.post(&action, &fields).await;
        assert_eq!(refused.status, 422, "{}", refused.text("main"));
        assert_eq!(refused.text(&format!("#{name}-wrong")), said);
    }
    assert_eq!(site.written("project.updated").await, 0);
    let token = ada.get("/dashboard").await.token("/logout");
    assert_eq!(ada.post(&format!("{PAGE}/nothing"), &[("csrf", &token)]).await.status, 404);
}

#[tokio::test]
async fn what_somebody_else_changed_meanwhile_is_not_overwritten() {
    let site = Site::plain();
    let mut ada = site.ada().await;
    let id = ada.project("web").await;
    let action = format!("{PAGE}/general");
    let old = ada.get(PAGE).await;
    let was = old.attribute("#general input[name=was]", "value");
    let first = [("was", was.as_str()), ("name", "web"), ("description", "theirs")];
    assert_eq!(ada.submit(PAGE, &action, &first).await.status, 303);
    let second = [("was", was.as_str()), ("name", "web"), ("description", "mine")];
    let late = ada.submit(PAGE, &action, &second).await;
    assert_eq!(late.status, 409);
    assert!(late.text("#general .box.bad").contains("Somebody else changed this"));
    assert_eq!(late.text("#description-wrong"), "Now stored: theirs");
    assert_eq!(late.attribute("#description", "value"), "mine");
    let now = late.attribute("#general input[name=was]", "value");
    // A deployment that goes live in between is no change of these values.
    site.finish(&id, true).await;
    let third = [("was", now.as_str()), ("name", "shop"), ("description", "mine")];
    let saved = ada.submit(PAGE, &action, &third).await;
    assert_eq!(saved.location(), "/dashboard/projects/shop/settings#general", "{}", saved.body);
    assert_eq!(ada.get(PAGE).await.status, 404);
}
