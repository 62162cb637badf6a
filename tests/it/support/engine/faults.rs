//! What happens to the engine in this process, and what a test asks it about.

use std::sync::atomic::Ordering;

use tokio_util::sync::CancellationToken;

use super::{Engine, behaviour};

impl Engine {
    /// How many containers run.
    pub fn running(&self) -> usize {
        self.count().1
    }

    /// How often a container was started; `None` when there is none of this name.
    pub fn starts_of(&self, container: &str) -> Option<u32> {
        self.0.things.lock().unwrap().containers.get(container).map(|one| one.starts)
    }

    /// How many requests for `/slow` have come.
    pub fn thinking(&self) -> usize {
        self.0.thinking.load(Ordering::SeqCst)
    }

    /// From now on nobody is told what happens to containers, or is again.
    pub fn set_silent(&self, silent: bool) {
        self.0.silent.store(silent, Ordering::SeqCst);
    }

    /// Somebody takes a deployment's container out of its network. It runs on.
    pub fn unplug(&self, deployment: &str) {
        let name = format!("orbitra-{deployment}");
        self.0.things.lock().unwrap().containers.get_mut(&name).unwrap().unplugged = true;
        self.tell("disconnect", &name);
    }

    /// The engine starts a deployment's container again by itself, at another address.
    pub fn move_container(&self, deployment: &str) {
        let address = self.address();
        let mut things = self.0.things.lock().unwrap();
        let container = things.containers.get_mut(&format!("orbitra-{deployment}")).unwrap();
        container.process.take().unwrap().cancel();
        container.address = address;
        container.starts += 1;
        let stop = CancellationToken::new();
        container.process = Some(stop.clone());
        let environment = &container.spec.environment;
        let port = environment.iter().find(|(name, _)| name == "PORT").unwrap().1.parse().unwrap();
        let (behaviour, thinking) = (container.behaviour.clone(), self.0.thinking.clone());
        let (paused, forced) = (container.paused.subscribe(), container.forced.clone());
        let (asked, address) = (container.asked.clone(), (address, port).into());
        drop(things);
        self.run(stop, behaviour::serve(address, behaviour, thinking, paused, forced, asked));
    }
}

impl Engine {
    /// Names of a deployment's containers, and whether each runs.
    pub fn containers_of(&self, deployment: &str) -> Vec<(String, bool)> {
        let things = self.0.things.lock().unwrap();
        let name = format!("orbitra-{deployment}");
        let own = things.containers.iter().filter(|(known, _)| known.starts_with(&name));
        let mut all: Vec<_> = own.map(|(name, one)| (name.clone(), one.runs())).collect();
        all.sort();
        all
    }

    /// How many of a deployment's containers run; paused ones do not.
    pub fn running_of(&self, deployment: &str) -> usize {
        self.containers_of(deployment).iter().filter(|(_, runs)| *runs).count()
    }

    /// Ends the process of the container of this name as a crash would.
    pub fn crash_container(&self, name: &str) {
        let mut things = self.0.things.lock().unwrap();
        let container = things.containers.get_mut(name).unwrap();
        container.process.take().unwrap().cancel();
        container.exit_code = Some(137);
        drop(things);
        self.tell("die", name);
    }

    /// From now on the process of the container of this name ends at its start with this exit code, or does not.
    pub fn set_exit_of(&self, name: &str, code: Option<i64>) {
        let mut things = self.0.things.lock().unwrap();
        things.containers.get_mut(name).unwrap().behaviour.exit = code;
    }
}
