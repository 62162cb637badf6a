//! What whoever pushes sees while it is deployed: the log of each deployment, and how it ended.

use std::time::Duration;

use axum::body::{Body, Bytes};
use futures_util::{StreamExt, stream};
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::app::App;
use crate::app::git_push::Received;
use crate::git::receive::{self, PushRequest};
use crate::logs::strip_ansi;
use crate::model::actor::Actor;
use crate::model::deployment::{CancelReason, Deployment, Status, Target};
use crate::model::hostname;
use crate::model::project::Project;

/// Nothing is said for this long before a packet goes out that says nothing: so the connection stays, and a client that
/// is gone is noticed.
const SILENCE: Duration = Duration::from_secs(5);
/// Deployment and log end within moments of each other.
const GRACE: Duration = Duration::from_secs(10);
/// Longest time that an answer goes on.
const LONGEST: Duration = Duration::from_secs(2 * 3600);

/// The whole answer. Nothing is read ahead of the client, so a slow one costs no memory; the deployments go on whether
/// somebody listens or not.
pub(super) fn body(app: App, actor: Actor, request: PushRequest, received: Received) -> Body {
    let report = received.report.answer(&request);
    if !request.report || !request.side_band {
        return Body::from(report);
    }
    let (parts, receiver) = mpsc::channel::<Bytes>(1);
    tokio::spawn(async move {
        let teller = Teller { app, actor, parts };
        let told = async {
            teller.send(report).await?;
            teller.tell(received).await
        };
        let over = tokio::time::timeout(LONGEST, told).await;
        if over != Ok(None) {
            let _ = teller.parts.send(receive::end()).await;
        }
    });
    let parts = stream::unfold(receiver, |mut receiver| async move {
        let part = receiver.recv().await?;
        Some((Ok::<_, std::convert::Infallible>(part), receiver))
    });
    Body::from_stream(parts)
}

struct Teller {
    app: App,
    actor: Actor,
    parts: mpsc::Sender<Bytes>,
}

/// `None` is that nobody listens any more.
type Heard = Option<()>;

impl Teller {
    async fn send(&self, bytes: Bytes) -> Heard {
        self.parts.send(bytes).await.ok()
    }

    async fn say(&self, text: &str) -> Heard {
        let plain = |c: char| if c.is_control() && c != '\t' { ' ' } else { c };
        let text: String = strip_ansi(text).trim_end().chars().map(plain).collect();
        self.send(receive::told(&format!("{text}\n"))).await
    }

    async fn tell(&self, received: Received) -> Heard {
        for text in &received.said {
            self.say(text).await?;
        }
        for deployment in &received.deployments {
            self.follow(deployment).await?;
        }
        Some(())
    }

    async fn follow(&self, deployment: &Deployment) -> Heard {
        let branch = deployment.branch.as_deref().unwrap_or_default();
        let commit = deployment.wanted_commit.as_deref().unwrap_or_default();
        let place = match deployment.target {
            Target::Production => "to production",
            Target::Preview => "as a preview",
        };
        let short = &commit[..commit.len().min(7)];
        self.say("").await?;
        self.say(&format!("Deploying {branch} ({short}) {place}: {}", deployment.id)).await?;
        self.say(&self.page(deployment)).await?;
        let (mut lines, shown) = self.app.push_log(&self.actor, &deployment.id);
        if !shown {
            self.say("This key may not read logs (`logs:read`).").await?;
        }
        let mut said = Instant::now();
        loop {
            tokio::select! {
                biased;
                () = self.app.stopping.cancelled() => return self.leave(deployment).await,
                line = lines.next() => match line {
                    Some(line) if shown => {
                        self.say(&format!("  {}", line.message)).await?;
                        said = Instant::now();
                    }
                    Some(_) => {}
                    None => break,
                },
                () = tokio::time::sleep_until(said + SILENCE) => {
                    self.send(receive::silence()).await?;
                    said = Instant::now();
                }
            }
        }
        self.end(deployment).await
    }

    fn page(&self, deployment: &Deployment) -> String {
        format!("{}/dashboard/deployments/{}", self.app.hosts.dashboard_url(), deployment.id)
    }

    async fn leave(&self, deployment: &Deployment) -> Heard {
        self.say("Orbitra is restarting. The deployment goes on; see how it ends here:").await?;
        self.say(&self.page(deployment)).await
    }

    /// How it ended.
    async fn end(&self, deployment: &Deployment) -> Heard {
        let mut changes = self.app.bus.subscribe();
        let deadline = Instant::now() + GRACE;
        loop {
            let Ok((now, project)) = self.app.pushed_deployment(&deployment.id).await else {
                return self.say("The deployment was deleted.").await;
            };
            if !now.state.unfinished() {
                for text in self.outcome(&now, &project) {
                    self.say(&text).await?;
                }
                return Some(());
            }
            let changed = App::change_of(&mut changes, &now.id);
            if tokio::time::timeout_at(deadline, changed).await.is_err() {
                return self.leave(deployment).await;
            }
        }
    }

    fn outcome(&self, deployment: &Deployment, project: &Project) -> Vec<String> {
        let hosts = &self.app.hosts;
        let own = hosts.url_of(&deployment.hostname);
        match deployment.status() {
            Status::Live => {
                let host = hostname::of_project(&project.name, hosts.base_domain());
                vec![format!("Live: {}", hosts.url_of(&host)), format!("This deployment: {own}")]
            }
            Status::Failed => failed(deployment, project, &self.page(deployment)),
            Status::Canceled => vec![match deployment.cancel_reason {
                Some(CancelReason::NewerCommit) => {
                    "Canceled: a newer push takes its place.".to_owned()
                }
                Some(CancelReason::BranchDeleted) => "Canceled: its branch was deleted.".to_owned(),
                _ => "The deployment was canceled. What was pushed is kept.".to_owned(),
            }],
            Status::Staged if deployment.promote => vec![
                format!("Ready: {own}"),
                "Visitors stay where they are until it is promoted:".to_owned(),
                self.page(deployment),
            ],
            _ => {
                let branch = deployment.branch_label.as_deref();
                let branch =
                    branch.map(|label| format!("The branch: {}", hosts.url_of_branch(label)));
                std::iter::once(format!("Ready: {own}")).chain(branch).collect()
            }
        }
    }
}

fn failed(deployment: &Deployment, project: &Project, page: &str) -> Vec<String> {
    let mut said = Vec::new();
    if let Some(failure) = &deployment.failure {
        let first = failure.message.lines().next().unwrap_or_default();
        said.push(format!("The deployment failed: {first}"));
        if let Some(found) = &failure.diagnosis {
            said.push(found.hint.clone());
        }
    } else {
        said.push("The deployment failed.".to_owned());
    }
    said.push(match project.live_deployment_id {
        Some(_) => "What was pushed is kept. Visitors get what they had before.".to_owned(),
        None => "What was pushed is kept. Nothing was live before.".to_owned(),
    });
    said.push(format!("The whole log: {page}"));
    said
}
