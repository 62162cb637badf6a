//! The network, as the application meets it: its own port, and the services it calls.

use super::text::{after, between, name, port};
use super::{Cause, Diagnosis, Output};

/// Services by their usual port: name, and the variable that usually tells where it is.
const SERVICES: [(u16, &str, &str); 9] = [
    (5432, "PostgreSQL", "DATABASE_URL"),
    (3306, "MySQL", "DATABASE_URL"),
    (1433, "SQL Server", "DATABASE_URL"),
    (27017, "MongoDB", "MONGODB_URI"),
    (6379, "Redis", "REDIS_URL"),
    (5672, "RabbitMQ", "AMQP_URL"),
    (9200, "Elasticsearch", "ELASTICSEARCH_URL"),
    (11211, "Memcached", "MEMCACHED_SERVERS"),
    (9092, "Kafka", "KAFKA_BROKERS"),
];

/// Nothing answers where the application looks for a service.
pub(super) fn service(output: &Output<'_>) -> Option<Diagnosis> {
    let (line, (address, port)) = output.first(refused)?;
    let known = SERVICES.iter().find(|(number, ..)| *number == port);
    let what = known.map_or("a service", |(_, name, _)| name);
    let local = address.is_empty()
        || ["127.", "localhost", "::1", "[::1]"].iter().any(|host| address.starts_with(host));
    let hint = match known {
        Some((_, what, variable)) if !output.has_variable(variable) => format!(
            "Set `{variable}` to the address of {what}. Inside the container, `localhost` is the \
             container itself."
        ),
        Some((_, what, variable)) => format!(
            "Check that `{variable}` is the address of a {what} that can be reached from this \
             server, and that the application reads it."
        ),
        None if local => "Inside the container, `localhost` is the container itself: tell the \
                          application the service's own address."
            .to_owned(),
        None => "Check that the service runs and can be reached from this server.".to_owned(),
    };
    let place =
        if address.is_empty() { format!("port {port}") } else { format!("{address}:{port}") };
    Some(
        Diagnosis::new(Cause::ServiceUnreachable, hint)
            .because(format!("it cannot connect to {what} at {}", name(&place)))
            .shown_by(line),
    )
}

/// Host and port of a connection that was refused or got no answer.
fn refused(line: &str) -> Option<(String, u16)> {
    let lower = line.to_ascii_lowercase();
    let failed = lower.contains("connection refused")
        || (lower.contains("connection to ") && lower.contains(" refused"))
        || lower.contains("econnrefused")
        || lower.contains("can't connect to")
        || lower.contains("could not connect to")
        || lower.contains("serverselectiontimeout");
    if !failed {
        return None;
    }
    // connection to server at "localhost" (127.0.0.1), port 5432 failed: Connection refused
    if let Some(rest) = after(line, "connection to server at \"") {
        let (host, rest) = rest.split_once('"')?;
        return Some((host.to_owned(), port(after(rest, "port ")?)?));
    }
    // Can't connect to MySQL server on 'localhost:3306' / (111 "Connection refused")
    if lower.contains("mysql") {
        let at = between(line, " on '", "'").unwrap_or_default();
        let (host, number) = at.split_once(':').unwrap_or((at, ""));
        return Some((host.to_owned(), port(number).unwrap_or(3306)));
    }
    // connect ECONNREFUSED 127.0.0.1:5432, dial tcp [::1]:6379: connect: connection refused
    let mut before = "";
    line.split(|c: char| c.is_whitespace() || matches!(c, ',' | '(' | ')' | '"' | '\'')).find_map(
        |word| {
            let led_to = matches!(std::mem::replace(&mut before, word), "to" | "at");
            let (is_url, word) = match word.split_once("://") {
                Some((_, rest)) => (true, rest.split('/').next().unwrap_or(rest)),
                None => (false, word),
            };
            let word = word.rsplit('@').next().unwrap_or(word).trim_end_matches([':', '.', ';']);
            let (host, number) = word.rsplit_once(':')?;
            let number = number.parse().ok().filter(|number| *number > 0)?;
            // Times and places in files look alike: a name counts only where a name is expected.
            let bare = host.trim_matches(['[', ']']);
            let is_host = bare == "localhost"
                || bare.parse::<std::net::IpAddr>().is_ok()
                || ((led_to || is_url) && bare.starts_with(|c: char| c.is_ascii_alphabetic()));
            is_host.then(|| (host.to_owned(), number))
        },
    )
}

/// A host name that means nothing, such as that of a service in a Compose file.
pub(super) fn unresolved(output: &Output<'_>) -> Option<Diagnosis> {
    let (line, host) = output.first(|line| {
        let node =
            after(line, "getaddrinfo ENOTFOUND ").or_else(|| after(line, "getaddrinfo EAI_AGAIN "));
        let libpq = || between(line, "could not translate host name \"", "\"");
        let go = || between(line, "lookup ", " on ").filter(|_| line.contains("no such host"));
        let bare = || between(line, "lookup ", ": no such host");
        let found = node.or_else(libpq).or_else(go).or_else(bare)?;
        let host = found.split(|c: char| c.is_whitespace() || c == ':').next()?;
        Some(name(host)).filter(|host| !host.is_empty())
    })?;
    Some(
        Diagnosis::new(
            Cause::NameUnresolved,
            "Tell the application the service's real address by a variable: names of services in a \
             Compose file mean nothing here.",
        )
        .because(format!("there is no host `{host}`"))
        .shown_by(line),
    )
}

/// Something else has the port already.
pub(super) fn port_in_use(output: &Output<'_>) -> Option<Diagnosis> {
    let line = output.holding(&["EADDRINUSE", "address already in use"])?;
    Some(
        Diagnosis::new(
            Cause::PortInUse,
            "Let only one process of the container listen on the variable `PORT`.",
        )
        .because("two of its processes want the same port")
        .shown_by(line),
    )
}

/// A port that its user may not take.
pub(super) fn port_not_permitted(output: &Output<'_>) -> Option<Diagnosis> {
    let (line, ()) = output.first(|line| {
        let lower = line.to_ascii_lowercase();
        let denied = lower.contains("permission denied") || lower.contains("eacces");
        let listens = lower.contains("listen") || lower.contains("bind");
        (denied && listens).then_some(())
    })?;
    Some(
        Diagnosis::new(
            Cause::PortNotPermitted,
            "Listen on the variable `PORT`: ports below 1024 are not for every user.",
        )
        .because("it may not listen on that port")
        .shown_by(line),
    )
}

/// A framework that answers only to host names it was told.
pub(super) fn host_not_allowed(output: &Output<'_>) -> Option<Diagnosis> {
    let line = output.holding(&[
        "Invalid HTTP_HOST header",
        "DisallowedHost",
        "Blocked hosts:",
        "Blocked request. This host",
    ])?;
    Some(host_refused().shown_by(line))
}

/// The same, whoever said so.
pub(super) fn host_refused() -> Diagnosis {
    Diagnosis::new(
        Cause::HostNotAllowed,
        "Allow the host names of the project and of its deployments: `ALLOWED_HOSTS` in Django, \
             `config.hosts` in Rails, `allowedHosts` in Vite. `ORBITRA_URL` and \
             `ORBITRA_DEPLOYMENT_URL` hold them.",
    )
    .because("it refuses the host name it is asked by")
}
