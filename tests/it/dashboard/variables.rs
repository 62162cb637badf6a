//! Variables of a project, as somebody keeps them on the dashboard.

use http::StatusCode;

use super::browser::{Browser, Page};
use super::site::Site;

const PAGE: &str = "/dashboard/projects/web/variables";
const PASTE: &str = "/dashboard/projects/web/variables/paste";

async fn add(browser: &mut Browser, key: &str, value: &str, more: &[(&str, &str)]) -> Page {
    let mut fields = vec![("key", key), ("value", value)];
    if !more.iter().any(|(name, _)| *name == "target") {
        fields.push(("target", "all"));
    }
    fields.extend(more);
    browser.submit(PAGE, PAGE, &fields).await
}

#[tokio::test]
async fn a_variable_is_made_shown_changed_and_deleted() {
    let site = Site::plain();
    let mut ada = site.ada().await;
    ada.project("web").await;
    assert!(ada.get(PAGE).await.text("main").contains("No variables."));
    let value = "  two words \"quoted\" 'x' $HOME\r\nline 2\r\n";
    let made = add(&mut ada, "SESSION_KEY", value, &[("target", "production")]).await;
    assert_eq!((made.status.as_u16(), made.location()), (303, PAGE));
    let kept = "  two words \"quoted\" 'x' $HOME\nline 2\n";
    assert_eq!(site.values("web").await, [format!("production.SESSION_KEY={kept}")]);
    let list = ada.get(PAGE).await;
    assert_eq!(list.text(".notice"), "SESSION_KEY is saved.");
    assert!(list.text("tbody").contains("SESSION_KEY Production Reveal"));
    assert!(list.text("tbody").contains("Ada Lovelace"));
    assert!(!list.body.contains("two words"), "no value is in the page");

    let one = format!("{PAGE}/production/SESSION_KEY");
    let reveal = format!("{one}/reveal");
    let shown = ada.submit(PAGE, &reveal, &[]).await;
    assert_eq!(shown.status, 200);
    assert!(shown.body.contains("two words &#34;quoted&#34;"), "{}", shown.body);
    assert!(shown.header("cache-control").contains("no-store"));
    assert_eq!(site.written("env.revealed").await, 1);
    assert!(!ada.get(PAGE).await.body.contains("two words"), "covered again");
    let editing = ada.submit(&one, &reveal, &[("to", "edit")]).await;
    assert!(editing.body.contains(">\n  two words"), "a browser drops the first line break");
    assert!(editing.text("#value-hint").contains("It ends with a line break."));
    assert_eq!(site.written("env.revealed").await, 2);

    let empty = ada.submit(&one, &one, &[("value", "")]).await;
    assert_eq!(empty.status, 422);
    assert!(empty.text("#value-wrong").contains("tick the box"));
    let revision = editing.attribute("input[name=revision]", "value");
    let fields = [("value", ""), ("empty", "yes"), ("revision", revision.as_str())];
    assert_eq!(ada.submit(&one, &one, &fields).await.status, 303);
    assert_eq!(site.values("web").await, ["production.SESSION_KEY="]);
    let late = ada.submit(&one, &one, &[("value", "mine"), ("revision", &revision)]).await;
    assert_eq!(late.status, 409);
    assert!(late.text(".box.bad").contains("Somebody else changed this variable"));
    assert_eq!(late.text("textarea"), "mine", "what was typed stays");
    let again = [("value", "mine"), ("revision", &late.attribute("input[name=revision]", "value"))];
    assert_eq!(ada.submit(&one, &one, &again).await.status, 303);

    let deleted = ada.submit(&one, &format!("{one}/delete"), &[]).await;
    assert_eq!(deleted.location(), PAGE);
    assert!(ada.get(PAGE).await.text(".notice").contains("SESSION_KEY is deleted."));
    assert!(site.values("web").await.is_empty());
    assert_eq!(ada.get(&one).await.status, 404);
}

#[tokio::test]
async fn what_is_wrong_stands_beside_its_field_and_nothing_is_saved() {
    let site = Site::plain();
    let mut ada = site.ada().await;
    ada.project("web").await;
    add(&mut ada, "A", "1", &[]).await;
    let large = "x".repeat(32 * 1024 + 1);
    for (key, value, target, status, field, said) in [
        ("2A", "secret-value", "all", 422, "#key-wrong", "does not start with a digit"),
        ("ORBITRA_X", "x", "all", 422, "#key-wrong", "set by Orbitra"),
        ("", "x", "all", 422, "#key-wrong", ""),
        ("B", &large, "all", 422, "#value-wrong", "32 KiB"),
        ("B", "a\0b", "all", 422, "#key-wrong", "NUL"),
        ("B", "x", "nowhere", 422, "#target-wrong", "Choose one"),
        ("A", "2", "all", 409, "#key-wrong", "exists for this target"),
    ] {
        let refused = add(&mut ada, key, value, &[("target", target)]).await;
        assert_eq!(refused.status, status, "{key}");
        let text = refused.text(field);
        assert!(!text.is_empty() && text.contains(said), "{key}: {text}\n{}", refused.text("main"));
        assert_eq!(refused.attribute("#key", "value"), key, "what was typed stays");
    }
    assert_eq!(site.values("web").await, ["all.A=1"]);
    for path in ["nowhere/A", "all/B", "preview/A"] {
        assert_eq!(ada.get(&format!("{PAGE}/{path}")).await.status, 404, "{path}");
    }
}

