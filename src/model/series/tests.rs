use super::*;
use crate::model::problems::Problems;

const NOW: Timestamp = Timestamp(1_768_926_600_000);

fn ago(seconds: i64) -> Option<Timestamp> {
    Some(Timestamp(NOW.0 - seconds * 1000))
}

fn choose(from: Option<Timestamp>, step: Option<i64>) -> Result<Span, Problems> {
    let mut problems = Problems::default();
    Span::choose(from, None, step, NOW, &mut problems).ok_or(problems)
}

fn requests(count: u64, bucket: usize) -> Point {
    let mut point = Point::default();
    point.classes[2] = count;
    point.buckets[bucket] = count;
    point
}

#[test]
fn what_is_written_is_read_back() {
    let full = Point {
        classes: [1, 2, 3, 4, 5, 6],
        buckets: [u64::MAX; 15],
        bytes: 1 << 40,
        in_flight: 7,
        cpu_micros: 300,
        cpu_millis: 15_000,
        memory: 128,
    };
    let mut block = Block::default();
    for place in [19, 0, 7] {
        block.add(place, &full);
    }
    block.add(7, &Point::default());
    block.add(3, &Point::default());
    assert_eq!(Block::read(&block.write()), Some(block.clone()));
    let places: Vec<_> = block.points().map(|(place, _)| *place).collect();
    assert_eq!(places, [0, 3, 7, 19]);
    // What is no block is told from one, wherever it is cut off.
    let written = block.write();
    let cut: Vec<_> = (0..written.len()).filter_map(|end| Block::read(&written[..end])).collect();
    assert!(cut.len() < 5, "only between points");
    for garbage in [&[0x80][..], &[0, 0xff, 0xff, 0xff, 0xff, 0x7f], &[1, 0, 1, 0], &[0xff; 12]] {
        assert_eq!(Block::read(garbage), None, "{garbage:?}");
    }
}

#[test]
fn histograms_are_merged_and_percentiles_never_averaged() {
    // A quiet minute of slow requests among a busy one of quick ones.
    let (mut sum, slow) = (requests(990, 0), requests(10, 9));
    sum.then(&slow);
    let value = |metric: Metric| metric.value(&sum).unwrap();
    assert_eq!(value(Metric::Requests), 1000.0);
    assert!(value(Metric::LatencyP50) < 1.0 && value(Metric::LatencyP99) <= 1.0);
    let p99_of_slow = Metric::LatencyP99.value(&slow).unwrap();
    assert!(p99_of_slow > 500.0, "{p99_of_slow}");
    assert_eq!(Metric::LatencyP99.value(&Point::default()), None);
}

#[test]
fn levels_are_the_highest_over_time_and_the_sum_side_by_side() {
    let seen = |cpu_micros, cpu_millis, memory, in_flight| Point {
        cpu_micros,
        cpu_millis,
        memory,
        in_flight,
        ..Point::default()
    };
    let (mut later, mut beside) =
        (seen(15_000_000, 15_000, 100, 4), seen(15_000_000, 15_000, 100, 4));
    let other = seen(1_875_000, 7_500, 60, 1);
    later.then(&other);
    beside.beside(&other);
    let values = |point: &Point| {
        [Metric::Cpu, Metric::Memory, Metric::InFlight].map(|metric| metric.value(point).unwrap())
    };
    assert_eq!(values(&later), [750.0, 100.0, 4.0]);
    assert_eq!(values(&beside), [1250.0, 160.0, 5.0]);
    assert_eq!(Metric::Cpu.value(&Point::default()), None);
}

#[test]
fn blocks_are_of_whole_intervals_and_go_when_all_of_them_are_too_old() {
    for resolution in Resolution::ALL {
        let (start, place) = resolution.place(NOW.seconds());
        assert_eq!(start % resolution.block_seconds(), 0);
        assert!(i64::from(place) < resolution.per_block());
        let at = start + i64::from(place) * resolution.seconds();
        assert!(at <= NOW.seconds() && NOW.seconds() < at + resolution.seconds());
        let kept = i64::try_from(resolution.kept().as_secs()).unwrap();
        let (oldest, _) = resolution.place(NOW.seconds() - kept);
        assert!(oldest >= resolution.forgotten_before(NOW));
        assert!(oldest - 2 * resolution.block_seconds() < resolution.forgotten_before(NOW));
    }
    assert_eq!(Resolution::Fine.place(-1), (-300, 19));
}

#[test]
fn a_step_fits_what_is_kept_and_what_is_shown() {
    let hour = choose(None, None).unwrap();
    assert_eq!((hour.step, hour.count(), hour.source()), (60, 60, Resolution::Minute));
    for (seconds, step, source) in [
        (3600, 15, Resolution::Fine),
        (6 * 3600, 15, Resolution::Fine),
        (86_400, 60, Resolution::Minute),
        (7 * 86_400, 420, Resolution::Minute),
        (7 * 86_400, 3600, Resolution::Hour),
        (30 * 86_400, 3600, Resolution::Hour),
        (400 * 86_400, 86_400, Resolution::Hour),
        (1440 * 86_400, 86_400, Resolution::Hour),
    ] {
        let span = choose(ago(seconds), Some(step)).unwrap_or_else(|e| panic!("{seconds}: {e:?}"));
        assert!(span.count() <= MOST_POINTS && span.count() >= seconds / step, "{span:?}");
        assert_eq!((span.from % step, span.to % step, span.source()), (0, 0, source), "{span:?}");
    }
}

#[test]
fn a_step_that_cannot_be_names_the_smallest_that_can() {
    for (seconds, step, smallest) in [
        (3600, 0, "15"),
        (3600, -15, "15"),
        (3600, 7, "15"),
        (3600, 86_415, "15"),
        (12 * 3600, 15, "30"),
        (86_400, 15, "60"),
        (25 * 3600, 15, "120"),
        (3 * 86_400, 75, "180"),
        (30 * 86_400, 60, "3600"),
        (100 * 86_400, 3600, "7200"),
        (3600, i64::MAX, "15"),
        (3600, i64::MIN, "15"),
    ] {
        let problems = choose(ago(seconds), Some(step)).unwrap_err();
        let found = &problems.invalid_fields[0];
        assert_eq!((found.field.as_str(), found.code), ("step", "out_of_range"));
        assert_eq!(found.suggestion.as_deref(), Some(smallest), "{seconds} {step}");
        assert!(choose(ago(seconds), smallest.parse().ok()).is_ok());
    }
    for from in [ago(0), ago(-60), ago(1441 * 86_400), Some(Timestamp(i64::MIN / 1000))] {
        assert_eq!(choose(from, None).unwrap_err().invalid_fields[0].field, "from");
    }
    let mut problems = Problems::default();
    let (least, most) =
        (Timestamp::parse("-009999-01-01T00:00:00Z"), Timestamp::parse("9999-01-01T00:00:00Z"));
    assert_eq!(Span::choose(least, most, Some(1), NOW, &mut problems), None);
    assert_eq!(Span::choose(None, most, None, NOW, &mut problems).map(|span| span.step), Some(60));
}
