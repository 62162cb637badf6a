//! Building images.

use std::collections::HashMap;
use std::time::Duration;

use orbitra::docker::{BuildError, BuildEvent, BuildSpec, ContainerEngine};
use tokio_util::sync::CancellationToken;

use super::{process_runs, until, with_engine};

#[tokio::test]
async fn a_build_tells_its_steps_and_its_output() {
    with_engine("build", async |fixture| {
        let dockerfile = "FROM debian:bookworm-slim\nARG WHO\nRUN echo hello $WHO && echo oops >&2\nEXPOSE 8080 53/udp\n";
        let spec = BuildSpec {
            arguments: vec![("WHO".to_owned(), format!("world & {}", fixture.name))],
            ..fixture.build_spec()
        };
        let tag = spec.tag.clone();
        let told = fixture.build(spec, dockerfile, CancellationToken::new()).await;
        let id = told.result.unwrap().id;
        let mut text = HashMap::from([(false, Vec::new()), (true, Vec::new())]);
        for event in &told.events {
            if let BuildEvent::Output { stderr, bytes, .. } = event {
                text.get_mut(stderr).unwrap().extend_from_slice(bytes);
            }
        }
        assert_eq!(String::from_utf8_lossy(&text[&false]), format!("hello world & {}\n", fixture.name));
        assert_eq!(String::from_utf8_lossy(&text[&true]), "oops\n");
        let step = |wanted: &str| {
            told.events.iter().find_map(|event| match event {
                BuildEvent::StepFinished { name, duration, cached, error, .. } if name.contains(wanted) => {
                    Some((*duration, *cached, error.clone()))
                }
                _ => None,
            })
        };
        let (duration, cached, error) = step("RUN echo hello").unwrap();
        assert!(duration > Duration::ZERO && !cached && error.is_none());

        let image = fixture.engine.image(&tag).await.unwrap().unwrap();
        assert_eq!(image.id, id);
        assert_eq!(image.exposed_ports, [8080]);
        assert!(image.size_bytes > 1_000_000);
        let owned = fixture.engine.owned().await.unwrap();
        assert_eq!((owned.images[0].name.as_str(), &owned.images[0].owner), (tag.as_str(), &fixture.owner));

        // The same again comes from the cache and says so.
        let spec = BuildSpec {
            no_cache: false,
            arguments: vec![("WHO".to_owned(), format!("world & {}", fixture.name))],
            ..fixture.build_spec()
        };
        let told = fixture.build(spec, dockerfile, CancellationToken::new()).await;
        let cached = told.events.iter().any(|event| {
            matches!(event, BuildEvent::StepFinished { name, cached: true, .. } if name.contains("RUN echo hello"))
        });
        assert!(cached, "{:?}", told.events);
        fixture.engine.remove_image(&tag).await.unwrap();
        fixture.engine.remove_image(&tag).await.unwrap();
        assert!(fixture.engine.image(&tag).await.unwrap().is_none());
    })
    .await;
}

#[tokio::test]
async fn a_secret_reaches_its_step_and_no_layer() {
    with_engine("secret", async |fixture| {
        let spec = BuildSpec {
            secrets: vec![("token".to_owned(), b"s3cr3t value\n".to_vec())],
            ..fixture.build_spec()
        };
        let dockerfile = "FROM debian:bookworm-slim\nRUN --mount=type=secret,id=token wc -c < /run/secrets/token\nRUN test -z \"$(cat /run/secrets/token)\"\n";
        let told = fixture.build(spec, dockerfile, CancellationToken::new()).await;
        assert!(told.result.is_ok(), "{:?}", told.result);
        let said = told.events.iter().any(|event| matches!(event, BuildEvent::Output { bytes, .. } if bytes == b"13\n"));
        assert!(said, "{:?}", told.events);
    })
    .await;
}

#[tokio::test]
async fn a_failing_step_gives_its_exit_code() {
    with_engine("fail", async |fixture| {
        let told = fixture
            .build(
                fixture.build_spec(),
                "FROM debian:bookworm-slim\nRUN echo no; exit 3\n",
                CancellationToken::new(),
            )
            .await;
        match told.result {
            Err(BuildError::Step { step, exit_code, message }) => {
                assert!(step.contains("RUN echo no; exit 3"), "{step}");
                assert_eq!(exit_code, Some(3));
                assert_eq!(message, "RUN echo no; exit 3 ended with exit code 3");
            }
            other => panic!("{other:?}"),
        }
    })
    .await;
}

