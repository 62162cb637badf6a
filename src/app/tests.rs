//! What cannot be seen through the front door.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::users::NewUser;
use super::{App, AppError, Parts};
use crate::clock::Clock;
use crate::config::{Config, Flags};
use crate::crypto::secret_box::SecretBox;
use crate::db::Db;
use crate::egress::Policy;
use crate::events::Bus;
use crate::git::libgit::Limits;
use crate::git::pushed::Repositories;
use crate::logs::{LogStore, Retention};
use crate::model::actor::Origin;
use crate::model::timestamp::Timestamp;
use crate::model::user::Plan;
use crate::task::Signal;

fn app() -> (App, tempfile::TempDir) {
    let data = tempfile::tempdir().expect("a directory");
    let flags = Flags { data: Some(data.path().to_owned()), listen: None };
    let config = Config::load(&flags, |_| None).expect("the defaults");
    let app = App::new(Parts {
        engine: Default::default(),
        db: Db::open(&data.path().join("orbitra.db")).expect("a database"),
        clock: Clock::manual(Timestamp(0)),
        secrets: Arc::new(SecretBox::new(&[7; 32])),
        bus: Bus::default(),
        logs: LogStore::open(data.path().join("logs"), Retention::default()).expect("logs"),
        hosts: config.hosts.clone(),
        config,
        egress: Policy::parse::<&str>(&[], false).expect("a policy"),
        repositories: Arc::new(Repositories::new(data.path().join("git"), Limits::default())),
        pipeline: Signal::default(),
        routes: Signal::default(),
        domains: Signal::default(),
        orders: Signal::default(),
        certificates: Signal::default(),
        stapling: Signal::default(),
        figures: Signal::default(),
        sweep: Signal::default(),
        measured: Default::default(),
        traffic: std::sync::OnceLock::new(),
        stopping: tokio_util::sync::CancellationToken::default(),
    });
    (app, data)
}

#[tokio::test]
async fn an_account_that_is_not_there_costs_a_hash_as_well() {
    let (app, _data) = app();
    for (email, password) in
        [("with@example.com", Some("correct horse battery")), ("without@example.com", None)]
    {
        let new = NewUser {
            email: email.to_owned(),
            name: "Ada".to_owned(),
            plan: Plan::Free,
            instance_admin: false,
            password: password.map(str::to_owned),
        };
        app.create_user(new).await.expect("an account");
    }
    for (done, email) in
        ["with@example.com", "without@example.com", "nobody@example.com", ""].iter().enumerate()
    {
        let refused = app.log_in(email, "wrong password", Origin::default()).await;
        assert!(matches!(refused, Err(AppError::Unauthorized { .. })), "{email}");
        assert_eq!(app.memory().checked.load(Ordering::Relaxed), done as u64 + 1, "{email}");
    }
}