#[tokio::test]
async fn a_write_only_variable_is_never_shown() {
    let site = Site::plain();
    let mut ada = site.ada().await;
    ada.project("web").await;
    add(&mut ada, "STRIPE", "secret-value", &[("sensitive", "yes")]).await;
    let list = ada.get(PAGE).await;
    assert!(list.text("tbody").contains("write-only"));
    let one = format!("{PAGE}/all/STRIPE");
    let page = ada.get(&one).await;
    assert!(!page.body.contains("Show the present value"));
    let token = page.token(&one);
    let forced = ada.post(&format!("{one}/reveal"), &[("csrf", &token)]).await;
    assert_eq!(forced.status, 403);
    assert!(
        forced.text("main").contains("never shown again") && !forced.body.contains("secret-value")
    );
    assert_eq!(site.written("env.revealed").await, 0);
    // Neither does a preview tell whether a guess was right.
    let guess = [("text", "STRIPE=secret-value"), ("paste_target", "all"), ("step", "preview")];
    let preview = ada.submit(PAGE, PASTE, &guess).await;
    assert!(preview.text("#preview").contains("~ STRIPE"), "{}", preview.text("#preview"));
    let other = add(&mut ada, "OPEN", "x", &[]).await;
    assert_eq!(other.status, 303);
    let open = format!("{PAGE}/all/OPEN");
    let revision = ada.get(&open).await.attribute("input[name=revision]", "value");
    let fields = [("value", "y"), ("sensitive", "yes"), ("revision", revision.as_str())];
    assert_eq!(ada.submit(&open, &open, &fields).await.status, 303);
    assert!(ada.get(&open).await.text("main").contains("Write-only"));
}

#[tokio::test]
async fn a_pasted_file_is_shown_before_it_is_saved() {
    let site = Site::plain();
    let mut ada = site.ada().await;
    ada.project("web").await;
    for (key, value) in [("SAME", "1"), ("OTHER", "1"), ("GONE", "1")] {
        add(&mut ada, key, value, &[]).await;
    }
    add(&mut ada, "GONE", "kept", &[("target", "preview")]).await;
    let before = site.values("web").await;
    let bad = [("text", "A=1\nnonsense\n2B=secret"), ("paste_target", "all"), ("step", "preview")];
    let refused = ada.submit(PAGE, PASTE, &bad).await;
    assert_eq!(refused.status, 422);
    assert_eq!(
        refused.text("#text-wrong"),
        "Line 2: there is no =. Line 3: the name is not valid."
    );
    let nothing = [("text", "# only\n"), ("paste_target", "all"), ("step", "preview")];
    assert_eq!(ada.submit(PAGE, PASTE, &nothing).await.status, 422);
    let unseen = [("text", "A=1"), ("paste_target", "all"), ("step", "save")];
    let unseen = ada.submit(PAGE, PASTE, &unseen).await;
    assert_eq!(unseen.status, 409, "nothing is saved that was not shown");

    let text = "SAME=1\r\nOTHER=\"2\r\nlines\"\r\nexport NEW='it''s'\r\n";
    let text = &text.replace("'it''s'", "'its'");
    let fields =
        [("text", text.as_str()), ("paste_target", "all"), ("replace", "yes"), ("step", "preview")];
    let preview = ada.submit(PAGE, PASTE, &fields).await;
    assert_eq!(preview.status, 200);
    assert_eq!(
        preview.text("#preview"),
        "This would change: + NEW~ OTHER− GONE 1 more is like this already. Save 3 changesSave and redeploy"
    );
    assert_eq!(site.values("web").await, before, "a preview changes nothing");
    let digest = preview.attribute("input[name=digest]", "value");

    // Another text with the same digest is another change.
    let mut other = fields.to_vec();
    other[0] = ("text", "NEW=other");
    other[3] = ("step", "save");
    other.push(("digest", &digest));
    assert_eq!(ada.submit(PAGE, PASTE, &other).await.status, 409);
    // So is the same text after somebody else changed something it touches.
    add(&mut ada, "LATE", "1", &[]).await;
    let mut save = fields.to_vec();
    save[3] = ("step", "save");
    save.push(("digest", &digest));
    let late = ada.submit(PAGE, PASTE, &save).await;
    assert_eq!(late.status, 409);
    assert!(late.text("#preview").contains("− LATE"), "{}", late.text("#preview"));
    let digest = late.attribute("input[name=digest]", "value");
    save[4] = ("digest", &digest);
    let saved = ada.submit(PAGE, PASTE, &save).await;
    assert_eq!((saved.status, saved.location()), (StatusCode::SEE_OTHER, PAGE), "{}", saved.body);
    let notice = ada.get(PAGE).await.text(".notice");
    assert_eq!(notice, "Variables are saved: 1 added, 1 changed, 2 removed.");
    let now = ["all.NEW=its", "all.OTHER=2\nlines", "all.SAME=1", "preview.GONE=kept"];
    assert_eq!(site.values("web").await, now);
    let again = ada.submit(PAGE, PASTE, &fields).await;
    assert!(
        again.text("#preview").contains("Nothing would change. 3 variables are like this already.")
    );
}

