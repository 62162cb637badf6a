//! What a project's runtime log gets beside the output of its containers: requests, and words of Orbitra's own.

use std::collections::HashMap;

use super::Pipeline;
use crate::logs::{LogName, LogWriter, Redactor};
use crate::model::deployment::Deployment;
use crate::model::ids::ProjectId;
use crate::model::log_line::{LogLevel, LogSource, LogStream, NewLine};
use crate::routing::requests::Request;

/// Logs that are held open for requests to come.
const OPEN: usize = 64;

impl Pipeline {
    /// Writes down the requests that the data plane hands over, until the process stops.
    pub(super) async fn write_requests(&self) {
        let Some(mut requests) = self.routes.requests().take() else { return };
        let stopping = self.tasks.stopping();
        let mut logs: HashMap<ProjectId, LogWriter> = HashMap::new();
        loop {
            let request = tokio::select! {
                request = requests.recv() => request,
                () = stopping.cancelled() => return self.routes.requests().give_back(requests),
            };
            let Some(request) = request else { return };
            let project = &request.application.project;
            if !logs.contains_key(project) {
                if logs.len() >= OPEN {
                    logs.clear();
                }
                let name = LogName::Runtime(project.clone());
                match self.logs.writer(name, Redactor::default()).await {
                    Ok(log) => {
                        logs.insert(project.clone(), log);
                    }
                    Err(error) => tracing::warn!(%project, %error, "a log cannot be opened"),
                }
            }
            if let Some(log) = logs.get(project) {
                write_request(log, request);
            }
        }
    }

    /// Says something of a deployment in its project's runtime log.
    pub(super) async fn tell(&self, deployment: &Deployment, level: LogLevel, message: String) {
        let name = LogName::Runtime(deployment.project_id.clone());
        match self.logs.writer(name, Redactor::default()).await {
            Ok(log) => log.about(&deployment.id, None).append(NewLine {
                ts: self.clock.now(),
                source: LogSource::System,
                stream: LogStream::Stdout,
                level,
                phase: None,
                message,
            }),
            Err(error) => {
                tracing::warn!(deployment = %deployment.id, %error, "a log cannot be opened");
            }
        }
    }
}

fn write_request(log: &LogWriter, request: Request) {
    let Request { application, ts, http } = request;
    let level = match http.status {
        500.. => LogLevel::Error,
        400.. => LogLevel::Warn,
        _ => LogLevel::Info,
    };
    let message = format!("{} {} {} {} ms", http.method, http.path, http.status, http.duration_ms);
    let stream = LogStream::Stdout;
    let line = NewLine { ts, source: LogSource::Proxy, stream, level, phase: None, message };
    log.about(&application.deployment, None).append_request(line, http);
}
