//! Applications that ended, or that answer with an error.

use std::net::IpAddr;

use super::super::ended::{self, Ended};
use super::super::health::{self, Answer, Asked};
use super::super::listening::{self, Sockets};
use super::super::{Cause, Output, start};
use super::{lines, plain, told};

fn ended(text: &str, code: i64) -> String {
    let lines = lines(text);
    let facts = Ended {
        exit_code: Some(code),
        out_of_memory: false,
        memory_mb: 256,
        output: plain(&lines),
    };
    let found = ended::process(&facts);
    assert!(!found.hint.is_empty() && found.hint.ends_with('.'), "{found:?}");
    assert!(!found.evidence.is_empty() && found.evidence.len() <= 8, "{found:?}");
    told(&found)
}

#[test]
fn a_variable_that_is_missing_is_named_in_every_language() {
    for (name, text) in [
        ("DATABASE_URL", "KeyError: 'DATABASE_URL'"),
        ("API_KEY", "Error: API_KEY is not set"),
        ("API_KEY", "Error: Missing required environment variable: API_KEY"),
        ("API_KEY", "Error: process.env.API_KEY is undefined"),
        ("JWT_SECRET", "ReferenceError: JWT_SECRET is not defined"),
        ("DATABASE_URL", "cannot read the configuration: DATABASE_URL is not set"),
        ("DATABASE_URL", "error: Environment variable not found: DATABASE_URL."),
        (
            "SECRET_KEY",
            "django.core.exceptions.ImproperlyConfigured: Set the SECRET_KEY environment variable",
        ),
        (
            "SECRET_KEY",
            "decouple.UndefinedValueError: SECRET_KEY not found. Declare it as envvar or define a default value.",
        ),
        ("SECRET_KEY", "ImproperlyConfigured: The SECRET_KEY setting must not be empty."),
        ("STRIPE_KEY", "KeyError: key not found: \"STRIPE_KEY\""),
        ("STRIPE_KEY", "`fetch': key not found: \"STRIPE_KEY\" (KeyError)"),
        (
            "SECRET_KEY_BASE",
            "Missing `secret_key_base` for 'production' environment, set this string with `bin/rails credentials:edit`",
        ),
        ("PORT_API", "required key PORT_API missing value"),
        ("HOST_NAME", "env: required environment variable \"HOST_NAME\" is not set"),
        (
            "APP_KEY",
            "Illuminate\\Encryption\\MissingAppKeyException: No application encryption key has been specified.",
        ),
        ("DB_HOST", "PHP Warning:  Undefined array key \"DB_HOST\" in /app/index.php on line 3"),
        ("DB_URL", "Could not resolve placeholder 'DB_URL' in value \"${DB_URL}\""),
        ("DATABASE_URL", "** (RuntimeError) environment variable DATABASE_URL is missing."),
        (
            "SMTP_HOST",
            "thread 'main' panicked at src/main.rs:4:37: SMTP_HOST must be set: NotPresent",
        ),
        (
            "DATABASE_URL",
            "1 validation error for Settings\ndatabase_url\n  Field required [type=missing, input_value={}, input_type=dict]",
        ),
        ("API_URL", "./start.sh: line 3: API_URL: unbound variable"),
        ("TOKEN", "/bin/sh: 1: TOKEN: parameter not set"),
    ] {
        let wanted = format!("missing_variable: the variable `{name}` is not set");
        assert_eq!(ended(text, 1), wanted, "{text}");
    }
}

#[test]
fn a_variable_that_is_set_is_not_called_missing() {
    let lines = lines("Error: API_KEY is not set");
    let variables = ["API_KEY".to_owned()];
    let output = Output { lines: &lines, variables: &variables };
    let facts = Ended { exit_code: Some(1), out_of_memory: false, memory_mb: 256, output };
    assert_eq!(ended::process(&facts).cause, Cause::ExitCode);
}

