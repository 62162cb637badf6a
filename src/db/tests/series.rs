use std::time::Duration;

use super::{Fixture, deployment, fixture, project, with_project};
use crate::db::series::{self, Seen, Whose};
use crate::db::{Connection, DbError, projects};
use crate::model::problems::Problems;
use crate::model::series::{Metric, Point, Resolution, Span};
use crate::model::timestamp::Timestamp;

/// 2026-01-20T16:30:00Z
const BEGIN: Timestamp = Timestamp(1_768_926_600_000);

fn at(seconds: u64) -> Timestamp {
    BEGIN.plus(Duration::from_secs(seconds))
}

fn seen(instance: u32, point: Point) -> Seen {
    let of = deployment(1, 1);
    Seen { project: of.project_id, deployment: of.id, instance, point }
}

/// Requests that all took as long as this slot of a histogram says.
fn requests(count: u64, slot: usize) -> Seen {
    let mut point = Point { bytes: 10 * count, ..Point::default() };
    point.classes[2] = count;
    point.buckets[slot] = count;
    seen(0, point)
}

/// The points of a time that ends now, in steps, all series together.
fn read(
    c: &Connection,
    now: Timestamp,
    back: u64,
    step: i64,
) -> Result<Vec<(i64, Point)>, DbError> {
    let from = Timestamp(now.0 - i64::try_from(back * 1000).unwrap_or(0));
    let mut problems = Problems::default();
    let span = Span::choose(Some(from), Some(now), Some(step), now, &mut problems);
    let span = span.unwrap_or_else(|| panic!("{problems:?}"));
    let mut found: Vec<(i64, Point)> = Vec::new();
    series::read(c, &Whose::Project(project(1, "").id), span, |_, _, at, point| {
        let step = at.div_euclid(span.step) * span.step;
        match found.last_mut().filter(|(last, _)| *last == step) {
            Some((_, sum)) => sum.then(point),
            None => found.push((step, *point)),
        }
    })?;
    Ok(found)
}

fn rows(c: &Connection) -> Result<Vec<(i64, i64)>, DbError> {
    let sql = "SELECT step, count(*) FROM series_blocks GROUP BY step ORDER BY step";
    let rows = c
        .prepare(sql)?
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<_, _>>()?;
    Ok(rows)
}

async fn on<T: Send + 'static>(
    fixture: &Fixture,
    work: impl FnOnce(&Connection) -> Result<T, DbError> + Send + 'static,
) -> T {
    fixture.db.write(work).await.expect("written")
}

