//! A chart of lines over time as the data of a small SVG. The numbers stand in a table beside it.

use super::time::Moment;

/// Width and height of the picture in its own units; it is drawn as wide as there is room.
pub const WIDTH: i64 = 600;
pub const HEIGHT: i64 = 100;

/// The time that a chart shows, in milliseconds.
#[derive(Clone, Copy, Debug)]
pub struct Axis {
    pub from: Moment,
    pub to: Moment,
    pub step: i64,
}

/// One line, with a word for it.
#[derive(Clone, Debug)]
pub struct Line {
    /// `p95`.
    pub name: String,
    /// When each step begins, and the value.
    pub points: Vec<(Moment, f64)>,
}

impl Axis {
    /// Where a moment is, from 0 to [`WIDTH`].
    pub fn x(&self, at: &Moment) -> i64 {
        let (all, since) = ((self.to.0 - self.from.0).max(1), at.0 - self.from.0);
        (WIDTH * since / all).clamp(0, WIDTH)
    }

    /// How many steps there are.
    pub fn count(&self) -> usize {
        let steps = (self.to.0 - self.from.0).max(0) / self.step.max(1);
        usize::try_from(steps).unwrap_or(0)
    }

    /// Which step a moment is in, when it is in one.
    pub fn step_of(&self, at: Moment) -> Option<usize> {
        let since = at.0.checked_sub(self.from.0).filter(|since| *since >= 0)?;
        usize::try_from(since / self.step.max(1)).ok().filter(|step| *step < self.count())
    }

    /// The `d` of a path through these points. A step without a point is a gap, and one alone is a dot.
    pub fn path(&self, points: &[(Moment, f64)], top: f64) -> String {
        let mut path = String::new();
        let mut before: Option<Moment> = None;
        for (at, value) in points {
            let joined = before.is_some_and(|before| at.0 - before.0 <= self.step);
            if before.is_some() && !joined {
                path.push_str("h0");
            }
            let verb = if joined { 'L' } else { 'M' };
            path.push_str(&format!("{verb}{} {}", self.x(at), y(*value, top)));
            before = Some(*at);
        }
        if before.is_some() {
            path.push_str("h0");
        }
        path
    }
}

/// Where a value is, from the top down.
pub fn y(value: f64, top: f64) -> i64 {
    let part = if top > 0.0 { (value / top).clamp(0.0, 1.0) } else { 0.0 };
    HEIGHT - (part * HEIGHT as f64).round() as i64
}

/// The next round number above: 1, 2 or 5 with zeros.
pub fn round_up(value: f64) -> f64 {
    if value <= 0.0 || !value.is_finite() {
        return 1.0;
    }
    let unit = 10f64.powf(value.log10().floor());
    [1.0, 2.0, 5.0, 10.0].into_iter().map(|n| n * unit).find(|top| *top >= value).unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_are_gaps_and_one_alone_is_a_dot() {
        let axis = Axis { from: Moment(0), to: Moment(600_000), step: 60_000 };
        let points = [(0, 0.0), (60_000, 5.0), (240_000, 10.0), (420_000, 20.0)];
        let points = points.map(|(at, value)| (Moment(at), value));
        assert_eq!(axis.path(&points, 10.0), "M0 100L60 50h0M240 0h0M420 0h0");
        assert_eq!(axis.path(&[], 10.0), "");
        assert_eq!(axis.path(&points[..1], 0.0), "M0 100h0");
    }

    #[test]
    fn a_moment_is_in_one_step_or_in_none() {
        let axis = Axis { from: Moment(1000), to: Moment(4000), step: 1000 };
        assert_eq!(axis.count(), 3);
        for (at, step) in
            [(999, None), (1000, Some(0)), (1999, Some(0)), (3999, Some(2)), (4000, None)]
        {
            assert_eq!(axis.step_of(Moment(at)), step, "{at}");
        }
        let nothing = Axis { from: Moment(5), to: Moment(5), step: 0 };
        assert_eq!((nothing.count(), nothing.step_of(Moment(5))), (0, None));
    }

    #[test]
    fn the_top_is_a_round_number() {
        for (value, top) in [(0.0, 1.0), (0.3, 0.5), (1.0, 1.0), (41.0, 50.0), (501.0, 1000.0)] {
            assert!((round_up(value) - top).abs() < 1e-9, "{value}");
        }
        assert!((round_up(f64::NAN) - 1.0).abs() < 1e-9);
    }
}
