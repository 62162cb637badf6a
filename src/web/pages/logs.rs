//! `/dashboard/projects/{name}/logs`: what a project's containers write while they run, and the requests they
//! get; of one deployment with `?deployment=`.

use axum::body::Bytes;
use axum::extract::{Path, State};
use futures_util::{StreamExt, future, stream};
use http::HeaderMap;

use super::log_text::{PAGE, as_file};
use super::logs_filter::Filter;
use super::params::Params;
use super::respond::{self, Answer};
use super::streams::Kind;
use super::{PageError, Pages, Visitor, failure, log_stream, show};
use crate::app::App;
use crate::app::runtime_logs::Logged;
use crate::db::deployments::DeploymentFilter;
use crate::db::page::PageRequest;
use crate::logs::{Order, Selection, strip_ansi};
use crate::model::ids::ProjectId;
use crate::model::log_line::{LogLevel, LogLine, LogSource};
use crate::model::project::Project;
use crate::web::session::hash;
use crate::web::view::log as view;
use crate::web::view::logs::LogsPage;
use crate::web::view::time::Millis;

/// Most lines of a page.
const SHOWN: usize = 200;
/// Most bytes of their HTML; a page with longer lines has fewer of them.
const SHOWN_BYTES: usize = 45 * 1024;
/// Deployments that can be chosen.
const LISTED: u32 = 20;

/// The page: the newest lines, or those before one.
pub async fn show(
    State(pages): State<Pages>,
    visitor: Visitor,
    Path(name): Path<String>,
    params: Params,
) -> Answer {
    let project = pages.app.project(&visitor.signed_in.actor, &name).await?;
    let filter = Filter::of(&params);
    let mut wanted = chosen(&pages, &visitor, &project, &filter).await?;
    let before: Option<u64> = params.get("before").parse().ok();
    wanted.before_seq = before;
    let found = pages.app.runtime_log(&project.id, wanted, 0, SHOWN, Order::Descending).await?;
    let lines = fitting(&found.lines);
    let whole = found.lines.len() < SHOWN && lines.len() == found.lines.len();
    let path = format!("/dashboard/projects/{}/logs", project.name);
    let deployments = deployments(&pages, &visitor, &project, &filter).await?;
    let earlier = (!whole).then(|| lines.first().map(|line| line.seq)).flatten();
    respond::html(&LogsPage {
        shell: visitor.shell().await?,
        older: earlier.map(|first| filter.address(&path, Some(first))),
        newest: before.map(|_| filter.address(&path, None)),
        stream: before.is_none().then(|| filter.address(&format!("{path}/stream"), None)),
        text: filter.address(&format!("{path}.txt"), None),
        filter: filter.view(deployments),
        chooses: filter.chooses(),
        after: found.next_after_seq,
        kept: kept(&pages.app),
        project: project.name,
        lines,
    })
}

/// Which lines are wanted. A deployment of another project is as unknown as one that does not exist.
async fn chosen(
    pages: &Pages,
    visitor: &Visitor,
    project: &Project,
    filter: &Filter,
) -> Result<Selection, PageError> {
    let mut wanted = filter.selection(pages.app.clock.now());
    let named = match filter.deployment.as_str() {
        "" => Logged::Project(project.id.as_str()),
        id => Logged::Deployment(id),
    };
    let of = pages.app.runtime_log_of(&visitor.signed_in.actor, named, &mut wanted).await?;
    if of == project.id { Ok(wanted) } else { Err(PageError::not_found()) }
}

/// The newest lines that fit on a page, oldest first; at least one. They come newest first.
fn fitting(newest: &[LogLine]) -> Vec<view::LogLine> {
    let mut bytes = 0;
    let mut lines: Vec<_> = newest
        .iter()
        .map(view_of)
        .enumerate()
        .take_while(|(at, line)| {
            bytes += view::ROW_BYTES + line.html().len();
            *at == 0 || bytes <= SHOWN_BYTES
        })
        .map(|(_, line)| line)
        .collect();
    lines.reverse();
    lines
}

/// The last deployments with the digits of their commits, and the one that is chosen.
async fn deployments(
    pages: &Pages,
    visitor: &Visitor,
    project: &Project,
    filter: &Filter,
) -> Result<Vec<(String, String)>, PageError> {
    let (actor, page) = (&visitor.signed_in.actor, PageRequest { page: 1, limit: LISTED });
    let all = DeploymentFilter::default();
    let found = pages.app.deployments(actor, Some(project.id.as_str()), all, page).await?;
    let name = |deployment: &crate::model::deployment::Deployment| {
        let made = show::moment(deployment.created_at).short();
        (deployment.id.to_string(), format!("{}, {made}", show::short(deployment)))
    };
    let mut names: Vec<_> = found.items.iter().map(name).collect();
    let id = &filter.deployment;
    if !id.is_empty() && !names.iter().any(|(known, _)| known == id) {
        names.push(name(&pages.app.deployment(actor, id).await?.0));
    }
    Ok(names)
}

