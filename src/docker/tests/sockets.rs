use std::net::{IpAddr, TcpListener};

use crate::docker::sockets::{listening_ports, parse};

#[test]
fn only_listening_sockets_count() {
    let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n\
   0: 00000000:0BB8 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1 1 0 100 0 0 10 0\n\
   1: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 2 1 0 100 0 0 10 0\n\
   2: 0100007F:1F90 0100007F:C350 01 00000000:00000000 00:00000000 00000000     0        0 3 1 0 100 0 0 10 0\n";
    let any: IpAddr = [0, 0, 0, 0].into();
    let local: IpAddr = [127, 0, 0, 1].into();
    assert_eq!(parse(table), [(any, 3000), (local, 8080)]);
}

#[test]
fn version_six_addresses_are_read() {
    let table = "0: 00000000000000000000000000000000:0050 0:0 0A x\n\
                 1: 00000000000000000000000001000000:0051 0:0 0A x\n\
                 2: 0000000000000000FFFF00000100007F:0052 0:0 0A x\n";
    let found: Vec<String> =
        parse(table).iter().map(|(address, port)| format!("{address} {port}")).collect();
    assert_eq!(found, [":: 80", "::1 81", "::ffff:127.0.0.1 82"]);
}

#[test]
fn rubbish_is_passed_over() {
    for table in
        ["", "\n\n", "0:", "0: zz:zz 0:0 0A", "0: 0100:1 0:0 0A", "0: é0000000:0050 0:0 0A"]
    {
        assert_eq!(parse(table), [], "{table:?}");
    }
}

#[test]
fn a_real_socket_is_found() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let found = listening_ports(std::process::id()).unwrap();
    assert!(found.contains(&(address.ip(), address.port())));
}
