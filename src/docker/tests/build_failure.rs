use crate::docker::BuildError;
use crate::docker::build_failure::{Failure, MemoryKill, classify};

fn failure<'a>(step: Option<(&'a str, &'a str)>, text: &'a str) -> Failure<'a> {
    Failure { step, text, memory_kill: MemoryKill::None }
}

#[test]
fn a_step_that_fails_names_itself_and_its_code() {
    for text in [
        r#"process "/bin/sh -c npm run build" did not complete successfully: exit code: 2"#,
        "executor failed running [/bin/sh -c npm run build]: exit code: 2",
    ] {
        let step = ("[build 4/5] RUN npm run build", text);
        match classify(failure(Some(step), text)) {
            BuildError::Step { step, exit_code, message } => {
                assert_eq!(step, "[build 4/5] RUN npm run build");
                assert_eq!(exit_code, Some(2));
                assert_eq!(message, "RUN npm run build ended with exit code 2");
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_kill_is_lack_of_memory_only_with_evidence() {
    let text = r#"process "/bin/sh -c make" did not complete successfully: exit code: 137"#;
    let step = Some(("[2/2] RUN make", text));
    assert!(matches!(classify(failure(step, text)), BuildError::Step { exit_code: Some(137), .. }));
    let killed = Failure { memory_kill: MemoryKill::Somewhere, ..failure(step, text) };
    assert!(matches!(classify(killed), BuildError::OutOfMemory));
    let text = r#"ResourceExhausted: process "/bin/sh -c make" did not complete successfully: cannot allocate memory"#;
    assert!(matches!(classify(failure(None, text)), BuildError::OutOfMemory));
}

#[test]
fn a_missing_base_image_is_named() {
    let error = "docker.io/library/nodee:22: not found";
    let step = Some(("[internal] load metadata for docker.io/library/nodee:22", error));
    let text = "failed to solve with frontend dockerfile.v0: failed to create LLB definition: docker.io/library/nodee:22: not found";
    let told = classify(failure(step, text)).to_string();
    assert_eq!(told, "the image nodee:22 cannot be had: not found");

    let text = "failed to solve: me/private: failed to resolve source metadata for docker.io/me/private:latest: pull access denied, repository does not exist or may require authorization";
    let told = classify(failure(None, text));
    assert!(
        matches!(&told, BuildError::ImageNotFound(text) if text.starts_with("the image me/private:latest ")),
        "{told:?}"
    );
}

#[test]
fn a_full_disk_comes_before_the_exit_code() {
    let text = r#"process "/bin/sh -c dd" did not complete successfully: exit code: 1"#;
    let step = Some(("RUN dd", "write /x: no space left on device"));
    assert!(matches!(classify(failure(step, text)), BuildError::DiskFull));
}

#[test]
fn anything_else_is_told_without_the_layers_it_went_through() {
    let text = "failed to solve with frontend dockerfile.v0: failed to create LLB definition: dockerfile parse error line 2: unknown instruction: RUNN";
    match classify(failure(None, text)) {
        BuildError::Invalid(text) => {
            assert_eq!(text, "dockerfile parse error line 2: unknown instruction: RUNN");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_missing_file_is_named_without_the_engines_directories() {
    for (text, told) in [
        (
            "failed to solve with frontend dockerfile.v0: failed to read dockerfile: open /var/lib/docker/tmp/buildkit-mount33/Elsewhere: no such file or directory",
            "the Dockerfile Elsewhere cannot be read: no such file or directory",
        ),
        (
            r#"failed to compute cache key: "/nothing" not found: not found"#,
            "/nothing is to be copied, but there is no such file in the build context",
        ),
        (
            r#"failed to solve: failed to compute cache key: failed to calculate checksum of ref abc::def: "/nothing": not found"#,
            "/nothing is to be copied, but there is no such file in the build context",
        ),
    ] {
        assert_eq!(classify(failure(None, text)).to_string(), told);
    }
}
