//! The status language: one word, icon, colour and sentence for each state, the same on every page.

/// The state of a project or a deployment as people see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// A project without a deployment.
    New,
    /// What visitors get.
    Live,
    /// Live, but its health check fails.
    Degraded,
    /// The owner has stopped it for a while.
    Paused,
    /// An administrator of the server has stopped it.
    Suspended,
    /// On its way through the pipeline.
    Running(Phase),
    /// Built and checked, not in production.
    Ready,
    /// Was live; can be rolled back to.
    Replaced,
    Failed,
    Canceled,
    Crashed,
    Removed,
    /// Wakes on the next visit.
    Sleeping,
}

/// A phase of the pipeline, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    Queued,
    Cloning,
    Detecting,
    Building,
    Starting,
    Checking,
    Switching,
}

impl Phase {
    /// All phases in the order they run.
    pub const ALL: [Self; 7] = [
        Self::Queued,
        Self::Cloning,
        Self::Detecting,
        Self::Building,
        Self::Starting,
        Self::Checking,
        Self::Switching,
    ];

    /// What is going on: `Building`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Queued => "Queued",
            Self::Cloning => "Cloning",
            Self::Detecting => "Detecting",
            Self::Building => "Building",
            Self::Starting => "Starting",
            Self::Checking => "Checking",
            Self::Switching => "Switching",
        }
    }

    /// The name of the step: `Build`.
    pub fn step(self) -> &'static str {
        match self {
            Self::Queued => "Queue",
            Self::Cloning => "Clone",
            Self::Detecting => "Detect",
            Self::Building => "Build",
            Self::Starting => "Start",
            Self::Checking => "Check",
            Self::Switching => "Switch",
        }
    }
}

impl Status {
    /// Every status once, for tests and for the filter of lists.
    pub const ALL: [Self; 13] = [
        Self::New,
        Self::Live,
        Self::Degraded,
        Self::Paused,
        Self::Suspended,
        Self::Running(Phase::Building),
        Self::Ready,
        Self::Replaced,
        Self::Failed,
        Self::Canceled,
        Self::Crashed,
        Self::Removed,
        Self::Sleeping,
    ];

    /// The word in the tag.
    pub fn word(self) -> &'static str {
        match self {
            Self::New => "New",
            Self::Live => "Live",
            Self::Degraded => "Degraded",
            Self::Paused => "Paused",
            Self::Suspended => "Suspended",
            Self::Running(phase) => phase.word(),
            Self::Ready => "Ready",
            Self::Replaced => "Replaced",
            Self::Failed => "Failed",
            Self::Canceled => "Canceled",
            Self::Crashed => "Crashed",
            Self::Removed => "Removed",
            Self::Sleeping => "Sleeping",
        }
    }

    /// The icon in the sprite. Shape, word and colour go together: colour alone says nothing to some people.
    pub fn icon(self) -> &'static str {
        match self {
            Self::New => "circle-dot",
            Self::Live | Self::Ready => "circle-check",
            Self::Degraded => "triangle-alert",
            Self::Paused => "circle-pause",
            Self::Suspended => "lock",
            Self::Running(_) => "orbit",
            Self::Replaced => "undo-2",
            Self::Failed | Self::Crashed => "circle-x",
            Self::Canceled => "ban",
            Self::Removed => "trash-2",
            Self::Sleeping => "moon",
        }
    }

    /// The class that carries the colours.
    pub fn token(self) -> &'static str {
        match self {
            Self::Live => "ok",
            Self::Failed | Self::Crashed => "bad",
            Self::Degraded | Self::Suspended => "warn",
            Self::Running(_) | Self::Ready => "busy",
            Self::Sleeping => "sleep",
            Self::New | Self::Paused | Self::Replaced | Self::Canceled | Self::Removed => "idle",
        }
    }

    /// What the state means, when nothing more exact is known.
    pub fn sentence(self) -> &'static str {
        match self {
            Self::New => "Not deployed yet.",
            Self::Live => "Visitors get this one.",
            Self::Degraded => "Running, but the health check fails.",
            Self::Paused => "Visitors see the paused page.",
            Self::Suspended => "Stopped by an administrator of this server.",
            Self::Running(Phase::Queued) => "Waits for its turn.",
            Self::Running(Phase::Cloning) => "Fetches the commit.",
            Self::Running(Phase::Detecting) => "Looks at what there is to build.",
            Self::Running(Phase::Building) => "Builds the image.",
            Self::Running(Phase::Starting) => "Starts the container.",
            Self::Running(Phase::Checking) => "Waits for the app to answer.",
            Self::Running(Phase::Switching) => "Moves visitors to the new deployment.",
            Self::Ready => "Runs at its own URL, not in production.",
            Self::Replaced => "Can be rolled back to; the image is kept.",
            Self::Failed => "Did not reach visitors.",
            Self::Canceled => "Stopped before it was finished.",
            Self::Crashed => "The app stopped again and again.",
            Self::Removed => "Image deleted; the log stays.",
            Self::Sleeping => "Wakes on the next visit.",
        }
    }

    /// Whether something is going on, so that pages count the seconds.
    pub fn is_running(self) -> bool {
        matches!(self, Self::Running(_))
    }

    /// Whether the deployment needs somebody to look at it.
    pub fn is_bad(self) -> bool {
        matches!(self, Self::Failed | Self::Crashed)
    }

    /// The tab icon of a page about this.
    pub fn favicon(self) -> &'static str {
        match self {
            Self::Running(_) => "favicon-busy.svg",
            Self::Live => "favicon-ok.svg",
            Self::Failed | Self::Crashed => "favicon-bad.svg",
            _ => "favicon.svg",
        }
    }

    /// The order of projects on the home page: what needs a person first, then what moves, then the rest.
    pub fn rank(self) -> u8 {
        match self {
            Self::Failed | Self::Crashed | Self::Degraded => 0,
            Self::Running(_) => 1,
            _ => 2,
        }
    }
}
