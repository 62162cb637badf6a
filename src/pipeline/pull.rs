//! Stages 1 to 3 of a deployment that is made of an image: it is pulled by its digest.

use std::time::Duration;

use tokio::sync::mpsc;

use super::job::Job;
use super::stop::Stop;
use crate::db::{self, DbError};
use crate::docker::{Credentials, ImageSource, PullError, PullSpec};
use crate::egress::EgressError;
use crate::logs::Redactor;
use crate::model::failure::{Failure, FailureCode};
use crate::model::image_reference::ImageReference;
use crate::model::log_line::{LogLevel, LogSource};
use crate::model::transition::State;

const PHASE: &str = "building";
/// Most bytes of an image's layers as they are sent.
const LIMIT: u64 = 20 * 1024 * 1024 * 1024;

impl Job {
    /// Pulls the image and remembers its id and its digest. A digest that is known, of a run that was cut off or of
    /// the deployment this one repeats, is pulled again whatever its tag stands for now.
    pub(super) async fn pull_image(&mut self, reference: &str) -> Result<String, Stop> {
        self.advance(State::Building).await?;
        let reference = ImageReference::parse(reference)
            .ok_or_else(|| failed(FailureCode::ImageNotFound, "This is no image.".to_owned()))?;
        self.check_registry(&reference).await?;
        let credentials = self.credentials_for(reference.registry()).await?;
        let secret = Redactor::new(credentials.iter().map(|known| known.password.as_str()));
        let source = |reference: &ImageReference| ImageSource {
            reference: reference.to_string(),
            registry: reference.registry().to_owned(),
            credentials: credentials.clone(),
        };
        let known = self.deployment.image_pin.as_deref().and_then(ImageReference::parse);
        let pin = match known {
            Some(pin) => pin,
            None => self.pin(&reference, source(&reference), &secret).await?,
        };
        self.say(format!("Pulling {pin}"));
        let absent = self.pipeline.engine.image(&pin.to_string()).await;
        let absent = absent.map_err(|error| Stop::engine(PHASE, &error))?.is_none();
        let (id, text) = (self.deployment.id.clone(), pin.to_string());
        self.deployment.image_pin = Some(text.clone());
        // Before it is there, so that it is known whose it is whatever happens then.
        self.pipeline.db.write(move |c| db::transitions::record_pin(c, &id, &text, absent)).await?;
        let spec = PullSpec {
            source: source(&pin),
            tag: format!("orbitra/{}:{}", self.project.id, self.deployment.id),
            limit_bytes: LIMIT,
            timeout: Duration::from_secs(u64::from(self.project.build.timeout_seconds)),
        };
        let image = self.run_pull(spec, &reference, &secret).await?;
        let (id, stored, now) =
            (self.deployment.id.clone(), image.clone(), self.pipeline.clock.now());
        self.deployment.image = Some(image.clone());
        self.pipeline
            .db
            .write(move |c| db::transitions::record_image(c, &id, &stored, now))
            .await?;
        Ok(image)
    }

    /// The policy decides before the engine is asked. The engine resolves the name once more.
    async fn check_registry(&self, reference: &ImageReference) -> Result<(), Stop> {
        let (host, port) = reference.server();
        let checking = self.pipeline.egress.check_reachable(host, port);
        let checked = tokio::select! {
            checked = checking => checked,
            () = self.cancel.cancelled() => return Err(Stop::Canceled),
            () = self.stopping() => return Err(Stop::Interrupted),
        };
        checked.map_err(|error| {
            let registry = reference.registry();
            let message = match error {
                EgressError::AddressNotAllowed => {
                    format!("The registry {registry} may not be reached from this server.")
                }
                other => format!("The registry {registry} cannot be reached: {other}."),
            };
            failed(FailureCode::EngineError, message)
        })
    }

