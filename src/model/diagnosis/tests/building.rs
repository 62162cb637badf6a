//! Builds that fail, and sources that cannot be fetched.

use super::super::build::{self, Step};
use super::super::clone::{self, Problem};
use super::super::plan::{self, Refusal};
use super::super::{Cause, Diagnosis};
use super::{lines, plain, told};

fn step(text: &str) -> Diagnosis {
    let lines = lines(text);
    let found = build::step(&Step {
        name: "[build 3/5] RUN npm run build",
        exit_code: Some(1),
        message: "RUN npm run build ended with exit code 1",
        output: plain(&lines),
    });
    assert!(!found.hint.is_empty() && found.hint.ends_with('.'), "{found:?}");
    assert!(!found.evidence.is_empty() && found.evidence.len() <= 8, "{found:?}");
    found
}

#[test]
fn what_a_step_wrote_tells_its_cause() {
    for (wanted, text) in [
        (
            "lock_file_missing: there is no lock file",
            "npm error The `npm ci` command can only install with an existing package-lock.json or",
        ),
        (
            "lock_file_mismatch: the lock file does not fit the list of dependencies",
            "npm error code EUSAGE\nnpm error `npm ci` can only install packages when your package.json and package-lock.json or npm-shrinkwrap.json are in sync.",
        ),
        (
            "lock_file_mismatch: the lock file does not fit the list of dependencies",
            " ERR_PNPM_OUTDATED_LOCKFILE  Cannot install with \"frozen-lockfile\" because pnpm-lock.yaml is not up to date with package.json",
        ),
        (
            "lock_file_mismatch: the lock file does not fit the list of dependencies",
            "error Your lockfile needs to be updated, but yarn was run with `--frozen-lockfile`.",
        ),
        (
            "lock_file_mismatch: the lock file does not fit the list of dependencies",
            "pyproject.toml changed significantly since poetry.lock was last generated. Run `poetry lock` to fix the lock file.",
        ),
        (
            "lock_file_mismatch: the lock file does not fit the list of dependencies",
            "error: the lock file /app/Cargo.lock needs to be updated but --locked was passed to prevent this",
        ),
        (
            "integrity_mismatch: a package is not the one that the lock file names",
            "npm error code EINTEGRITY\nnpm error sha512-abc integrity checksum failed when using sha512",
        ),
        (
            "integrity_mismatch: a package is not the one that the lock file names",
            "ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE.",
        ),
        (
            "integrity_mismatch: a package is not the one that the lock file names",
            "verifying github.com/x/y@v1.0.0: checksum mismatch",
        ),
        ("script_missing: there is no script `build`", "npm error Missing script: \"build\""),
        (
            "script_missing: there is no script `build`",
            " ERR_PNPM_NO_SCRIPT  Missing script: build",
        ),
        ("script_missing: there is no script `build`", "error Command \"build\" not found."),
        ("script_missing: there is no script `build`", "error: Script not found \"build\""),
        (
            "version_unsupported: it needs another version of the language",
            "npm error code EBADENGINE\nnpm error engine Unsupported engine\nnpm error notsup Required: {\"node\":\">=24\"}",
        ),
        (
            "version_unsupported: it needs another version of the language",
            "ERROR: Package 'app' requires a different Python: 3.11.2 not in '>=3.13'",
        ),
        (
            "version_unsupported: it needs another version of the language",
            "go: go.mod requires go >= 1.99 (running go 1.25.0; GOTOOLCHAIN=local)",
        ),
        (
            "version_unsupported: it needs another version of the language",
            "error: package `x v1.0.0` cannot be built because it requires rustc 1.90 or newer",
        ),
        (
            "package_missing: the registry has no package `flaskk` that fits",
            "ERROR: Could not find a version that satisfies the requirement flaskk (from versions: none)\nERROR: No matching distribution found for flaskk",
        ),
        (
            "package_missing: the registry has no package `expresss` that fits",
            "npm error code E404\nnpm error 404 Not Found - GET https://registry.example.org/expresss - Not found",
        ),
        (
            "package_missing: the registry has no package `serdee` that fits",
            "error: no matching package named `serdee` found",
        ),
        (
            "registry_unreachable: a registry of packages could not be reached",
            "npm error code EAI_AGAIN\nnpm error request to https://registry.example.org/x failed, reason: getaddrinfo EAI_AGAIN registry.example.org",
        ),
        (
            "system_package_missing: a package is compiled with a tool that the image does not have",
            "Error: pg_config executable not found.",
        ),
        (
            "system_package_missing: a package is compiled with a tool that the image does not have",
            "error: command 'gcc' failed: No such file or directory",
        ),
        (
            "heap_limit: it has no memory left in its own heap",
            "FATAL ERROR: Ineffective mark-compacts near heap limit Allocation failed - JavaScript heap out of memory",
        ),
        (
            "disk_full: -",
            "npm error code ENOSPC\nnpm error nospc ENOSPC: no space left on device, write",
        ),
        (
            "missing_variable: the variable `NEXT_PUBLIC_URL` is not set",
            "Error: NEXT_PUBLIC_URL is required",
        ),
        ("tests_failed: tests fail", "Tests:       1 failed, 3 passed, 4 total"),
        ("tests_failed: tests fail", "  2 passing (8ms)\n  1 failing"),
        ("tests_failed: tests fail", "=========== 1 failed, 2 passed in 0.12s ==========="),
        ("tests_failed: tests fail", "--- FAIL: TestSum (0.00s)\nFAIL\nexit status 1"),
        (
            "tests_failed: tests fail",
            "test result: FAILED. 1 passed; 1 failed; 0 ignored; 0 measured",
        ),
        ("tests_failed: tests fail", "# tests 2\n# pass 1\n# fail 1"),
        ("tests_failed: tests fail", "not ok 1 - sums"),
        ("tests_failed: tests fail", "5 examples, 1 failure"),
        ("missing_module: the module `vite` is not installed", "Error: Cannot find module 'vite'"),
        (
            "missing_module: the module `lodash` is not installed",
            "Module not found: Error: Can't resolve 'lodash' in '/app/src'",
        ),
        (
            "missing_file: the file `./header` is not in the image",
            "Could not resolve \"./header\" from \"src/main.js\"",
        ),
        (
            "compile_error: the code does not compile",
            "src/index.ts(3,7): error TS1005: '}' expected.",
        ),
        (
            "compile_error: the code does not compile",
            "# example.com/app\n./main.go:7:2: undefined: helo",
        ),
        (
            "compile_error: the code does not compile",
            "error[E0425]: cannot find value `x` in this scope",
        ),
        (
            "command_not_found: there is no command `vite` in the image",
            "> build\n> vite build\n\nsh: 1: vite: not found",
        ),
        (
            "command_not_found: there is no command `make` in the image",
            "/bin/sh: 1: make: not found",
        ),
        ("exit_code: -", "it just failed"),
    ] {
        assert_eq!(told(&step(text)), wanted, "{text}");
    }
}

