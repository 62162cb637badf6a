use super::*;

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

#[test]
fn an_address_has_as_many_as_it_may_have_and_a_network_of_ipv6_counts_as_one() {
    let crowd = Crowd::new(2, vec![Network::parse("10.0.0.0/8").unwrap()]);
    let first = crowd.enter(ip("192.0.2.1")).unwrap();
    // The same address in its other form.
    let _second = crowd.enter(ip("::ffff:192.0.2.1")).unwrap();
    assert!(crowd.enter(ip("192.0.2.1")).is_none());
    let _other = crowd.enter(ip("192.0.2.2")).unwrap();
    drop(first);
    let _again = crowd.enter(ip("192.0.2.1")).unwrap();
    let six = ["2001:db8::1", "2001:db8::ffff:0:0:1"].map(|one| crowd.enter(ip(one)).unwrap());
    assert!(crowd.enter(ip("2001:db8::2")).is_none());
    let _next = crowd.enter(ip("2001:db8:0:1::1")).unwrap();
    drop(six);
    let _proxies: Vec<_> = (0..9).map(|_| crowd.enter(ip("10.1.2.3")).unwrap()).collect();
}

#[test]
fn nothing_is_kept_of_who_has_left() {
    let crowd = Crowd::new(9, Vec::new());
    let places: Vec<_> =
        (0..200).map(|n| crowd.enter(ip(&format!("192.0.2.{n}"))).unwrap()).collect();
    assert_eq!(crowd.counts().len(), 200);
    drop(places);
    assert!(crowd.counts().is_empty());
}