    /// What the team has stored for a registry.
    async fn credentials_for(&self, registry: &str) -> Result<Option<Credentials>, Stop> {
        let (team, host) = (self.project.team_id.clone(), registry.to_owned());
        let found = self
            .pipeline
            .db
            .read(move |c| -> Result<_, DbError> { db::registries::of_host(c, &team, &host) })
            .await?;
        let Some((known, sealed)) = found else { return Ok(None) };
        let identity = db::registries::identity(&known.id);
        let password = self.pipeline.secrets.open(&identity, &sealed).ok();
        let password = password.and_then(|plain| String::from_utf8(plain).ok());
        let password = password.ok_or_else(|| {
            let message =
                format!("The password for {registry} does not open: was the key file replaced?");
            failed(FailureCode::EngineError, message)
        })?;
        Ok(Some(Credentials { username: known.username, password }))
    }

    /// The image by the digest it has in its registry now.
    async fn pin(
        &self,
        reference: &ImageReference,
        source: ImageSource,
        secret: &Redactor,
    ) -> Result<ImageReference, Stop> {
        self.say(format!("Looking for {reference}"));
        let has_credentials = source.credentials.is_some();
        let digest = tokio::select! {
            digest = self.pipeline.engine.resolve(&source) => digest,
            () = self.cancel.cancelled() => return Err(Stop::Canceled),
            () = self.stopping() => return Err(Stop::Interrupted),
        };
        let digest =
            digest.map_err(|error| pull_stop(error, reference, has_credentials, secret))?;
        // One that was asked for by its digest is that and nothing else.
        let wanted = reference.digest().is_none_or(|wanted| wanted == digest);
        reference.pinned(&digest).filter(|_| wanted).ok_or_else(|| {
            let message = format!("The registry gave another image than {reference}.");
            failed(FailureCode::ImageNotFound, message)
        })
    }

    async fn run_pull(
        &self,
        spec: PullSpec,
        reference: &ImageReference,
        secret: &Redactor,
    ) -> Result<String, Stop> {
        let has_credentials = spec.source.credentials.is_some();
        let (events, mut told) = mpsc::channel(64);
        let cancel = self.cancel.child_token();
        let engine = self.pipeline.engine.clone();
        let pulling = engine.pull(spec, events, cancel.clone());
        let writing = async {
            while let Some(line) = told.recv().await {
                self.line(LogLevel::Info, LogSource::Build, secret.mask(&line));
            }
        };
        let (pulled, ()) = tokio::select! {
            both = async { tokio::join!(pulling, writing) } => both,
            () = self.stopping() => {
                cancel.cancel();
                return Err(Stop::Interrupted);
            }
        };
        let image = pulled.map_err(|error| pull_stop(error, reference, has_credentials, secret))?;
        let megabytes = image.size_bytes.div_ceil(1024 * 1024);
        self.say(format!("The image is here ({megabytes} MB): {}", image.id));
        Ok(image.id)
    }
}

fn failed(code: FailureCode, message: String) -> Stop {
    Stop::Failed(Failure::new(code, PHASE, message))
}

fn pull_stop(
    error: PullError,
    reference: &ImageReference,
    has_credentials: bool,
    secret: &Redactor,
) -> Stop {
    let registry = reference.registry();
    match error {
        PullError::Canceled => Stop::Canceled,
        PullError::NotFound(_) => {
            failed(FailureCode::ImageNotFound, format!("There is no image {reference}."))
        }
        PullError::AuthFailed(_) if has_credentials => failed(
            FailureCode::AuthFailed,
            format!(
                "{registry} refused the user name and the password that are stored for it, or the image to this user."
            ),
        ),
        PullError::AuthFailed(_) => failed(
            FailureCode::AuthFailed,
            format!(
                "{registry} wants a user name and a password for this image, or does not have it. Store them with POST /registries."
            ),
        ),
        PullError::TooLarge(bytes) => failed(
            FailureCode::EngineError,
            format!("The image is larger than {} MB.", bytes / (1024 * 1024)),
        ),
        PullError::TimedOut(seconds) => failed(
            FailureCode::BuildTimeout,
            format!("Pulling the image took longer than {seconds} seconds."),
        ),
        PullError::DiskFull => failed(
            FailureCode::DiskFull,
            "No space is left on the server's disk. Free some and deploy again.".to_owned(),
        ),
        PullError::Engine(error) => failed(
            FailureCode::EngineError,
            secret.mask(&format!("The image could not be pulled. {error}")),
        ),
    }
}