#[test]
fn a_step_that_says_nothing_is_named() {
    let found = step("nothing that is known");
    assert_eq!(found.evidence, ["nothing that is known"]);
    assert!(found.hint.contains("`npm run build`"), "{found:?}");
    let silent = build::step(&Step {
        name: "RUN make",
        exit_code: Some(139),
        message: "RUN make ended with exit code 139",
        output: plain(&[]),
    });
    assert_eq!(silent.cause, Cause::SegmentationFault);
    assert_eq!(silent.evidence, ["RUN make ended with exit code 139"]);
}

#[test]
fn a_build_that_was_ended_says_by_what() {
    for (found, cause) in [
        (build::out_of_memory(Some(900)), Cause::BuildMemory),
        (build::out_of_memory(None), Cause::BuildMemory),
        (build::timed_out(Some("Ok to proceed? (y)")), Cause::BuildTimeout),
        (build::base_image("the image nodee:22 cannot be had: not found"), Cause::BaseImageMissing),
        (
            build::invalid(
                "/nothing is to be copied, but there is no such file in the build context",
            ),
            Cause::CopiedFileMissing,
        ),
        (
            build::invalid("dockerfile parse error line 2: unknown instruction: RUNN"),
            Cause::DockerfileInvalid,
        ),
        (build::invalid("file with no instructions"), Cause::DockerfileInvalid),
    ] {
        assert_eq!(found.cause, cause);
        assert_eq!(found.evidence.len(), 1, "{found:?}");
    }
    let image = build::base_image("the image nodee:22 cannot be had: not found");
    assert!(image.hint.contains("`nodee:22`"), "{image:?}");
    let copy =
        build::invalid("/a.txt is to be copied, but there is no such file in the build context");
    assert!(copy.hint.contains("`a.txt`"), "{copy:?}");
}

#[test]
fn a_source_that_cannot_be_fetched_has_a_cause() {
    for (problem, cause) in [
        (Problem::NoBranch { default: Some("main") }, Cause::BranchMissing),
        (Problem::NoBranch { default: None }, Cause::BranchMissing),
        (Problem::NoCommit, Cause::CommitMissing),
        (Problem::SignIn, Cause::SignInNeeded),
        (Problem::AddressRefused, Cause::AddressRefused),
        (Problem::Redirect, Cause::RedirectRefused),
        (Problem::TooLarge, Cause::TooLarge),
        (Problem::TimedOut, Cause::CloneTimeout),
        (Problem::Other("The name gitub.com could not be resolved."), Cause::NameUnresolved),
        (
            Problem::Other("git.example.com: the secure connection failed: certificate expired."),
            Cause::TlsRefused,
        ),
        (Problem::Other("example.com sent something that is not Git's protocol."), Cause::NotGit),
        (Problem::Other("The mirror could not be written: no storage space."), Cause::DiskFull),
        (
            Problem::Other("git.example.com: no connection could be made: refused."),
            Cause::ServerUnreachable,
        ),
    ] {
        let found = clone::failed(problem);
        assert_eq!(found.cause, cause, "{problem:?}");
        assert!(found.hint.ends_with('.'), "{found:?}");
    }
    let default = clone::failed(Problem::NoBranch { default: Some("trunk") });
    assert!(default.hint.contains("`trunk`"));
}

#[test]
fn a_repository_without_a_plan_has_a_next_step() {
    for (refusal, cause) in [
        (Refusal::Nothing, Cause::NothingToBuild),
        (Refusal::Unsupported, Cause::BuildUnsupported),
        (Refusal::Invalid, Cause::SettingInvalid),
        (Refusal::Unreadable, Cause::SourceUnreadable),
    ] {
        let found = plan::refused(refusal);
        assert_eq!(found.cause, cause);
        assert!(found.hint.ends_with('.') && found.because.is_none(), "{found:?}");
    }
}