#[tokio::test]
async fn each_resolution_has_the_sum_of_what_was_seen() {
    let fixture = fixture();
    with_project(&fixture).await;
    on(&fixture, |c| {
        // Two looks within one interval, and one of slow requests in the next.
        series::add(c, at(1), &requests(90, 0))?;
        series::add(c, at(3), &requests(9, 0))?;
        series::add(c, at(20), &requests(1, 9))?;
        series::add(c, at(3600), &requests(5, 0))?;
        for (step, expected) in [
            (15, vec![(0, 99), (15, 1), (3600, 5)]),
            (60, vec![(0, 100), (3600, 5)]),
            (300, vec![(0, 100), (3600, 5)]),
            (3600, vec![(-1800, 100), (1800, 5)]),
        ] {
            let found = read(c, at(5400), 5400, step)?;
            let counted: Vec<_> =
                found.iter().map(|(at, point)| (at - BEGIN.seconds(), point.requests())).collect();
            assert_eq!(counted, expected, "{step}");
        }
        // Percentiles of the minute are those of its requests, not the mean of its quarters'.
        let minute = read(c, at(5400), 5400, 60)?[0].1;
        assert!(Metric::LatencyP99.value(&minute).is_some_and(|millis| millis <= 1.0));
        assert_eq!(Metric::Egress.value(&minute), Some(1000.0));
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn each_resolution_is_kept_as_long_as_it_says_and_the_coarser_go_on() {
    let fixture = fixture();
    with_project(&fixture).await;
    on(&fixture, |c| {
        series::add(c, BEGIN, &requests(3, 0))?;
        assert_eq!(rows(c)?, [(15, 1), (60, 1), (3600, 1)]);
        let day = 86_400;
        for (later, left) in [
            (day, vec![(15, 1), (60, 1), (3600, 1)]),
            (day + 600, vec![(60, 1), (3600, 1)]),
            (7 * day, vec![(60, 1), (3600, 1)]),
            (7 * day + 7200, vec![(3600, 1)]),
            (400 * day, vec![(3600, 1)]),
            (402 * day, vec![]),
        ] {
            series::forget(c, at(later))?;
            assert_eq!(rows(c)?, left, "{later}");
            if later == 7 * day + 7200 {
                let seen = read(c, at(later), later + 3600, 3600)?;
                assert_eq!(seen.iter().map(|(_, point)| point.requests()).sum::<u64>(), 3);
            }
        }
        let series: i64 = c.query_row("SELECT count(*) FROM series", [], |row| row.get(0))?;
        assert_eq!(series, 0);
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn figures_go_with_their_project_and_none_come_to_one_that_is_gone() {
    let fixture = fixture();
    with_project(&fixture).await;
    on(&fixture, |c| {
        series::add(c, BEGIN, &requests(3, 0))?;
        projects::mark_deleted(c, &project(1, "").id, BEGIN)?;
        projects::purge(c, &project(1, "").id)?;
        assert!(rows(c)?.is_empty());
        series::add(c, BEGIN, &requests(3, 0))?;
        assert!(rows(c)?.is_empty());
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_block_that_is_none_is_told_and_nothing_is_written_over_it() {
    let fixture = fixture();
    with_project(&fixture).await;
    on(&fixture, |c| {
        series::add(c, BEGIN, &requests(3, 0))?;
        c.execute("UPDATE series_blocks SET points = x'80'", [])?;
        assert!(matches!(series::add(c, BEGIN, &requests(3, 0)), Err(DbError::Broken(_))));
        assert!(matches!(read(c, at(60), 3600, 60), Err(DbError::Broken(_))));
        Ok(())
    })
    .await;
}

/// What a busy deployment takes up on the disk when everything is kept that there can be.
#[tokio::test]
async fn a_busy_deployment_takes_little_room() {
    let fixture = fixture();
    with_project(&fixture).await;
    let bytes = on(&fixture, |c| {
        // The blocks as they are full: every interval of them has different figures.
        let point = |number: u64| {
            let mut point = Point {
                bytes: 70_000 + 977 * number,
                in_flight: 1 + number % 9,
                ..Point::default()
            };
            point.classes[2..].copy_from_slice(&[900 + number % 100, 20, 7, number % 3]);
            for (slot, count) in point.buckets.iter_mut().take(9).enumerate() {
                *count = (number * 31 + slot as u64 * 17) % 300;
            }
            point
        };
        series::add(c, BEGIN, &requests(1, 0))?;
        for resolution in Resolution::ALL {
            let mut block = crate::model::series::Block::default();
            (0..resolution.per_block()).for_each(|place| {
                block.add(
                    u16::try_from(place).unwrap_or(0),
                    &point(u64::try_from(place).unwrap_or(0)),
                );
            });
            let kept = i64::try_from(resolution.kept().as_secs()).unwrap_or(0);
            let blocks = kept / resolution.block_seconds();
            let mut insert =
                c.prepare("INSERT OR REPLACE INTO series_blocks VALUES (1, ?1, ?2, ?3)")?;
            for number in 0..blocks {
                let start = number * resolution.block_seconds();
                insert.execute((resolution.seconds(), start, block.write()))?;
            }
        }
        let sql = "SELECT sum(pgsize) FROM dbstat WHERE name = 'series_blocks'";
        Ok(c.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap_or(-1))
    })
    .await;
    assert!((1..1_300_000).contains(&bytes), "{bytes} bytes");
}