#[tokio::test]
async fn a_change_says_that_it_is_not_live_and_can_be_deployed() {
    let site = Site::plain();
    let mut ada = site.ada().await;
    let first = ada.project("web").await;
    site.finish(&first, true).await;
    let pending = format!("{PAGE}?part=pending");
    assert_eq!(ada.get(&pending).await.text("#pending"), "");
    assert_eq!(add(&mut ada, "A", "1", &[]).await.location(), PAGE);
    let notice = ada.get(&pending).await;
    assert!(notice.text("#pending").starts_with("Changes are not live yet."));
    let redeploy = format!("/dashboard/deployments/{first}/redeploy");
    assert!(ada.get("/dashboard/projects/web").await.text("#outdated").contains("Redeploy now"));
    let started = ada.submit(PAGE, &redeploy, &[]).await;
    let second = started.location().rsplit('/').next().unwrap().to_owned();
    let made = site.deployment(&second).await;
    assert_eq!(made.environment_keys, ["A"]);
    assert_eq!(made.source_deployment_id.map(|from| from.to_string()), Some(first));

    // Saving and deploying at once leads to the deployment.
    site.finish(&second, true).await;
    let saved = add(&mut ada, "B", "2", &[("redeploy", "yes")]).await;
    let third = saved.location().strip_prefix("/dashboard/deployments/").unwrap().to_owned();
    assert_eq!(site.deployment(&third).await.environment_keys, ["A", "B"]);
    assert_eq!(ada.get(saved.location()).await.text(".notice"), "B is saved.");

    // While the project is paused nothing can be deployed, and nothing is half done.
    ada.submit("/dashboard/projects/web", "/dashboard/projects/web/pause", &[]).await;
    let paused = add(&mut ada, "C", "3", &[("redeploy", "yes")]).await;
    assert_eq!(paused.status, 409);
    assert!(paused.text(".box.bad").contains("The project is paused."));
    assert_eq!(site.values("web").await, ["all.A=1", "all.B=2"]);
    assert!(ada.get(&pending).await.text("#pending").contains("Resume it to deploy them."));
}

#[tokio::test]
async fn five_hundred_variables_are_one_small_page_that_can_be_filtered() {
    let site = Site::plain();
    let mut ada = site.ada().await;
    ada.project("web").await;
    let text: String = (0..500).map(|number| format!("VARIABLE_{number}=secret-value\n")).collect();
    let fields = [("text", text.as_str()), ("paste_target", "all"), ("step", "preview")];
    let preview = ada.submit(PAGE, PASTE, &fields).await;
    let digest = preview.attribute("input[name=digest]", "value");
    let save = [fields[0], fields[1], ("step", "save"), ("digest", &digest)];
    assert_eq!(ada.submit(PAGE, PASTE, &save).await.status, 303);
    let request = ada.request("GET", PAGE).header("accept-encoding", "gzip");
    let packed = ada.send(request.body(axum::body::Body::empty()).unwrap()).await;
    let size = packed.header("content-length").parse().unwrap_or(packed.body.len());
    assert!(size < 20_000, "{size} bytes");
    let list = ada.get(PAGE).await;
    assert_eq!(list.body.matches("<tr>").count(), 501);
    assert!(!list.body.contains("secret-value"));
    let found = ada.get(&format!("{PAGE}?q=_49&target=all")).await;
    assert_eq!(found.body.matches("<tr>").count(), 12);
    let none = ada.get(&format!("{PAGE}?target=preview")).await;
    assert!(none.text("main").contains("None of the 500 variables fits."));
    let more = ada.submit(PAGE, PAGE, &[("key", "MORE"), ("value", "x"), ("target", "all")]).await;
    assert_eq!(more.status, 422);
    assert!(more.text(".box.bad").contains("500 variables"));
}
