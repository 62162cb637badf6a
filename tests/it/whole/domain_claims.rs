//! Two teams say that a host name is theirs, and a real name server says whose it is.

use std::time::{SystemTime, UNIX_EPOCH};

use orbitra::app::users::NewUser;
use orbitra::model::user::Plan;
use serde_json::{Value, json};

use super::Whole;
use crate::support::api_client::{Api, text};
use crate::support::bind::{Bind, ZONE};
use crate::support::orbitra::free_port;
use crate::support::until::until;

const HOST: &str = "www.example.org";
const CHALLENGE: &str = "_orbitra-challenge.www.example.org";
/// Where every name of the zone leads.
const ZONES_OWN: &str = "127.0.0.1";
const ELSEWHERE: &str = "203.0.113.10";

/// An Orbitra at an address, and three teams with a project each.
struct Scene {
    whole: Whole,
    bind: Bind,
    teams: Vec<(Api, String)>,
}

impl Scene {
    /// `number` keeps the ports of tests that run at the same time apart.
    async fn start(number: u32, address: &'static str) -> Self {
        let bind = Bind::start(
            free_port(std::process::id() * 5 + 4_000 + number * 300),
            "www A 127.0.0.1\n",
        )
        .await;
        let server: &'static str = Box::leak(bind.address.to_string().into_boxed_str());
        let settings = [("ORBITRA_DNS_SERVERS", server), ("ORBITRA_PUBLIC_ADDRESSES", address)];
        let whole = Whole::start_with(&settings).await;
        let mut teams = Vec::new();
        for name in ["first", "second", "third"] {
            let email = format!("{name}@example.com");
            let user = NewUser {
                email: email.clone(),
                name: name.to_owned(),
                plan: Plan::Enterprise,
                instance_admin: false,
                password: None,
            };
            whole.app().create_user(user).await.unwrap();
            let full = ["full".to_owned()];
            let (_, key) = whole.app().create_key_for(&email, "tests", &full).await.unwrap();
            let api = Api { port: whole.api.port, key };
            let project = api.project(name, json!({})).await;
            teams.push((api, project));
        }
        Self { whole, bind, teams }
    }

    async fn add(&self, team: usize, host: &str) -> (u16, Value) {
        let (api, project) = &self.teams[team];
        let path = format!("/projects/{project}/domains");
        api.call("POST", &path, Some(json!({"hostname": host}))).await
    }

    /// The record that would show that the host name is a team's.
    async fn wanted(&self, team: usize, host: &str) -> (String, String) {
        let (status, refused) = self.add(team, host).await;
        let details = &refused["error"]["details"];
        assert_eq!((status, &details["reason"]), (409, &json!("hostname_taken")), "{refused}");
        let record = &details["required"][0];
        assert_eq!(record["type"], "TXT", "{refused}");
        assert!(refused["error"]["message"].as_str().unwrap().contains("_orbitra-challenge."));
        (text(record, "name"), text(record, "value"))
    }

    async fn set(&self, name: &str, value: &str) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        self.bind.updates().add(ZONE, name, value, now).await.unwrap();
    }

    /// Asks until a team's domain stands there.
    async fn stands(&self, team: usize, id: &str, status: &str) -> Value {
        let (api, _) = &self.teams[team];
        until(status, async || {
            api.call("POST", &format!("/domains/{id}/verify"), Some(json!({}))).await;
            let shown = api.get(&format!("/domains/{id}")).await;
            (shown["status"] == status && !shown["dns"]["checked_at"].is_null()).then_some(shown)
        })
        .await
    }
}

