//! Samples of the deployment page: failed, building, live, queued.

use super::deployment::{
    Actions, DeploymentPage, Failure, FirstError, Fix, LogView, Step, StepState,
};
use super::log::LogLine;
use super::parts::{Commit, Progress, Site, Switch};
use super::plan::Plan;
use super::receipt::Receipt;
use super::sample;
use super::status::{Phase, Status};
use super::time::Millis;

impl DeploymentPage {
    /// Failed, building, live, queued, ready, replaced, on its way back.
    pub fn sample() -> Vec<(&'static str, Self)> {
        vec![
            ("failed", failed()),
            ("building", building()),
            ("live", live()),
            ("queued", queued()),
            ("ready", ready()),
            ("replaced", replaced()),
            ("returning", returning()),
        ]
    }
}

fn live() -> DeploymentPage {
    DeploymentPage {
        shell: sample::shell(),
        id: "dep_4q7w1z3c7k2m9qhx".to_owned(),
        project: "web".to_owned(),
        status: Status::Live,
        sentence: Status::Live.sentence().to_owned(),
        commit: Some(Commit {
            subject: "Fix login redirect".into(),
            hash: "4f2c9e1d0b7a4c3e8f5a6b7c8d9e0f1a2b3c4d5e".to_owned(),
            branch: "main".into(),
            author: "Ada Lovelace".into(),
        }),
        trigger: "Push to main by Ada".to_owned(),
        started_at: sample::NOW,
        progress: None,
        duration: Some(Millis(52_400)),
        site: Some(Site::new("https://web-dep4q7w1z3c.apps.example.com")),
        branch: Some(Site::new("https://web-git-main.apps.example.com")),
        steps: steps(&[200, 1_200, 100, 46_000, 400, 4_100, 20], StepState::NotRun),
        failure: None,
        facts: vec![("Variables".to_owned(), "14, as of then".to_owned())],
        plan: Some(Plan::sample()),
        receipt: Some(Receipt::sample()),
        log: LogView { lines: log(&[]), growing: false },
        actions: Actions { redeploy: true, ..Actions::default() },
    }
}

fn switch() -> Switch {
    Switch {
        deployment: "dep_4q7w1z3c7k2m9qhx".to_owned(),
        from: Some("9b1d220".to_owned()),
        to: "4f2c9e1".to_owned(),
        made: sample::NOW.plus(-2 * sample::DAY),
        starts: true,
    }
}

fn ready() -> DeploymentPage {
    let actions =
        Actions { redeploy: true, promote: Some(switch()), delete: true, ..Actions::default() };
    DeploymentPage {
        status: Status::Ready,
        sentence: Status::Ready.sentence().to_owned(),
        actions,
        ..live()
    }
}

fn replaced() -> DeploymentPage {
    let actions =
        Actions { redeploy: true, rollback: Some(switch()), delete: true, ..Actions::default() };
    DeploymentPage {
        status: Status::Replaced,
        sentence: Status::Replaced.sentence().to_owned(),
        actions,
        ..live()
    }
}

fn returning() -> DeploymentPage {
    DeploymentPage {
        status: Status::Running(Phase::Checking),
        sentence: "Gets the traffic as soon as it answers. Visitors see 9b1d220 until then."
            .to_owned(),
        actions: Actions { redeploy: true, ..Actions::default() },
        ..live()
    }
}

