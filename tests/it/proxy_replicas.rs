//! Several addresses behind one host: who is asked, and who is asked when one does not answer.

use std::net::SocketAddr;
use std::sync::Arc;

use orbitra::routing::replica::Place;
use orbitra::routing::table::Route;
use orbitra::routing::upstream::Upstream;
use tokio::net::{TcpListener, TcpStream};

use crate::support::front::{Front, HOST, table, upstream};
use crate::support::toy::{self, Toy, ok};
use crate::support::wire::{Wire, until};

fn place(address: SocketAddr) -> Place {
    Place { container: address.to_string(), address }
}

fn several(addresses: &[SocketAddr]) -> (Arc<Upstream>, Route) {
    let places: Vec<_> = addresses.iter().copied().map(place).collect();
    let upstream = Upstream::of("several".to_owned(), &places);
    (Arc::clone(&upstream), Route::Upstream(upstream))
}

/// An address at which nothing listens.
async fn nobody() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap()
}

/// One that reads a request and ends the connection.
async fn dying() -> Toy {
    Toy::answering(|_| Vec::new()).await
}

/// An address that lets nobody in and refuses nobody: its queue is full.
struct Full {
    address: SocketAddr,
    _listener: socket2::Socket,
    _inside: Vec<TcpStream>,
}

impl Full {
    async fn new() -> Self {
        let socket =
            socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
        let any: SocketAddr = ([127, 0, 0, 1], 0).into();
        socket.bind(&any.into()).unwrap();
        socket.listen(0).unwrap();
        let address = socket.local_addr().unwrap().as_socket().unwrap();
        let inside = vec![TcpStream::connect(address).await.unwrap()];
        Self { address, _listener: socket, _inside: inside }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_cannot_be_reached_costs_no_request_and_is_left_alone_for_a_moment() {
    let (one, two) = (Toy::saying("one").await, Toy::saying("two").await);
    let (several, route) = several(&[nobody().await, one.address, two.address]);
    let front = Front::start(route);
    let mut wire = Wire::connect(front.address).await;
    for number in 0..20 {
        let request = format!("POST / HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: 4\r\n\r\nbody");
        wire.send(request).await;
        let answer = wire.answer(false).await.unwrap();
        assert_eq!(answer.status, 200, "{number}: {}", answer.text());
    }
    assert_eq!(one.count() + two.count(), 20);
    assert!(one.count() > 5 && two.count() > 5, "{} and {}", one.count(), two.count());
    assert!(one.seen.lock().unwrap().iter().all(|seen| seen.body == b"body"));
    until(|| several.in_flight() == 0).await;
    assert!(several.replicas().iter().all(|one| one.in_flight() == 0));
    // Where nobody can be reached there is an answer all the same.
    let (_, route) = self::several(&[nobody().await, nobody().await]);
    front.routes.publish(table(route));
    assert_eq!(wire.get(HOST, "/").await.unwrap().status, 502);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_may_be_repeated_goes_to_one_other_and_what_may_not_is_not_sent_twice() {
    let (dies, lives) = (dying().await, Toy::saying("alive").await);
    let (_, route) = several(&[dies.address, lives.address]);
    let front = Front::start(route);
    for _ in 0..6 {
        let mut wire = Wire::connect(front.address).await;
        let answer = wire.get(HOST, "/").await.unwrap();
        assert_eq!((answer.status, answer.text().as_str()), (200, "alive"));
    }
    assert!(dies.count() > 0);
    let all: Vec<_> = vec![dying().await, dying().await, dying().await];
    let addresses: Vec<_> = all.iter().map(|toy| toy.address).collect();
    front.routes.publish(table(several(&addresses).1));
    let asked = || all.iter().map(Toy::count).sum::<usize>();
    let mut wire = Wire::connect(front.address).await;
    assert_eq!(wire.get(HOST, "/").await.unwrap().status, 502);
    assert_eq!(asked(), 2, "what takes one down does not take all down");
    let mut wire = Wire::connect(front.address).await;
    wire.send(format!("POST / HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: 4\r\n\r\nbody")).await;
    assert_eq!(wire.answer(false).await.unwrap().status, 502);
    assert_eq!(asked(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_one_with_less_to_do_is_asked() {
    let slow = Toy::serving(|mut wire, _| async move {
        toy::request(&mut wire).await.unwrap();
        std::future::pending::<()>().await;
    })
    .await;
    let quick = Toy::saying("quick").await;
    let (several, route) = several(&[slow.address, quick.address]);
    let front = Front::start(route);
    // One request stays with the slow one; from then on it has more to do than the other.
    let mut stuck = Wire::connect(front.address).await;
    let mut wire = Wire::connect(front.address).await;
    let request = format!("GET / HTTP/1.1\r\nHost: {HOST}\r\n\r\n");
    stuck.send(&request).await;
    until(|| several.in_flight() == 1 || quick.count() == 1).await;
    if quick.count() == 1 {
        stuck.send(&request).await;
    }
    until(|| several.replicas()[0].in_flight() == 1).await;
    let before = quick.count();
    for _ in 0..20 {
        assert_eq!(wire.get(HOST, "/").await.unwrap().text(), "quick");
    }
    assert_eq!(quick.count(), before + 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_on_its_way_to_a_container_that_is_gone_turns_round() {
    let (full, lives) = (Full::new().await, Toy::saying("alive").await);
    let (several, route) = several(&[full.address, lives.address]);
    let front = Front::start(route);
    let request = format!("GET / HTTP/1.1\r\nHost: {HOST}\r\n\r\n");
    let mut wires = Vec::new();
    for _ in 0..2 {
        let mut wire = Wire::connect(front.address).await;
        wire.send(&request).await;
        wires.push(wire);
    }
    until(|| several.replicas()[0].in_flight() == 1 && lives.count() == 1).await;
    let moved = several.moved(&[place(lives.address)]);
    front.routes.publish(table(Route::Upstream(moved.clone())));
    for wire in &mut wires {
        assert_eq!(wire.answer(false).await.unwrap().text(), "alive");
    }
    until(|| moved.in_flight() == 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_on_its_way_to_the_only_container_asks_the_routes_again() {
    let full = Full::new().await;
    let (gone, route) = upstream(full.address);
    let front = Front::start(route);
    let mut wire = Wire::connect(front.address).await;
    wire.send(format!("POST / HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: 4\r\n\r\nbody")).await;
    until(|| gone.in_flight() == 1).await;
    // Its address is another's now, who would let the request in.
    gone.lose(Some(full.address.ip()));
    until(|| gone.in_flight() == 0).await;
    let next = Toy::answering(|_| ok("next")).await;
    front.routes.publish(table(upstream(next.address).1));
    assert_eq!(wire.answer(false).await.unwrap().text(), "next");
    assert_eq!(next.last().body, b"body");
}
