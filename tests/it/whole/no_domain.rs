//! An instance without a domain of its own: names under `localhost`, and names that hold the address.

use serde_json::json;

use super::Whole;
use crate::support::api_client::{host_of, text};

#[tokio::test]
async fn names_that_hold_the_address_are_a_base_domain() {
    for base in ["localhost", "127.0.0.1.sslip.io", "127-0-0-1.sslip.io"] {
        let whole = Whole::start_with(&[("ORBITRA_BASE_DOMAIN", base)]).await;
        let repository = whole.repository(&json!({"body": "one"}));
        let project = whole.project("shop").await;
        let deployment = whole.api.deploy_live(&project, &repository).await;
        let own = host_of(&text(&deployment, "url"));
        assert!(own.ends_with(&format!(".{base}")), "{own}");
        for host in [own.as_str(), &format!("shop.{base}"), &format!("shop-git-main.{base}")] {
            let answer = whole.visit(host).await;
            assert_eq!((answer.status.as_u16(), answer.body.as_str()), (200, "one"), "{host}");
        }
        // The base domain and the address alone are the dashboard's; other names are nobody's.
        for host in [base, "127.0.0.1"] {
            let answer = whole.visit(host).await;
            assert!([200, 303].contains(&answer.status.as_u16()), "{host}: {}", answer.status);
        }
        let nobody = whole.visit("shop.10.9.8.7.sslip.io").await;
        assert_eq!(nobody.status, 404);
        // Nobody takes a name of the server's own, or one above it.
        for host in [format!("other.{base}"), base.to_owned()] {
            let body = json!({"hostname": host});
            let path = format!("/projects/{project}/domains");
            let (status, refused) = whole.api.call("POST", &path, Some(body)).await;
            assert_eq!(status, 400, "{refused}");
        }
    }
}
