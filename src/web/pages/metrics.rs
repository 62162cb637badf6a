//! `/dashboard/projects/{name}/metrics`: figures over time; of one deployment with `?deployment=`.

use axum::body::Body;
use axum::extract::{Path, State};

use super::log_text::as_file;
use super::params::Params;
use super::respond::{self, Answer};
use super::{PageError, Pages, Visitor, show};
use crate::app::metrics::{Asked, Figures};
use crate::db::deployments::DeploymentFilter;
use crate::db::page::PageRequest;
use crate::model::deployment::Deployment;
use crate::model::problems::Problems;
use crate::model::project::Project;
use crate::model::series::{Metric, Series};
use crate::model::timestamp::Timestamp;
use crate::web::view::chart::{Axis, Line};
use crate::web::view::metrics::{Figure, MetricsPage, RANGES};
use crate::web::view::shell::Shell;
use crate::web::view::size::size;
use crate::web::view::time::Moment;

/// Deployments that are looked at for those that went live in the time that is shown.
const LISTED: u32 = 100;
/// Most of them that are marked.
const MARKED: usize = 20;

/// What is shown, and of what.
struct Shown {
    project: Project,
    deployment: Option<Deployment>,
    range: &'static str,
    figures: Figures,
}

/// The page, or with `?part=figures` what of it changes.
pub async fn show(
    State(pages): State<Pages>,
    visitor: Visitor,
    Path(name): Path<String>,
    params: Params,
) -> Answer {
    match params.get("part") {
        "" => {
            let shell = visitor.shell().await?;
            respond::html(&page(&pages, &visitor, &name, &params, shell).await?)
        }
        "figures" => {
            let page = page(&pages, &visitor, &name, &params, visitor.bare_shell()).await?;
            respond::html(&page.as_figures())
        }
        _ => Err(PageError::not_found()),
    }
}

async fn page(
    pages: &Pages,
    visitor: &Visitor,
    name: &str,
    params: &Params,
    shell: Shell,
) -> Result<MetricsPage, PageError> {
    let shown = read(pages, visitor, name, params).await?;
    let span = shown.figures.span;
    let axis =
        Axis { from: Moment(span.from * 1000), to: Moment(span.to * 1000), step: span.step * 1000 };
    let (actor, page) = (&visitor.signed_in.actor, PageRequest { page: 1, limit: LISTED });
    let id = shown.project.id.as_str();
    let found = pages.app.deployments(actor, Some(id), DeploymentFilter::default(), page).await?;
    let marks = found.items.iter().filter_map(|deployment| {
        let at = deployment.live_at.map(show::moment)?;
        let within = axis.from <= at && at < axis.to;
        within.then(|| (deployment.id.to_string(), show::short(deployment), at))
    });
    Ok(MetricsPage {
        shell,
        deployment: shown.deployment.as_ref().map(|one| (one.id.to_string(), show::short(one))),
        range: shown.range,
        deployed: !found.items.is_empty(),
        axis,
        figures: figures(&shown.figures.series, shown.project.runtime.memory_mb),
        marks: marks.take(MARKED).collect(),
        project_id: shown.project.id.to_string(),
        project: shown.project.name,
    })
}

/// The same figures as a table with commas.
pub async fn csv(
    State(pages): State<Pages>,
    visitor: Visitor,
    Path(name): Path<String>,
    params: Params,
) -> Answer {
    let shown = read(&pages, &visitor, &name, &params).await?;
    let mut text = "from,metric,unit,label,value\n".to_owned();
    for series in &shown.figures.series {
        let (metric, unit) = (series.metric.as_str(), series.metric.unit());
        let label = series.label.as_ref().map_or("", |(_, value)| value);
        for (at, value) in &series.points {
            text.push_str(&format!("{at},{metric},{unit},{label},{value}\n"));
        }
    }
    Ok(as_file(Body::from(text), &format!("{}-metrics.csv", shown.project.name)))
}

/// A deployment of another project is as unknown as one that does not exist.
async fn read(
    pages: &Pages,
    visitor: &Visitor,
    name: &str,
    params: &Params,
) -> Result<Shown, PageError> {
    let actor = &visitor.signed_in.actor;
    let project = pages.app.project(actor, name).await?;
    let chosen = RANGES.iter().find(|(range, _)| *range == params.get("range"));
    let range = chosen.map_or("1h", |(range, _)| range);
    // A hundred to two hundred points each.
    let (seconds, step) = match range {
        "24h" => (24 * 3600, 600),
        "7d" => (7 * 24 * 3600, 3600),
        "30d" => (30 * 24 * 3600, 4 * 3600),
        _ => (3600, 60),
    };
    let now = pages.app.clock.now();
    let asked = Asked {
        from: Some(Timestamp(now.0 - seconds * 1000)),
        step: Some(step),
        ..Asked::default()
    };
    let deployment = match params.get("deployment") {
        "" => None,
        id => {
            let (deployment, _) = pages.app.deployment(actor, id).await?;
            if deployment.project_id != project.id {
                return Err(PageError::not_found());
            }
            Some(deployment)
        }
    };
    let problems = Problems::default();
    let figures = match &deployment {
        None => pages.app.project_metrics(actor, project.id.as_str(), asked, problems).await?,
        Some(one) => pages.app.deployment_metrics(actor, one.id.as_str(), asked, problems).await?,
    };
    Ok(Shown { project, deployment, range, figures })
}