fn kinds(shown: &Value) -> Vec<&str> {
    let required = shown["dns"]["required"].as_array().unwrap().iter();
    required.map(|record| record["type"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn who_can_change_the_zone_gets_what_nobody_has_shown_to_be_his() {
    let scene = Scene::start(0, ELSEWHERE).await;
    let (status, made) = scene.add(0, HOST).await;
    assert_eq!((status, kinds(&made)), (201, vec!["A"]), "{made}");
    let id = text(&made, "id");
    let (name, value) = scene.wanted(1, HOST).await;
    assert_eq!(name, CHALLENGE);
    // It is for this project and this name alone, and the same again.
    assert_eq!(scene.wanted(1, HOST).await.1, value);
    assert_ne!(scene.wanted(2, HOST).await.1, value);
    // Who has it is shown what is in question.
    let shown = scene.teams[0].0.get(&format!("/domains/{id}")).await;
    assert_eq!(kinds(&shown), ["A", "TXT"], "{shown}");
    assert_ne!(shown["dns"]["required"][1]["value"], value);
    scene.set(CHALLENGE, &value).await;
    // Another team has no use for the record.
    scene.wanted(2, HOST).await;
    let (status, taken) = scene.add(1, HOST).await;
    assert_eq!((status, &taken["hostname"]), (201, &json!(HOST)), "{taken}");
    assert_eq!(scene.teams[0].0.call("GET", &format!("/domains/{id}"), None).await.0, 404);
    let events = scene.teams[0].0.get("/events?event=domain.deleted").await;
    assert_eq!(events["data"][0]["data"]["domain_id"], id.as_str(), "{events}");
    assert!(!events.to_string().contains("second"), "nobody is told who has it now");
    // Both audit logs have it, in the words of each team.
    let log = scene.teams[0].0.get(&format!("/audit-log?target_id={id}")).await;
    let lost =
        &log["data"].as_array().unwrap().iter().find(|one| one["action"] == "domain.deleted");
    let lost = lost.unwrap_or_else(|| panic!("{log}"));
    assert_eq!(lost["actor"], json!({"type": "system", "id": "dns", "name": "Orbitra"}));
    assert_eq!(lost["target"]["name"], HOST);
    assert_eq!(lost["changes"]["shown_by_others"], json!({"from": false, "to": true}));
    assert!(!log.to_string().contains("second"), "{log}");
    let own = text(&taken, "id");
    let log = scene.teams[1].0.get(&format!("/audit-log?target_id={own}")).await;
    assert_eq!(log["data"][0]["action"], "domain.created", "{log}");
    assert_eq!(log["data"][0]["changes"]["taken_from"]["to"], json!([HOST]));
    assert!(!log.to_string().contains("first"), "{log}");
    // The one who had it cannot have it back while the record is there, not even with his own beside it.
    let (status, refused) = scene.add(0, HOST).await;
    assert_eq!(
        (status, &refused["error"]["details"]["required"]),
        (409, &Value::Null),
        "{refused}"
    );
}

#[tokio::test]
async fn what_leads_here_stays_whoever_can_change_the_zone() {
    let scene = Scene::start(1, ZONES_OWN).await;
    let (_, made) = scene.add(0, HOST).await;
    let id = text(&made, "id");
    scene.stands(0, &id, "active").await;
    for (team, host) in [(1, HOST), (1, "*.example.org")] {
        let (status, refused) = scene.add(team, host).await;
        assert_eq!(status, 409, "{refused}");
        assert_eq!(refused["error"]["details"]["required"], Value::Null, "{refused}");
    }
    let shown = scene.teams[0].0.get(&format!("/domains/{id}")).await;
    assert_eq!((kinds(&shown), &shown["status"]), (vec!["A"], &json!("active")));
    // Nothing is asked for of somebody who has it himself.
    let (status, refused) = scene.add(0, HOST).await;
    assert_eq!((status, &refused["error"]["details"]["required"]), (409, &Value::Null));
}

#[tokio::test]
async fn what_is_in_question_is_not_served_before_its_records_show_whose_it_is() {
    let mut scene = Scene::start(2, ELSEWHERE).await;
    let (_, made) = scene.add(0, HOST).await;
    let id = text(&made, "id");
    scene.stands(0, &id, "misconfigured").await;
    scene.wanted(1, HOST).await;
    // The same server where the name leads to it.
    scene.whole.stop().await;
    scene.whole.more.retain(|(name, _)| *name != "ORBITRA_PUBLIC_ADDRESSES");
    scene.whole.more.push(("ORBITRA_PUBLIC_ADDRESSES", ZONES_OWN));
    scene.whole.run().await;
    for (api, _) in &mut scene.teams {
        api.port = scene.whole.api.port;
    }
    let shown = scene.stands(0, &id, "pending").await;
    assert_eq!(kinds(&shown), ["A", "TXT"]);
    let found = shown["dns"]["found"].as_array().unwrap();
    assert_eq!(found[0]["value"], ZONES_OWN, "it leads here, and that is not enough");
    let value = shown["dns"]["required"][1]["value"].as_str().unwrap();
    scene.set(CHALLENGE, value).await;
    let shown = scene.stands(0, &id, "active").await;
    assert_eq!(kinds(&shown), ["A"]);
}

#[tokio::test]
async fn of_two_who_can_both_show_it_one_gets_it() {
    let scene = Scene::start(3, ELSEWHERE).await;
    scene.add(0, HOST).await;
    scene.add(0, "*.apps.example.org").await;
    for (held, host) in [(HOST, HOST), ("*.apps.example.org", "a.apps.example.org")] {
        for team in [1, 2] {
            let (name, value) = scene.wanted(team, host).await;
            assert!(name.ends_with(host));
            scene.set(&name, &value).await;
        }
        let (one, other) = tokio::join!(scene.add(1, host), scene.add(2, host));
        let mut statuses = [one.0, other.0];
        statuses.sort_unstable();
        assert_eq!(statuses, [201, 409], "{held}: {one:?} {other:?}");
        let list = scene.whole.events().into_iter();
        let gone = list.filter(|(name, data)| name == "domain.deleted" && data["hostname"] == held);
        assert_eq!(gone.count(), 1, "{held}");
    }
}