#[tokio::test]
async fn other_failures_have_their_names() {
    with_engine("names", async |fixture| {
        let spec = || BuildSpec { no_cache: false, ..fixture.build_spec() };
        let fail = async |spec: BuildSpec, dockerfile: &str| {
            let told = fixture.build(spec, dockerfile, CancellationToken::new()).await;
            told.result.unwrap_err()
        };
        let error = fail(spec(), "FROM scratch\nRUNN x\n").await;
        assert!(matches!(error, BuildError::Invalid(_)), "{error:?}");
        assert!(error.to_string().contains("unknown instruction"), "{error}");

        let error = fail(spec(), "FROM scratch\nCOPY nothing /\n").await;
        assert!(matches!(error, BuildError::Invalid(_)), "{error:?}");
        assert!(error.to_string().starts_with("/nothing is to be copied"), "{error}");

        let error = fail(spec(), "FROM orbitra-has-no-such-image:1\nRUN x\n").await;
        assert!(matches!(error, BuildError::ImageNotFound(_)), "{error:?}");
        assert!(error.to_string().contains("orbitra-has-no-such-image:1 "), "{error}");

        let elsewhere = BuildSpec { dockerfile: "Elsewhere".to_owned(), ..spec() };
        let error = fail(elsewhere, "FROM scratch\n").await;
        assert!(matches!(error, BuildError::Invalid(_)), "{error:?}");
        assert!(error.to_string().starts_with("the Dockerfile Elsewhere "), "{error}");

        let arguments = vec![("BUILDKIT_SYNTAX".to_owned(), "x/y".to_owned())];
        let error = fail(BuildSpec { arguments, ..spec() }, "FROM scratch\n").await;
        assert!(matches!(error, BuildError::Invalid(_)), "{error:?}");
    })
    .await;
}

#[tokio::test]
async fn a_large_context_is_streamed_and_never_mistaken_for_another() {
    with_engine("context", async |fixture| {
        let dockerfile = format!(
            "FROM debian:bookworm-slim\nCOPY data /\nRUN : {}; wc -c < /data; head -c1 /data\n",
            fixture.name
        );
        for (letter, size) in [(b'a', 40_000_000), (b'b', 40_000_000), (b'b', 5)] {
            let content = vec![letter; size];
            let files = [("Dockerfile", dockerfile.as_bytes()), ("data", &content)];
            let spec = BuildSpec { no_cache: false, ..fixture.build_spec() };
            let told = fixture.build_of(spec, &files, CancellationToken::new()).await;
            assert!(told.result.is_ok(), "{:?}", told.result);
            let mut output = Vec::new();
            for event in told.events {
                if let BuildEvent::Output { bytes, .. } = event {
                    output.extend(bytes);
                }
            }
            let expected = format!("{size}\n{}", char::from(letter));
            assert_eq!(String::from_utf8_lossy(&output), expected);
        }
    })
    .await;
}

#[tokio::test]
async fn a_canceled_build_stops_inside_the_engine() {
    with_engine("cancel", async |fixture| {
        let sleep = ["sleep", "31415.5"];
        let dockerfile = "FROM debian:bookworm-slim\nRUN [\"sleep\", \"31415.5\"]\n";
        let cancel = CancellationToken::new();
        let (told, ()) =
            tokio::join!(fixture.build(fixture.build_spec(), dockerfile, cancel.clone()), async {
                until("the step runs", async || process_runs(&sleep)).await;
                cancel.cancel();
            });
        assert!(matches!(told.result, Err(BuildError::Canceled)), "{:?}", told.result);
        until("the step is gone", async || !process_runs(&sleep)).await;
    })
    .await;
}

#[tokio::test]
async fn a_build_ends_at_its_deadline() {
    with_engine("deadline", async |fixture| {
        let sleep = ["sleep", "27182.8"];
        let spec = BuildSpec { timeout: Duration::from_secs(3), ..fixture.build_spec() };
        let told = fixture
            .build(
                spec,
                "FROM debian:bookworm-slim\nRUN [\"sleep\", \"27182.8\"]\n",
                CancellationToken::new(),
            )
            .await;
        assert!(matches!(told.result, Err(BuildError::TimedOut(3))), "{:?}", told.result);
        until("the step is gone", async || !process_runs(&sleep)).await;
    })
    .await;
}