fn failed() -> DeploymentPage {
    let mut steps = steps(&[200, 1_200, 100], StepState::NotRun);
    steps[3] =
        Step { phase: Phase::Building, state: StepState::Failed, duration: Some(Millis(38_000)) };
    DeploymentPage {
        status: Status::Failed,
        sentence: Status::Failed.sentence().to_owned(),
        duration: Some(Millis(39_500)),
        site: None,
        branch: None,
        steps,
        failure: Some(Failure {
            headline: "The build command stopped with exit code 2".to_owned(),
            step: Phase::Building,
            after: Some(Millis(38_000)),
            first_error: Some(FirstError {
                seq: 188,
                text: "src/lib/auth.ts(41,17): error TS2345".into(),
            }),
            fix: Some(Fix {
                label: "Change the build",
                url: "/dashboard/projects/web/settings#build".to_owned(),
            }),
            detail: None,
            evidence: vec!["listens on 127.0.0.1:3000".into(), "exit <code> 2".into()],
            hint: Some("Listen on `0.0.0.0` instead of `localhost`.".to_owned()),
            consequence: "Visitors still see 9b1d220, live since yesterday. Nothing went down."
                .to_owned(),
        }),
        log: LogView {
            lines: log(&[
                "\x1b[31msrc/lib/auth.ts(41,17): error TS2345: Argument of type 'string | undefined'\x1b[0m",
                "\x1b[31m  is not assignable to parameter of type 'string'.\x1b[0m",
                "\x1b[41m ELIFECYCLE \x1b[0m \x1b[31mCommand failed with exit code 2.",
            ]),
            growing: false,
        },
        ..live()
    }
}

fn building() -> DeploymentPage {
    let mut steps = steps(&[200, 1_200, 100], StepState::Waiting);
    steps[3].state = StepState::Now(Millis(40_500));
    DeploymentPage {
        status: Status::Running(Phase::Building),
        sentence: "Visitors see 9b1d220 until this one answers.".to_owned(),
        duration: None,
        progress: Some(Progress { elapsed: Millis(42_000), usual: Some(Millis(50_000)) }),
        site: None,
        branch: None,
        steps,
        log: LogView { lines: log(&[]), growing: true },
        actions: Actions { cancel: true, ..Actions::default() },
        ..live()
    }
}

fn queued() -> DeploymentPage {
    let mut steps = steps(&[], StepState::Waiting);
    steps[0].state = StepState::Now(Millis(3_000));
    DeploymentPage {
        status: Status::Running(Phase::Queued),
        sentence: "2nd in line. Building now: api b81d0aa, usually 50 s.".to_owned(),
        commit: None,
        steps,
        progress: Some(Progress { elapsed: Millis(3_000), usual: None }),
        facts: Vec::new(),
        plan: None,
        receipt: None,
        log: LogView { lines: Vec::new(), growing: true },
        ..building()
    }
}

fn steps(done: &[u64], rest: StepState) -> Vec<Step> {
    Phase::ALL
        .into_iter()
        .enumerate()
        .map(|(at, phase)| Step {
            phase,
            state: if at < done.len() { StepState::Done } else { rest },
            duration: done.get(at).copied().map(Millis),
        })
        .collect()
}

fn log(errors: &[&str]) -> Vec<LogLine> {
    let lines = [
        "\x1b[90mCloning https://github.com/acme/web (main, 4f2c9e1)",
        "Cloning into '/build/src'...",
        "\x1b[32mCloned in 1.2 s",
        "\x1b[1mDetected Node.js 22\x1b[0m (package.json, pnpm-lock.yaml)",
        "\x1b[36mpnpm install --frozen-lockfile",
        "Packages: +812",
        "\x1b[33mwarn\x1b[0m deprecated glob@7.2.3: no longer supported",
        "\x1b[32mDone in 14.1 s",
        "\x1b[36mpnpm run build",
        "vite v7.1.2 building for production...",
        "\x1b[32m✓\x1b[0m 1843 modules transformed.",
    ];
    let line = |seq: u64, text: &str, error| {
        let at = sample::NOW.plus(i64::try_from(seq).unwrap_or(0) * 200);
        LogLine::new(seq, at, text, error)
    };
    let mut all: Vec<LogLine> =
        (1..188).zip(lines.into_iter().cycle()).map(|(seq, text)| line(seq, text, false)).collect();
    all.extend((188..).zip(errors).map(|(seq, text)| line(seq, text, true)));
    all
}
