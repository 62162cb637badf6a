//! What was counted is not forgotten when the program ends.

use super::Whole;
use crate::support::api_client::try_visit;
use crate::support::until::until;

async fn asked(whole: &Whole) -> (u16, String) {
    let answer = try_visit(whole.api.port, "127.0.0.1", "/api/v1/users/me").await.unwrap();
    let left = answer.headers["x-ratelimit-remaining"].to_str().unwrap().to_owned();
    (answer.status.as_u16(), left)
}

#[tokio::test]
async fn neither_a_stop_nor_a_power_cut_hands_out_a_fresh_window() {
    let mut whole = Whole::start_with(&[("ORBITRA_RATE_FREE", "3")]).await;
    assert_eq!(asked(&whole).await, (401, "2".to_owned()));
    assert_eq!(asked(&whole).await, (401, "1".to_owned()));
    whole.stop().await;
    whole.run().await;
    assert_eq!(asked(&whole).await, (401, "0".to_owned()));
    let database = rusqlite::Connection::open(whole.data.path().join("orbitra.db")).unwrap();
    until("the count is stored", async || {
        let sql = "SELECT used FROM rate_windows WHERE subject = '127.0.0.1' AND used = 3";
        database.query_row(sql, [], |row| row.get::<_, i64>(0)).ok()
    })
    .await;
    whole.cut_off();
    whole.run().await;
    assert_eq!(asked(&whole).await, (429, "0".to_owned()));
}
