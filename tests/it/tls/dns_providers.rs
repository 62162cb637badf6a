//! The providers of the DNS, each played by a server that takes requests in its documented form only, and does to a real
//! zone what they say.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use http::{HeaderMap, Method, StatusCode, Uri};
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use orbitra::clock::Clock;
use orbitra::config::acme::{AcmeDns, DnsProvider};
use orbitra::db::{self, Db, DbError};
use orbitra::egress::{Client, Policy};
use orbitra::model::timestamp::Timestamp;
use orbitra::tls::dns::Records;
use serde_json::{Value, json};

use crate::support::bind::{Bind, ZONE};
use crate::support::orbitra::free_port;

const NAME: &str = "_acme-challenge.apps.example.org";
const RELATIVE: &str = "_acme-challenge.apps";
const TOKEN: &str = "canary-of-the-token";

/// What a provider is asked for, as its documentation has it; answers status and body.
#[derive(Clone)]
struct Played {
    provider: DnsProvider,
    bind: Arc<Bind>,
    /// Records by id.
    records: Arc<Mutex<HashMap<String, String>>>,
    refuses: bool,
}

impl Played {
    async fn add(&self, text: &str) -> String {
        self.bind.updates().add(ZONE, NAME, text, now()).await.unwrap();
        let mut records = self.records.lock().unwrap();
        let id = format!("r{}", records.len() + 1);
        records.insert(id.clone(), text.to_owned());
        id
    }

    /// All records as a provider lists them.
    fn all(&self, text: &str, quoted: bool) -> Vec<Value> {
        let records = self.records.lock().unwrap();
        let shown = |value: &String| if quoted { format!("\"{value}\"") } else { value.clone() };
        records.iter().map(|(id, value)| json!({"id": id, text: shown(value)})).collect()
    }

    async fn remove(&self, id: &str) {
        let text = self.records.lock().unwrap().remove(id).unwrap();
        self.bind.updates().remove(ZONE, NAME, &text, now()).await.unwrap();
    }

    async fn remove_text(&self, text: &str) {
        let id = {
            let records = self.records.lock().unwrap();
            records.iter().find(|(_, known)| *known == text).unwrap().0.clone()
        };
        self.remove(&id).await;
    }

    async fn answer(
        &self,
        method: Method,
        uri: Uri,
        headers: HeaderMap,
        body: Bytes,
    ) -> (StatusCode, String) {
        let sent = headers["authorization"].to_str().unwrap();
        if self.refuses {
            return (StatusCode::FORBIDDEN, json!({"message": "no\nsuch token"}).to_string());
        }
        let json: Value = serde_json::from_slice(&body).unwrap_or(Value::Null);
        let path = uri.path_and_query().unwrap().as_str().to_owned();
        let call = format!("{method} {path}");
        let bearer = || assert_eq!(sent, format!("Bearer {TOKEN}"));
        let answer = match self.provider {
            DnsProvider::Cloudflare => {
                bearer();
                let listed = "GET /zones/z1/dns_records?type=TXT&name=%5Facme%2Dchallenge%2Eapps%2Eexample%2Eorg&per_page=100";
                match call.as_str() {
                    listing if listing == listed => json!({"result": self.all("content", true)}),
                    "GET /zones?name=example%2Eorg" => {
                        json!({"success": true, "result": [{"id": "z1", "name": ZONE}]})
                    }
                    "POST /zones/z1/dns_records" => {
                        let expected = (&json!("TXT"), &json!(NAME));
                        assert_eq!((&json["type"], &json["name"]), expected);
                        let id = self.add(json["content"].as_str().unwrap()).await;
                        json!({"success": true, "result": {"id": id}})
                    }
                    other => {
                        self.remove(other.strip_prefix("DELETE /zones/z1/dns_records/").unwrap())
                            .await;
                        json!({"result": {"id": "r1"}})
                    }
                }
            }
            DnsProvider::DigitalOcean => {
                bearer();
                let listed = "GET /domains/example%2Eorg/records?type=TXT&name=%5Facme%2Dchallenge%2Eapps%2Eexample%2Eorg&per_page=200";
                match call.as_str() {
                    listing if listing == listed => {
                        json!({"domain_records": self.all("data", false)})
                    }
                    "POST /domains/example%2Eorg/records" => {
                        assert_eq!(
                            (&json["type"], &json["name"]),
                            (&json!("TXT"), &json!(RELATIVE))
                        );
                        let id = self.add(json["data"].as_str().unwrap()).await;
                        json!({"domain_record": {"id": id, "type": "TXT"}})
                    }
                    other => {
                        let id =
                            other.strip_prefix("DELETE /domains/example%2Eorg/records/").unwrap();
                        self.remove(id).await;
                        return (StatusCode::NO_CONTENT, String::new());
                    }
                }
            }
            DnsProvider::Hetzner => {
                bearer();
                let set = "/zones/example%2Eorg/rrsets/%5Facme%2Dchallenge%2Eapps/TXT/actions/";
                let verb = call.strip_prefix(&format!("POST {set}")).unwrap();
                let value = json["records"][0]["value"].as_str().unwrap();
                let text = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap();
                match verb {
                    "add_records" => self.add(text).await,
                    "remove_records" => {
                        self.remove_text(text).await;
                        String::new()
                    }
                    other => panic!("{other}"),
                };
                json!({"action": {"id": 1, "status": "running"}})
            }
            DnsProvider::Webhook => {
                assert_eq!(sent, "Basic b3BlcmF0b3I6Y2FuYXJ5LW9mLXRoZS10b2tlbg==");
                assert_eq!(json["fqdn"], format!("{NAME}."));
                let text = json["value"].as_str().unwrap();
                match call.as_str() {
                    "POST /present" => {
                        self.add(text).await;
                    }
                    "POST /cleanup" => self.remove_text(text).await,
                    other => panic!("{other}"),
                }
                return (StatusCode::OK, "done".to_owned());
            }
            DnsProvider::Route53 => {
                assert!(sent.starts_with("AWS4-HMAC-SHA256 Credential=operator/"), "{sent}");
                assert!(!sent.contains(TOKEN) && headers.contains_key("x-amz-date"));
                if call == "GET /2013-04-01/hostedzonesbyname?dnsname=example.org&maxitems=10" {
                    let zones = "<?xml version=\"1.0\"?>\
                        <ListHostedZonesByNameResponse xmlns=\"https://route53.amazonaws.com/doc/2013-04-01/\"><HostedZones>\
                        <HostedZone><Id>/hostedzone/ZPRIVATE</Id><Name>example.org.</Name>\
                        <Config><PrivateZone>true</PrivateZone></Config></HostedZone>\
                        <HostedZone><Id>/hostedzone/Z1</Id><Name>example.org.</Name>\
                        <Config><PrivateZone>false</PrivateZone></Config></HostedZone>\
                        </HostedZones></ListHostedZonesByNameResponse>";
                    return (StatusCode::OK, zones.to_owned());
                }
                assert_eq!(call, "POST /2013-04-01/hostedzone/Z1/rrset");
                let text = std::str::from_utf8(&body).unwrap();
                let document = roxmltree::Document::parse(text).unwrap();
                let of = |tag: &str| {
                    let node = document.descendants().find(|node| node.tag_name().name() == tag);
                    node.unwrap().text().unwrap().to_owned()
                };
                assert_eq!((of("Name"), of("Type")), (format!("{NAME}."), "TXT".to_owned()));
                let value = of("Value").trim_matches('"').to_owned();
                match of("Action").as_str() {
                    "UPSERT" => {
                        self.add(&value).await;
                    }
                    "DELETE" => self.remove_text(&value).await,
                    other => panic!("{other}"),
                }
                return (StatusCode::OK, "<ChangeResourceRecordSetsResponse/>".to_owned());
            }
            DnsProvider::Rfc2136 => unreachable!("it speaks no HTTP"),
        };
        (StatusCode::OK, answer.to_string())
    }
}

