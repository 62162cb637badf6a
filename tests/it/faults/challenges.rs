//! Records of the DNS that a process was about to remove when it was killed, in the zone of a real name server.

use super::{POINTS, Place};
use crate::support::bind::{Bind, KEY, SECRET, ZONE};
use crate::support::orbitra::free_port;
use crate::support::pebble::Place as Authority;
use crate::support::until::until;

const BASE: &str = "apps.example.org";
const NAME: &str = "_acme-challenge.apps.example.org";

#[tokio::test]
async fn a_process_that_is_killed_leaves_no_record_behind() {
    let port = |offset: u32| free_port(std::process::id() * 5 + 6_000 + offset);
    let bind = Bind::start(port(0), "").await;
    let authority = Authority::new(port(100));
    let (server, directory) = (bind.address.to_string(), authority.url());
    let root = authority.root().to_str().unwrap().to_owned();
    let settings = [
        ("ORBITRA_LISTEN_TLS", "127.0.0.1:0"),
        ("ORBITRA_BASE_DOMAIN", BASE),
        ("ORBITRA_DASHBOARD_HOST", "127.0.0.1"),
        ("ORBITRA_PUBLIC_ADDRESSES", "127.0.0.1"),
        ("ORBITRA_DNS_SERVERS", server.as_str()),
        ("ORBITRA_ACME_DIRECTORY", directory.as_str()),
        ("ORBITRA_ACME_CA", root.as_str()),
        ("ORBITRA_ACME_DNS", "rfc2136"),
        ("ORBITRA_ACME_DNS_SERVER", server.as_str()),
        ("ORBITRA_ACME_DNS_USER", KEY),
        ("ORBITRA_ACME_DNS_SECRET", SECRET),
    ];
    // Without an address for the authority nothing is ordered yet.
    let mut place = Place::start_with(&settings).await;
    let authority = authority.start(port(200), port(250), bind.address, 0).await;
    let email = ("ORBITRA_ACME_EMAIL", "admin@example.org");
    let written = |place: &Place| -> i64 {
        let count = "SELECT count(*) FROM challenge_records";
        place.orbitra.database().query_row(count, [], |row| row.get(0)).unwrap()
    };
    for (point, left) in [("challenge.set=kill", 1), ("challenge.intended=kill", 0)] {
        place.orbitra.kill9();
        place.orbitra.launch(&[email, (POINTS, point)]);
        place.orbitra.killed().await;
        assert_eq!(bind.lookup().texts(NAME).await.unwrap().len(), left, "{point}");
        assert!(written(&place) > 0, "{point}");
        if left > 0 {
            // The next process dies as well before it has ordered anything: it has tidied up by then.
            place.orbitra.launch(&[email, (POINTS, "challenge.intended=kill")]);
            place.orbitra.killed().await;
            assert_eq!(bind.lookup().texts(NAME).await.unwrap(), Vec::<String>::new());
        }
        place.orbitra.launch(&[]);
        until("it answers", async || {
            let answer = crate::support::api_client::try_visit(
                place.orbitra.port,
                "127.0.0.1",
                "/api/v1/health",
            );
            answer.await.ok().filter(|answer| answer.status == 200)
        })
        .await;
    }
    // And one that is left alone gets its certificate and leaves nothing.
    place.orbitra.kill9();
    place.orbitra.restart_with(&[email]).await;
    until("nothing is left", async || {
        let certificates: i64 = place
            .orbitra
            .database()
            .query_row("SELECT count(*) FROM certificates", [], |row| row.get(0))
            .unwrap();
        let zone = bind.lookup().texts(NAME).await.ok()?;
        (certificates == 1 && zone.is_empty() && written(&place) == 0).then_some(())
    })
    .await;
    assert_eq!(bind.lookup().zone(NAME).await.unwrap(), ZONE);
    drop(authority);
}