/// How long lines are kept: `7 days, and of those the newest 1 GB`.
fn kept(app: &App) -> String {
    let days = app.config.log_age.as_secs() / 86_400;
    let days = if days == 1 { "1 day".to_owned() } else { format!("{days} days") };
    let size = match app.config.log_bytes >> 20 {
        megabytes if megabytes.is_multiple_of(1024) => format!("{} GiB", megabytes / 1024),
        megabytes => format!("{megabytes} MiB"),
    };
    format!("{days}, and of those the newest {size}")
}

/// A line as the page shows it.
fn view_of(line: &LogLine) -> view::LogLine {
    let at = show::moment(line.ts);
    let error = line.level == LogLevel::Error;
    if let Some(http) = &line.http {
        let request = view::Request {
            method: &http.method,
            path: &http.path,
            status: http.status,
            took: Millis(http.duration_ms),
        };
        return view::LogLine::request(line.seq, at, &request, error);
    }
    let error = error || line.source == LogSource::App && failure::looks_like_error(&line.message);
    view::LogLine::output(line.seq, at, line.source.as_str(), &line.message, error)
}

// ---- As it grows ----

/// `GET …/logs/stream?after=`: frames of the lines the filter takes, until the project is deleted.
pub async fn stream(
    State(pages): State<Pages>,
    visitor: Visitor,
    Path(name): Path<String>,
    headers: HeaderMap,
    params: Params,
) -> Answer {
    let project = pages.app.project(&visitor.signed_in.actor, &name).await?;
    let wanted = chosen(&pages, &visitor, &project, &Filter::of(&params)).await?;
    let place = pages.streams.take(Kind::Log, hash(&visitor.signed_in.id));
    let after = log_stream::seen(&headers, &params);
    let lines = pages.app.follow_runtime_log(&project.id, after).await?;
    let lines = lines.filter(move |line| future::ready(wanted.takes(line))).boxed();
    Ok(log_stream::events(&pages, &visitor, place, lines, view_of))
}

// ---- As a text ----

/// `GET …/logs.txt`: every line that is kept now and that the filter takes, without colours.
pub async fn text(
    State(pages): State<Pages>,
    visitor: Visitor,
    Path(name): Path<String>,
    params: Params,
) -> Answer {
    let project = pages.app.project(&visitor.signed_in.actor, &name).await?;
    let mut wanted = chosen(&pages, &visitor, &project, &Filter::of(&params)).await?;
    let newest = Selection::default();
    let last = pages.app.runtime_log(&project.id, newest, 0, 1, Order::Descending).await?;
    // What is written from now on is not part of it, or it would never end.
    let end = last.next_after_seq;
    wanted.before_seq = Some(end.saturating_add(1));
    let name = format!("{}-runtime.log", project.name);
    let reader = Reader { app: pages.app.clone(), project: project.id, wanted, after: 0, end };
    Ok(as_file(respond::body(stream::unfold(reader, Reader::next)), &name))
}

struct Reader {
    app: App,
    project: ProjectId,
    wanted: Selection,
    after: u64,
    end: u64,
}

impl Reader {
    async fn next(mut self) -> Option<(Result<Bytes, std::io::Error>, Self)> {
        while self.after < self.end {
            let wanted = self.wanted.clone();
            let read =
                self.app.runtime_log(&self.project, wanted, self.after, PAGE, Order::Ascending);
            let page = match read.await {
                Ok(page) => page,
                Err(error) => {
                    self.after = self.end;
                    return Some((Err(std::io::Error::other(error.to_string())), self));
                }
            };
            if page.next_after_seq <= self.after {
                return None;
            }
            self.after = page.next_after_seq;
            if !page.lines.is_empty() {
                return Some((Ok(Bytes::from(lines_of(&page.lines))), self));
            }
        }
        None
    }
}

fn lines_of(lines: &[LogLine]) -> String {
    let mut text = String::new();
    for line in lines {
        text.push_str(&line.ts.with_millis());
        text.push(' ');
        text.push_str(line.source.as_str());
        text.push(' ');
        text.push_str(&strip_ansi(&line.message));
        text.push('\n');
    }
    text
}