#[test]
fn what_an_application_wrote_tells_its_cause() {
    for (wanted, text) in [
        (
            "missing_env_file: it wants a file `.env`, which is not in the image",
            "Error: ENOENT: no such file or directory, open '/app/.env'",
        ),
        (
            "missing_env_file: it wants a file `.env`, which is not in the image",
            "Error loading .env file: open .env: no such file or directory",
        ),
        (
            "missing_module: the module `express` is not installed",
            "Error: Cannot find module 'express'\nRequire stack:\n- /app/server.js",
        ),
        (
            "missing_module: the module `express` is not installed",
            "Error [ERR_MODULE_NOT_FOUND]: Cannot find package 'express' imported from /app/server.js",
        ),
        (
            "missing_file: the file `/app/dist/index.js` is not in the image",
            "Error: Cannot find module '/app/dist/index.js'",
        ),
        (
            "missing_module: the module `flask` is not installed",
            "ModuleNotFoundError: No module named 'flask'",
        ),
        (
            "missing_module: the module `sinatra` is not installed",
            "in `require': cannot load such file -- sinatra (LoadError)",
        ),
        (
            "missing_module: the module `com.example.Main` is not installed",
            "Caused by: java.lang.ClassNotFoundException: com.example.Main",
        ),
        (
            "missing_library: the system library `libpq.so.5` is missing",
            "ImportError: libpq.so.5: cannot open shared object file: No such file or directory",
        ),
        (
            "missing_library: the system library `libssl.so.3` is missing",
            "./app: error while loading shared libraries: libssl.so.3: cannot open shared object file: No such file or directory",
        ),
        (
            "missing_library: the system library `GLIBC_2.38` is missing",
            "./app: /lib/x86_64-linux-gnu/libc.so.6: version `GLIBC_2.38' not found (required by ./app)",
        ),
        (
            "service_unreachable: it cannot connect to PostgreSQL at 127.0.0.1:5432",
            "Error: connect ECONNREFUSED 127.0.0.1:5432",
        ),
        (
            "service_unreachable: it cannot connect to PostgreSQL at localhost:5432",
            "psycopg2.OperationalError: connection to server at \"localhost\" (127.0.0.1), port 5432 failed: Connection refused",
        ),
        (
            "service_unreachable: it cannot connect to Redis at [::1]:6379",
            "panic: dial tcp [::1]:6379: connect: connection refused",
        ),
        (
            "service_unreachable: it cannot connect to Redis at localhost:6379",
            "redis.exceptions.ConnectionError: Error 111 connecting to localhost:6379. Connection refused.",
        ),
        (
            "service_unreachable: it cannot connect to MySQL at db:3306",
            "Can't connect to MySQL server on 'db:3306' (111 \"Connection refused\")",
        ),
        (
            "service_unreachable: it cannot connect to PostgreSQL at localhost:5432",
            "Connection to localhost:5432 refused. Check that the hostname and port are correct",
        ),
        (
            "service_unreachable: it cannot connect to PostgreSQL at 10.0.0.5:5432",
            "2024-01-01T12:30:45.123 [error] connect ECONNREFUSED 10.0.0.5:5432",
        ),
        ("name_unresolved: there is no host `db`", "Error: getaddrinfo ENOTFOUND db"),
        (
            "name_unresolved: there is no host `postgres`",
            "could not translate host name \"postgres\" to address: Name or service not known",
        ),
        (
            "name_unresolved: there is no host `redis`",
            "dial tcp: lookup redis on 127.0.0.11:53: no such host",
        ),
        (
            "port_in_use: two of its processes want the same port",
            "Error: listen EADDRINUSE: address already in use :::3000",
        ),
        (
            "port_not_permitted: it may not listen on that port",
            "Error: listen EACCES: permission denied 0.0.0.0:80",
        ),
        (
            "permission_denied: it may not write `/data/app.db`",
            "Error: EACCES: permission denied, open '/data/app.db'",
        ),
        (
            "permission_denied: it may not write `/data`",
            "PermissionError: [Errno 13] Permission denied: '/data'",
        ),
        (
            "permission_denied: it may not write `/var/log/app.log`",
            "open /var/log/app.log: permission denied",
        ),
        ("disk_full: -", "Error: ENOSPC: no space left on device, write"),
        (
            "heap_limit: it has no memory left in its own heap",
            "FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory",
        ),
        (
            "wrong_architecture: its program is for another kind of processor, or no program",
            "[FATAL tini (7)] exec /app/server failed: Exec format error",
        ),
        (
            "not_executable: `/app/start.sh` is not marked as a program",
            "[FATAL tini (7)] exec /app/start.sh failed: Permission denied",
        ),
        (
            "command_not_found: there is no command `node2` in the image",
            "[FATAL tini (7)] exec node2 failed: No such file or directory",
        ),
        (
            "command_not_found: there is no command `gunicorn` in the image",
            "/bin/sh: 1: gunicorn: not found",
        ),
        (
            "command_not_found: there is no command `next` in the image",
            "bash: line 1: next: command not found",
        ),
        (
            "module_kind: a module is loaded as one of the other kind",
            "SyntaxError: Cannot use import statement outside a module",
        ),
        (
            "syntax_error: a file has an error of syntax",
            "  File \"/app/main.py\", line 3\n    def x(\n         ^\nSyntaxError: '(' was never closed",
        ),
        (
            "missing_file: the file `/app/config.json` is not in the image",
            "Error: ENOENT: no such file or directory, open '/app/config.json'",
        ),
        (
            "missing_file: the file `/app/main.py` is not in the image",
            "python3: can't open file '/app/main.py': [Errno 2] No such file or directory",
        ),
    ] {
        assert_eq!(ended(text, 1), wanted, "{text}");
    }
}

#[test]
fn an_exit_code_says_something_by_itself() {
    for (code, wanted) in [
        (0, "ended_by_itself: it ended without an error"),
        (1, "exit_code: -"),
        (78, "exit_code: -"),
        (126, "not_executable: its start command is not a program"),
        (127, "command_not_found: its start command was not found"),
        (134, "aborted: it aborted itself"),
        (137, "killed: it was killed"),
        (139, "segmentation_fault: a segmentation fault"),
        (143, "terminated: it was told to end"),
    ] {
        assert_eq!(ended("bye", code), wanted);
    }
}