fn figures(series: &[Series], memory_mb: u32) -> Vec<Figure> {
    let all = |metric: Metric| series.iter().filter(move |one| one.metric == metric);
    let line = |one: &Series, name: String| Line {
        name,
        points: one.points.iter().map(|(at, value)| (show::moment(*at), *value)).collect(),
    };
    let named = |wanted: &[(Metric, &str)]| -> Vec<Line> {
        let of = |(metric, name): &(Metric, &str)| {
            all(*metric).next().map(|one| line(one, (*name).to_owned()))
        };
        wanted.iter().filter_map(of).collect()
    };
    let instances = |metric: Metric| -> Vec<Line> {
        let name = |one: &Series| {
            one.label.as_ref().map_or_else(String::new, |(_, number)| format!("Instance {number}"))
        };
        all(metric).map(|one| line(one, name(one))).collect()
    };
    let total =
        |metric: Metric| all(metric).flat_map(|one| &one.points).map(|(_, v)| v).sum::<f64>();
    let requests = named(&[(Metric::Requests, "Requests"), (Metric::Errors, "Errors")]);
    let latency = named(&[
        (Metric::LatencyP50, "p50"),
        (Metric::LatencyP95, "p95"),
        (Metric::LatencyP99, "p99"),
    ]);
    let (cpu, memory) = (instances(Metric::Cpu), instances(Metric::Memory));
    let egress = named(&[(Metric::Egress, "Sent")]);
    let counted = match (total(Metric::Requests), total(Metric::Errors)) {
        (all, 0.0) => format!("{} requests, none of them failed with 5xx.", count(all)),
        (all, bad) => format!("{} requests, {} of them failed with 5xx.", count(all), count(bad)),
    };
    let limit = f64::from(memory_mb) * 1024.0 * 1024.0;
    let figure = |id, title, sentence: String, lines, limit, unit| Figure {
        id,
        title,
        sentence,
        lines,
        limit,
        unit,
    };
    let p95 = latency.iter().find(|line| line.name == "p95").map(|p95| levels(&[p95], millis));
    vec![
        figure("requests", "Requests", counted, requests, None, count),
        figure(
            "latency",
            "Response time",
            p95.map_or_else(String::new, |said| format!("p95 {said}.")),
            latency,
            None,
            millis,
        ),
        figure("cpu", "CPU", said(&cpu, cores), cpu, None, cores),
        figure(
            "memory",
            "Memory",
            format!("{} Each may use {memory_mb} MiB.", said(&memory, mebibytes)),
            memory,
            Some(limit),
            mebibytes,
        ),
        figure(
            "egress",
            "Network out",
            format!("{} of answers.", bytes(total(Metric::Egress))),
            egress,
            None,
            bytes,
        ),
    ]
}

fn said(lines: &[Line], unit: fn(f64) -> String) -> String {
    format!("{}.", levels(&lines.iter().collect::<Vec<_>>(), unit))
}

/// `41 ms now, highest 220 ms at 23 Nov 11:58 UTC`, of the highest of all lines.
fn levels(lines: &[&Line], unit: fn(f64) -> String) -> String {
    let newest = lines.iter().filter_map(|line| line.points.last());
    let last = newest.clone().map(|(at, _)| *at).max();
    let now = newest.filter(|(at, _)| Some(*at) == last).map(|(_, value)| *value);
    let highest = lines.iter().flat_map(|line| &line.points).max_by(|a, b| a.1.total_cmp(&b.1));
    match highest {
        None => "Nothing was seen".to_owned(),
        Some((at, value)) => format!(
            "{} at last, highest {} at {}",
            unit(now.fold(0.0, f64::max)),
            unit(*value),
            at.short()
        ),
    }
}

fn count(value: f64) -> String {
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn millis(value: f64) -> String {
    if value < 10.0 { format!("{value:.1} ms") } else { format!("{value:.0} ms") }
}

fn cores(value: f64) -> String {
    format!("{:.2} cores", value / 1000.0)
}

fn mebibytes(value: f64) -> String {
    format!("{:.0} MiB", value / (1024.0 * 1024.0))
}

fn bytes(value: f64) -> String {
    // Sums of counts: never negative, and beyond the largest number it is that.
    size(value as u64)
}
