//! Places where a test lets the program die, fail, stand still or panic. In a release build every call here is
//! empty: only builds with debug assertions, which the tests run, look at `ORBITRA_FAILPOINTS`.
//!
//! The setting is a list such as `clone.done=kill; build.start=2*error; db.after_commit=kill@5`: at this place do
//! that; at most so often (`2*`); only from the fifth time on that the place is passed (`@5`). `commit-then-kill`,
//! inside a transaction, kills when it is on the disk and before anybody is answered. `until(/path)` stands still until
//! there is a file of this name.

/// The error a test asked for.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the failpoint {0} fails")]
pub struct Injected(pub &'static str);

#[cfg(debug_assertions)]
pub use armed::{arm, at, now};
#[cfg(not(debug_assertions))]
pub use empty::{arm, at, now};

/// Passes a place that has no error of its own to give.
pub async fn pass(name: &'static str) {
    let _ = at(name).await;
}

#[cfg(not(debug_assertions))]
mod empty {
    use super::Injected;

    /// Nothing.
    pub fn arm(_: &str) {}

    /// Nothing.
    #[inline(always)]
    pub async fn at(_: &'static str) -> Result<(), Injected> {
        Ok(())
    }

    /// Nothing.
    #[inline(always)]
    pub fn now(_: &'static str) -> Result<(), Injected> {
        Ok(())
    }
}

#[cfg(debug_assertions)]
mod armed {
    use std::collections::HashMap;
    use std::path::Path;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::sync::{Mutex, PoisonError};
    use std::time::Duration;

    use super::Injected;

    static ARMED: AtomicBool = AtomicBool::new(false);
    static POINTS: Mutex<Option<HashMap<String, Point>>> = Mutex::new(None);

    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    enum Action {
        /// SIGKILL to this process.
        Kill,
        /// SIGKILL as soon as the next commit is on the disk.
        CommitThenKill,
        Error,
        Panic,
        Sleep(Duration),
        /// Until there is a file of this name.
        Until(&'static Path),
    }

    /// Pause between two looks for a file.
    const LOOK: Duration = Duration::from_millis(5);

    struct Point {
        action: Action,
        /// How often it still acts.
        times: u32,
        /// How often it is passed before it acts.
        skips: u32,
    }

    /// Puts these failpoints in the place of those that were armed.
    ///
    /// # Panics
    /// The list cannot be read: a test that arms nothing would pass for no reason.
    pub fn arm(list: &str) {
        let entries = list.split(';').map(str::trim).filter(|entry| !entry.is_empty());
        let points: HashMap<_, _> = entries
            .map(|entry| parse(entry).unwrap_or_else(|| panic!("no failpoint: `{entry}`")))
            .collect();
        ARMED.store(!points.is_empty(), Ordering::SeqCst);
        *POINTS.lock().unwrap_or_else(PoisonError::into_inner) = Some(points);
    }

    fn parse(entry: &str) -> Option<(String, Point)> {
        let (name, rest) = entry.split_once('=')?;
        let (times, rest) = match rest.split_once('*') {
            Some((times, rest)) => (times.parse().ok()?, rest),
            None => (u32::MAX, rest),
        };
        let (word, skips) = match rest.split_once('@') {
            Some((word, turn)) => (word, turn.parse::<u32>().ok()?.checked_sub(1)?),
            None => (rest, 0),
        };
        let action = match word {
            "kill" => Action::Kill,
            "commit-then-kill" => Action::CommitThenKill,
            "error" => Action::Error,
            "panic" => Action::Panic,
            _ => {
                let (what, argument) = word.strip_suffix(')')?.split_once('(')?;
                match what {
                    "sleep" => Action::Sleep(Duration::from_millis(argument.parse().ok()?)),
                    // It is armed a few times in the life of a process, and stays as long.
                    "until" => Action::Until(Path::new(argument.to_owned().leak())),
                    _ => return None,
                }
            }
        };
        Some((name.to_owned(), Point { action, times, skips }))
    }

    fn action(name: &str) -> Option<Action> {
        if !ARMED.load(Ordering::Relaxed) {
            return None;
        }
        let mut points = POINTS.lock().unwrap_or_else(PoisonError::into_inner);
        let point = points.as_mut()?.get_mut(name)?;
        if point.skips > 0 {
            point.skips -= 1;
            return None;
        }
        point.times = point.times.checked_sub(1)?;
        Some(point.action)
    }

    /// A place in asynchronous work.
    ///
    /// # Errors
    /// The one a test asked for.
    pub async fn at(name: &'static str) -> Result<(), Injected> {
        match action(name) {
            Some(Action::Sleep(time)) => tokio::time::sleep(time).await,
            Some(Action::Until(file)) => {
                while !file.exists() {
                    tokio::time::sleep(LOOK).await;
                }
            }
            other => return act(name, other),
        }
        Ok(())
    }

    /// A place inside a transaction.
    ///
    /// # Errors
    /// The one a test asked for.
    pub fn now(name: &'static str) -> Result<(), Injected> {
        let wanted = action(name);
        match wanted {
            Some(Action::Sleep(time)) => std::thread::sleep(time),
            Some(Action::Until(file)) => {
                while !file.exists() {
                    std::thread::sleep(LOOK);
                }
            }
            _ => {}
        }
        act(name, wanted)
    }

    fn act(name: &'static str, wanted: Option<Action>) -> Result<(), Injected> {
        match wanted {
            Some(Action::Kill) => {
                let own = rustix::process::getpid();
                let _ = rustix::process::kill_process(own, rustix::process::Signal::KILL);
                // Nothing more is done until the signal is there.
                loop {
                    std::thread::park();
                }
            }
            Some(Action::CommitThenKill) => {
                let mut points = POINTS.lock().unwrap_or_else(PoisonError::into_inner);
                let kill = Point { action: Action::Kill, times: 1, skips: 0 };
                points.get_or_insert_default().insert("db.after_commit".to_owned(), kill);
                Ok(())
            }
            Some(Action::Panic) => panic!("the failpoint {name} panics"),
            Some(Action::Error) => Err(Injected(name)),
            Some(Action::Sleep(_) | Action::Until(_)) | None => Ok(()),
        }
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn a_list_is_read_whole_or_not_at_all() {
            let (name, point) = parse("clone.done=2*sleep(60000)@3").expect("one");
            assert_eq!((name.as_str(), point.times, point.skips), ("clone.done", 2, 2));
            assert_eq!(point.action, Action::Sleep(Duration::from_secs(60)));
            let (_, point) = parse("clone.start=until(/tmp/open)").expect("one");
            assert_eq!(point.action, Action::Until(Path::new("/tmp/open")));
            for wrong in
                ["clone.done", "a=explode", "a=kill@0", "a=x*kill", "a=sleep(1", "a=for(1)"]
            {
                assert!(parse(wrong).is_none(), "{wrong}");
            }
        }

        #[test]
        fn a_point_acts_from_its_turn_on_and_so_often() {
            arm("one=1*error@2; two=error");
            let seen: Vec<_> = (0..4).map(|_| now("one").is_err()).collect();
            assert_eq!(seen, [false, true, false, false]);
            assert!(now("two").is_err() && now("three").is_ok());
            arm("");
            assert!(now("two").is_ok());
        }
    }
}
