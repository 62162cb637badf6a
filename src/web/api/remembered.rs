//! Answers that are given again as long as nothing was written: between two commits of the database, a
//! read that was answered needs no second look.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::header::LINK;
use http::{HeaderValue, Method, StatusCode};

use super::Api;
use super::guards::Caller;
use super::respond::{self, Written};

/// Most bytes of all answers together; when there are more, all of them go.
const LIMIT: usize = 2 * 1024 * 1024;

/// What was answered since the last commit. Clones share it.
#[derive(Clone, Default)]
pub struct Remembered(Arc<Mutex<Answers>>);

#[derive(Default)]
struct Answers {
    /// The commit all of them belong to.
    commit: u64,
    bytes: usize,
    by_question: HashMap<String, (Written, Option<HeaderValue>)>,
}

impl Remembered {
    fn find(&self, commit: u64, question: &str) -> Option<(Written, Option<HeaderValue>)> {
        let answers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if answers.commit != commit {
            return None;
        }
        answers.by_question.get(question).cloned()
    }

    fn keep(&self, commit: u64, question: String, answer: (Written, Option<HeaderValue>)) {
        let mut answers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let size = question.len() + answer.0.len() + 128;
        if answers.commit != commit || answers.bytes + size > LIMIT {
            *answers = Answers { commit, ..Answers::default() };
        }
        answers.bytes += size;
        answers.by_question.insert(question, answer);
    }
}

/// Answers from memory, or remembers the answer. Only for reads whose answer follows from the database and the caller alone.
pub async fn answer(State(api): State<Api>, request: Request, next: Next) -> Response {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return next.run(request).await;
    }
    let Some(question) = question(&request) else { return next.run(request).await };
    // Before anything is read: what is committed meanwhile makes the answer one of yesterday.
    let commits = api.app.db.commits();
    let commit = *commits.borrow();
    if let Some((written, link)) = api.remembered.find(commit, &question) {
        let mut response = respond::written(&written);
        if let Some(link) = link {
            response.headers_mut().insert(LINK, link);
        }
        return response;
    }
    let mut response = next.run(request).await;
    if let Some(written) = response.extensions_mut().remove::<Written>()
        && response.status() == StatusCode::OK
        && *commits.borrow() == commit
    {
        let link = response.headers().get(LINK).cloned();
        api.remembered.keep(commit, question, (written, link));
    }
    response
}

/// Who asks what. A caller without a key asks for itself alone.
fn question(request: &Request) -> Option<String> {
    let caller = request.extensions().get::<Caller>()?;
    Some(format!("{} {}", caller.key_id()?, request.uri().path_and_query()?))
}
