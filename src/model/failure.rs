//! Why a deployment failed.

use serde::{Deserialize, Serialize};

use super::diagnosis::Diagnosis;

/// The kind of a failure; the codes of the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureCode {
    CloneFailed,
    BranchNotFound,
    CommitNotFound,
    AuthFailed,
    DetectFailed,
    BuildFailed,
    BuildTimeout,
    OutOfMemory,
    ImageNotFound,
    StartFailed,
    PortNotListening,
    HealthcheckFailed,
    DiskFull,
    EngineError,
}

impl FailureCode {
    /// Every code, in the order of the contract.
    pub const ALL: [Self; 14] = [
        Self::CloneFailed,
        Self::BranchNotFound,
        Self::CommitNotFound,
        Self::AuthFailed,
        Self::DetectFailed,
        Self::BuildFailed,
        Self::BuildTimeout,
        Self::OutOfMemory,
        Self::ImageNotFound,
        Self::StartFailed,
        Self::PortNotListening,
        Self::HealthcheckFailed,
        Self::DiskFull,
        Self::EngineError,
    ];
}

/// A failure as it is stored and shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    pub code: FailureCode,
    /// Phase it happened in.
    pub phase: String,
    /// What happened and, where it is known, what to do. Never a secret, an address inside the machine or a path of the server.
    pub message: String,
    pub exit_code: Option<i64>,
    /// The cause with what shows it and the next step, where one was found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub diagnosis: Option<Box<Diagnosis>>,
    /// The last lines the application wrote. They are kept with the receipt and not with the deployment, whose row
    /// every list reads.
    #[serde(skip)]
    pub output: Vec<String>,
}

impl Failure {
    /// A failure without an exit code.
    pub fn new(code: FailureCode, phase: &str, message: impl Into<String>) -> Self {
        Self {
            code,
            phase: phase.to_owned(),
            message: message.into(),
            exit_code: None,
            diagnosis: None,
            output: Vec::new(),
        }
    }

    /// The same failure with the exit code of the process that caused it.
    pub fn with_exit_code(mut self, exit_code: Option<i64>) -> Self {
        self.exit_code = exit_code;
        self
    }

    /// The same failure with the last lines of the application.
    pub fn with_output(mut self, output: Vec<String>) -> Self {
        self.output = output;
        self
    }

    /// The same failure with its cause. What the diagnosis says of the reason becomes part of the first sentence.
    pub fn explained(mut self, mut diagnosis: Diagnosis) -> Self {
        if let Some(because) = diagnosis.because.take() {
            let end = self.message.find(". ").unwrap_or(self.message.len());
            let (first, rest) = self.message.split_at(end);
            let first = first.trim_end_matches('.');
            let rest = if rest.is_empty() { "." } else { rest };
            self.message = format!("{first}: {because}{rest}");
        }
        self.diagnosis = Some(Box::new(diagnosis));
        self
    }

    /// The same failure, explained where there is an explanation.
    pub fn maybe_explained(self, diagnosis: Option<Diagnosis>) -> Self {
        match diagnosis {
            Some(diagnosis) => self.explained(diagnosis),
            None => self,
        }
    }

    /// Replaces every text by what `with` makes of it, such as to mask secrets.
    pub fn each_text(&mut self, with: impl Fn(&str) -> String) {
        let told = self.diagnosis.iter_mut().flat_map(|diagnosis| {
            diagnosis.evidence.iter_mut().chain(std::iter::once(&mut diagnosis.hint))
        });
        let all = std::iter::once(&mut self.message).chain(told).chain(&mut self.output);
        all.for_each(|text| *text = with(text));
    }
}

#[cfg(test)]
mod tests {
    use super::super::diagnosis::Cause;
    use super::*;

    fn diagnosis(because: Option<&str>) -> Diagnosis {
        Diagnosis {
            cause: Cause::MissingVariable,
            because: because.map(str::to_owned),
            evidence: vec!["KEY is not set".to_owned()],
            hint: "Set `KEY`.".to_owned(),
        }
    }

    #[test]
    fn a_reason_becomes_part_of_the_first_sentence() {
        for (message, wanted) in [
            ("It stopped with exit code 1.", "It stopped with exit code 1: `KEY` is not set."),
            ("RUN x ended with exit code 1", "RUN x ended with exit code 1: `KEY` is not set."),
            ("It stopped. Last output:\na. b", "It stopped: `KEY` is not set. Last output:\na. b"),
        ] {
            let failure = Failure::new(FailureCode::StartFailed, "checking", message);
            let told = failure.clone().explained(diagnosis(Some("`KEY` is not set")));
            assert_eq!(told.message, wanted);
            assert_eq!(told.diagnosis.unwrap().hint, "Set `KEY`.");
            assert_eq!(failure.explained(diagnosis(None)).message, message);
        }
    }

    #[test]
    fn no_text_is_left_out_when_secrets_are_masked() {
        let failure = Failure::new(FailureCode::StartFailed, "checking", "s3cret. s3cret");
        let mut failure = failure.explained(Diagnosis {
            evidence: vec!["s3cret".to_owned(); 2],
            hint: "s3cret".to_owned(),
            ..diagnosis(Some("s3cret"))
        });
        failure.output = vec!["s3cret".to_owned(); 2];
        failure.each_text(|text| text.replace("s3cret", "***"));
        assert!(!format!("{failure:?}").contains("s3cret"), "{failure:?}");
    }

    #[test]
    fn a_failure_of_an_earlier_version_is_read() {
        let old = r#"{"code":"build_failed","phase":"building","message":"x","exit_code":2}"#;
        let failure: Failure = serde_json::from_str(old).unwrap();
        assert_eq!((&failure.diagnosis, failure.exit_code), (&None, Some(2)));
        let new = failure.explained(diagnosis(None));
        let text = serde_json::to_string(&new).unwrap();
        assert_eq!(serde_json::from_str::<Failure>(&text).unwrap(), new);
    }
}