fn now() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs()
}

async fn records(db: Db, played: Played) -> Records {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = format!("http://{}", listener.local_addr().unwrap());
    let (provider, lookup) = (played.provider, played.bind.lookup());
    let answer = async |State(played): State<Played>, method, uri, headers, body| {
        played.answer(method, uri, headers, body).await
    };
    let router = Router::new().fallback(answer).with_state(played);
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let service = TowerToHyperService::new(router.clone());
            let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
            tokio::spawn(connection);
        }
    });
    let settings = AcmeDns {
        provider,
        server: Some(server),
        user: Some("operator".to_owned()),
        secret: Some(TOKEN.to_owned()),
    };
    let client = Client::new(Policy::parse(&["127.0.0.1"], true).unwrap()).unwrap();
    Records::new(db, &settings, client, lookup, true, Clock::System).unwrap()
}

/// Records that are written down.
async fn written_down(db: &Db) -> usize {
    let all = db.read(|c| db::challenge_records::due(c, Timestamp(i64::MAX), 100)).await;
    all.unwrap().len()
}

#[tokio::test]
async fn each_sets_a_record_and_removes_it() {
    let bind = Arc::new(Bind::start(free_port(std::process::id() * 5 + 2_300), "").await);
    let directory = tempfile::tempdir().unwrap();
    let db = Db::open(&directory.path().join("orbitra.db")).unwrap();
    for provider in [
        DnsProvider::Cloudflare,
        DnsProvider::DigitalOcean,
        DnsProvider::Hetzner,
        DnsProvider::Route53,
        DnsProvider::Webhook,
    ] {
        let played =
            Played { provider, bind: Arc::clone(&bind), records: Arc::default(), refuses: false };
        let records = records(db.clone(), played.clone()).await;
        let text = format!("text-for-{provider:?}");
        let record = records.set("*.apps.example.org", &text).await.unwrap();
        assert_eq!(bind.lookup().texts(NAME).await.unwrap(), [text], "{provider:?}");
        assert!(records.remove(&record).await);
        assert!(bind.lookup().texts(NAME).await.unwrap().is_empty(), "{provider:?}");
        assert_eq!(written_down(&db).await, 0);
        // One that a process before this one has set, and of which it has not heard what it is called.
        let text = format!("left-by-{provider:?}");
        played.add(&text).await;
        let write = db.write(move |c| {
            db::challenge_records::intend(c, "apps.example.org", ZONE, NAME, &text, Timestamp(1))
        });
        write.await.unwrap();
        records.remove_left().await;
        assert!(bind.lookup().texts(NAME).await.unwrap().is_empty(), "{provider:?}");
        assert_eq!(written_down(&db).await, 0, "{provider:?}");
        // The provider's own words are told, in one line, and never the token.
        let refuses = Played { refuses: true, ..played };
        let records = self::records(db.clone(), refuses).await;
        let error = records.set("apps.example.org", "x").await.unwrap_err().to_string();
        assert!(error.contains("403 Forbidden") && error.contains("such token"), "{error}");
        assert!(!error.contains(TOKEN) && !error.contains('\n'), "{error}");
        // Nobody knows whether it was set: it is looked after, and given up when it is nowhere to be seen.
        assert_eq!(written_down(&db).await, 1);
        let old = db.write(|c| -> Result<(), DbError> {
            c.execute("UPDATE challenge_records SET created_at = 1", [])?;
            Ok(())
        });
        old.await.unwrap();
        records.remove_left().await;
        assert_eq!(written_down(&db).await, 0);
    }
}
