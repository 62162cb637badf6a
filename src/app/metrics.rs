//! Figures of projects and deployments over time.

use std::collections::BTreeMap;

use super::may::Action;
use super::{App, AppError};
use crate::db::series::Whose;
use crate::db::{self, DbError};
use crate::model::actor::Actor;
use crate::model::problems::Problems;
use crate::model::series::{Metric, Point, Series, Span};
use crate::model::timestamp::Timestamp;

/// What somebody wants to see.
#[derive(Clone, Debug, Default)]
pub struct Asked {
    /// None is all.
    pub metrics: Vec<Metric>,
    pub from: Option<Timestamp>,
    pub to: Option<Timestamp>,
    /// Seconds.
    pub step: Option<i64>,
}

/// What there is to see.
#[derive(Clone, Debug)]
pub struct Figures {
    pub span: Span,
    /// Those that have a point.
    pub series: Vec<Series>,
}

impl App {
    /// Figures of a project (id or name): of all its deployments together, also of those that are gone.
    ///
    /// # Errors
    /// There is none that this actor sees, the key lacks `metrics:read`, or the time cannot be shown in these steps.
    pub async fn project_metrics(
        &self,
        actor: &Actor,
        project: &str,
        asked: Asked,
        problems: Problems,
    ) -> Result<Figures, AppError> {
        let project = self.project_for(actor, Action::MetricsRead, project).await?;
        self.figures_of(Whose::Project(project.id), asked, problems).await
    }

    /// Figures of a deployment.
    ///
    /// # Errors
    /// As [`App::project_metrics`].
    pub async fn deployment_metrics(
        &self,
        actor: &Actor,
        id: &str,
        asked: Asked,
        problems: Problems,
    ) -> Result<Figures, AppError> {
        let (deployment, _) = self.deployment_for(actor, Action::MetricsRead, id).await?;
        self.figures_of(Whose::Deployment(deployment.id), asked, problems).await
    }

    async fn figures_of(
        &self,
        whose: Whose,
        asked: Asked,
        mut problems: Problems,
    ) -> Result<Figures, AppError> {
        let span = (!["from", "to", "step"].iter().any(|field| problems.has(field)))
            .then(|| {
                Span::choose(asked.from, asked.to, asked.step, self.clock.now(), &mut problems)
            })
            .flatten();
        AppError::check(problems)?;
        let Some(span) = span else {
            return Err(AppError::Internal("a span without problems".to_owned()));
        };
        let seen = self.db.read(move |c| Seen::read(c, &whose, span)).await?;
        let wanted = |metric: &&Metric| asked.metrics.is_empty() || asked.metrics.contains(metric);
        let metrics = Metric::ALL.iter().filter(wanted);
        let series = metrics.flat_map(|metric| seen.series(*metric)).collect();
        Ok(Figures { span, series })
    }

    /// Forgets figures that are kept long enough.
    pub async fn forget_old_figures(&self) {
        let now = self.clock.now();
        if let Err(error) = self.db.write(move |c| db::series::forget(c, now)).await {
            tracing::warn!(%error, "old figures could not be removed");
        }
    }
}

/// Points by the second that their step begins at.
type Points = BTreeMap<i64, Point>;

/// What was seen within a span, in its steps.
#[derive(Default)]
struct Seen {
    requests: Points,
    /// By the number of the container.
    containers: BTreeMap<u32, Points>,
}

impl Seen {
    /// First along the time of each series, then all of them side by side: levels are the highest of the one and the
    /// sum of the other.
    fn read(c: &db::Connection, whose: &Whose, span: Span) -> Result<Self, DbError> {
        let mut all = Self::default();
        let (mut current, mut own) = (None, Points::new());
        db::series::read(c, whose, span, |series, instance, at, point| {
            if current != Some((series, instance)) {
                all.take(current, &mut own);
                current = Some((series, instance));
            }
            let step = at.div_euclid(span.step) * span.step;
            own.entry(step).or_default().then(point);
        })?;
        all.take(current, &mut own);
        Ok(all)
    }

    fn take(&mut self, whose: Option<(i64, u32)>, own: &mut Points) {
        let Some((_, instance)) = whose else { return };
        let all = match instance {
            0 => &mut self.requests,
            number => self.containers.entry(number).or_default(),
        };
        for (at, point) in std::mem::take(own) {
            all.entry(at).or_default().beside(&point);
        }
    }

    fn series(&self, metric: Metric) -> Vec<Series> {
        let one = |label: Option<(&'static str, String)>,
                   points: &Points,
                   value: &dyn Fn(&Point) -> Option<f64>| {
            let points: Vec<_> = points
                .iter()
                .filter_map(|(at, point)| Some((Timestamp(at * 1000), value(point)?)))
                .collect();
            (!points.is_empty()).then_some(Series { metric, label, points })
        };
        let plain = |point: &Point| metric.value(point);
        if metric.of_containers() {
            let of = |(number, points): (&u32, &Points)| {
                one(Some(("instance", number.to_string())), points, &plain)
            };
            return self.containers.iter().filter_map(of).collect();
        }
        if metric == Metric::Responses {
            let classes = ["none", "1xx", "2xx", "3xx", "4xx", "5xx"].into_iter().enumerate();
            let of = |(class, name): (usize, &str)| {
                let count = |point: &Point| {
                    let count = point.classes[class];
                    (count > 0).then_some(count as f64)
                };
                one(Some(("status", name.to_owned())), &self.requests, &count)
            };
            return classes.filter_map(of).collect();
        }
        one(None, &self.requests, &plain).into_iter().collect()
    }
}