#[test]
fn a_limit_of_memory_names_itself() {
    let facts =
        Ended { exit_code: Some(137), out_of_memory: true, memory_mb: 256, output: plain(&[]) };
    let found = ended::process(&facts);
    assert_eq!(found.cause, Cause::MemoryLimit);
    assert_eq!(found.evidence, ["killed by the kernel: memory limit 256 MiB, exit code 137"]);
    assert!(found.hint.contains("256 MiB"), "{found:?}");
    let gone = ended::process(&Ended { exit_code: None, out_of_memory: false, ..facts });
    assert_eq!(gone.cause, Cause::ContainerGone);
}

#[test]
fn the_sockets_decide_before_the_output() {
    let written = lines("Error: connect ECONNREFUSED 127.0.0.1:5432");
    let of = |listening: &[(&str, u16)], output: Output<'_>| {
        let listening: Vec<(IpAddr, u16)> =
            listening.iter().map(|(ip, port)| (ip.parse().unwrap(), *port)).collect();
        let sockets = Sockets { told: 3000, fixed: false, listening: &listening, output };
        listening::nobody(&sockets)
    };
    let found = of(&[("0.0.0.0", 4321), ("127.0.0.1", 9229)], plain(&written));
    assert_eq!(found.cause, Cause::WrongPort);
    assert_eq!(found.evidence, ["listens on 0.0.0.0:4321", "listens on 127.0.0.1:9229"]);
    assert!(found.hint.contains("4321"), "{found:?}");
    let found = of(&[("::1", 3000)], plain(&written));
    assert_eq!((found.cause, found.evidence.len()), (Cause::BoundToLoopback, 1));
    assert_eq!(of(&[], plain(&written)).cause, Cause::ServiceUnreachable);
    let found = of(&[], plain(&[]));
    assert_eq!(found.cause, Cause::NothingListens);
    assert!(found.hint.contains("3000"), "{found:?}");
}

#[test]
fn an_answer_that_is_not_healthy_says_what_to_change() {
    let asked = |answer| Asked {
        path: "/up",
        expect: "200",
        timeout_seconds: 5,
        answer,
        output: plain(&[]),
    };
    let status = |status| Answer::Status { status, location: None, body: "" };
    for (answer, cause) in [
        (status(204), Cause::HealthUnexpected),
        (Answer::Status { status: 301, location: Some("/login"), body: "" }, Cause::HealthRedirect),
        (status(401), Cause::HealthRefused),
        (status(404), Cause::HealthNotFound),
        (status(500), Cause::HealthError),
        (status(503), Cause::HealthError),
        (
            Answer::Status { status: 400, location: None, body: "DisallowedHost at /" },
            Cause::HostNotAllowed,
        ),
        (status(400), Cause::HealthUnexpected),
        (Answer::TimedOut, Cause::HealthTimeout),
        (Answer::NotHttp("invalid HTTP version parsed"), Cause::NotHttp),
    ] {
        let found = health::unhealthy(&asked(answer));
        assert_eq!(found.cause, cause, "{answer:?}");
        assert!(!found.evidence.is_empty() && found.hint.ends_with('.'), "{found:?}");
    }
    let redirect = health::unhealthy(&asked(Answer::Status {
        status: 302,
        location: Some("https://x.example/"),
        body: "",
    }));
    assert_eq!(redirect.evidence, ["GET /up → 302, Location: https://x.example/"]);
}

#[test]
fn an_answer_with_an_error_is_explained_by_the_output() {
    let lines = lines("Error: connect ECONNREFUSED 127.0.0.1:6379");
    let answer = Answer::Status { status: 500, location: None, body: "Internal Server Error" };
    let found = health::unhealthy(&Asked {
        path: "/",
        expect: "200-399",
        timeout_seconds: 5,
        answer,
        output: plain(&lines),
    });
    assert_eq!(found.cause, Cause::ServiceUnreachable);
    assert!(found.evidence.contains(&"GET / → 500".to_owned()), "{found:?}");
}

#[test]
fn a_refusal_of_the_engine_names_what_the_image_lacks() {
    for (text, wanted) in [
        ("No command specified", "no_start_command: the image has no start command"),
        (
            "OCI runtime create failed: container_linux.go:380: starting container process caused: exec: \"serve\": executable file not found in $PATH: unknown",
            "command_not_found: there is no command `serve` in the image",
        ),
        (
            "failed to create task for container: exec: \"./app\": permission denied: unknown",
            "not_executable: `./app` is not marked as a program",
        ),
        (
            "exec /docker-entrypoint.sh: exec format error",
            "wrong_architecture: its program is for another kind of processor, or no program",
        ),
    ] {
        assert_eq!(told(&start::refused(text).unwrap()), wanted);
    }
    assert_eq!(start::refused("network orbitra-x not found"), None);
}
