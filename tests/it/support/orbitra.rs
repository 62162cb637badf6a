//! The real program on a directory and a port of its own, against the machine's Docker.

use std::net::Ipv4Addr;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

use super::api_client::{Answer, Api, try_visit};
use super::until::{until, within};

/// A running Orbitra. Dropping it removes everything it made on the engine, and fails the test when
/// something was there that nothing in its database stands for.
pub struct Orbitra {
    pub api: Api,
    pub port: u16,
    directory: TempDir,
    settings: Vec<(String, String)>,
    /// Whether its engine is the machine's, and what it leaves there is looked for.
    shared_engine: bool,
    process: Option<Child>,
    /// The process that has taken over from that one.
    successor: Option<u32>,
}

impl Orbitra {
    /// Starts one with an account and a key.
    pub async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// The same with more settings.
    pub async fn start_with(more: &[(&str, &str)]) -> Self {
        need_docker();
        Self::make(more, true).await
    }

    /// The same on an engine of the test's own, which looks itself for what is left on it.
    pub async fn start_on(host: &str, more: &[(&str, &str)]) -> Self {
        let host = ("ORBITRA_DOCKER_HOST", host);
        Self::make(&[&[host], more].concat(), false).await
    }

    /// The same at a port that the settings name.
    pub async fn start_at(port: u16, host: &str, more: &[(&str, &str)]) -> Self {
        let host = ("ORBITRA_DOCKER_HOST", host);
        Self::make_at(port, number(), &[&[host], more].concat(), false).await
    }

    async fn make(more: &[(&str, &str)], shared_engine: bool) -> Self {
        let number = number();
        Self::make_at(free_port(number), number, more, shared_engine).await
    }

    async fn make_at(port: u16, number: u32, more: &[(&str, &str)], shared_engine: bool) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let data = directory.path().join("data");
        let mut settings = vec![
            ("ORBITRA_DATA".to_owned(), data.to_str().unwrap().to_owned()),
            ("ORBITRA_LISTEN".to_owned(), format!("127.0.0.1:{port}")),
            ("ORBITRA_EGRESS_ALLOW".to_owned(), "127.0.0.1/32".to_owned()),
            ("ORBITRA_EGRESS_ALLOW_HTTP".to_owned(), "true".to_owned()),
            ("ORBITRA_NETWORK_POOL".to_owned(), pool(number)),
            ("ORBITRA_DRAIN_SECONDS".to_owned(), "2".to_owned()),
            ("ORBITRA_LOG".to_owned(), "info".to_owned()),
        ];
        settings.extend(more.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let api = Api { port, key: String::new() };
        let mut orbitra =
            Self { api, port, directory, settings, shared_engine, process: None, successor: None };
        let account =
            ["create-user", "--email", "a@example.com", "--name", "A", "--plan", "enterprise"];
        let user = orbitra.admin(&account);
        let key = ["create-key", "--user", &user, "--name", "tests", "--scopes", "full"];
        orbitra.api.key = orbitra.admin(&key);
        orbitra.restart().await;
        orbitra
    }

    /// Runs `orbitra admin`; answers what it printed.
    pub fn admin(&self, arguments: &[&str]) -> String {
        let output = self.command().arg("admin").args(arguments).output().unwrap();
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "admin {arguments:?}: {error}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// The API as an instance admin has it, who is made now.
    pub fn admin_api(&self) -> Api {
        let account =
            ["create-user", "--email", "root@example.com", "--name", "R", "--instance-admin"];
        let user = self.admin(&account);
        let key = ["create-key", "--user", &user, "--name", "system", "--scopes", "system:read"];
        Api { port: self.port, key: self.admin(&key) }
    }

    /// The program with this instance's settings and nothing else of the surroundings.
    pub fn command(&self) -> Command {
        // Long runs, such as bench/kill.sh, use what is released.
        let program = std::env::var_os("ORBITRA_TEST_PROGRAM");
        let program = program.unwrap_or_else(|| env!("CARGO_BIN_EXE_orbitra").into());
        let mut command = Command::new(program);
        command.env_clear().envs(std::env::var_os("PATH").map(|path| ("PATH", path)));
        command.envs(std::env::var_os("DOCKER_HOST").map(|host| ("DOCKER_HOST", host)));
        command.envs(self.settings.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::null());
        command
    }

    /// Starts the program (again) and waits until it answers. Says how long that took.
    pub async fn restart(&mut self) -> Duration {
        self.restart_with(&[]).await
    }

    /// The same with settings that hold for this time.
    pub async fn restart_with(&mut self, more: &[(&str, &str)]) -> Duration {
        let begin = Instant::now();
        self.launch(more);
        self.answers().await;
        begin.elapsed()
    }

    async fn answers(&mut self) {
        let port = self.port;
        until("Orbitra answers", async || {
            if let Some(status) = self.process.as_mut().unwrap().try_wait().unwrap() {
                panic!("Orbitra ended ({status}):\n{}", self.log());
            }
            let answer = try_visit(port, "127.0.0.1", "/api/v1/health").await.ok()?;
            (answer.status == 200).then_some(())
        })
        .await;
    }

    /// Starts the program with more settings, and does not wait for anything.
    pub fn launch(&mut self, more: &[(&str, &str)]) {
        let mut command = self.command();
        command.envs(more.iter().copied());
        self.spawn(command);
    }

    /// Starts the program so that files of other users are closed to it although it is root, and waits until it answers.
    pub async fn restart_as_a_stranger(&mut self) {
        let own = self.command();
        let mut command = Command::new("setpriv");
        command.arg("--bounding-set=-dac_override,-dac_read_search").arg(own.get_program());
        command.env_clear().stdin(Stdio::null());
        command.envs(own.get_envs().filter_map(|(name, value)| Some((name, value?))));
        self.spawn(command);
        self.answers().await;
    }

    fn spawn(&mut self, mut command: Command) {
        assert!(self.process.is_none(), "it runs");
        let log = std::fs::File::options().create(true).append(true).open(self.log_file()).unwrap();
        self.process = Some(command.arg("serve").stderr(log).spawn().unwrap());
    }

    /// A program that is this one, with some variables of its own.
    pub fn program(&self, name: &str, settings: &[(&str, &str)]) -> PathBuf {
        let settings: String =
            settings.iter().map(|(name, value)| format!("export {name}='{value}'\n")).collect();
        let program = self.command().get_program().to_str().unwrap().to_owned();
        self.script(name, &format!("{settings}exec '{program}' \"$@\"\n"))
    }

    /// A program of these lines of shell.
    pub fn script(&self, name: &str, lines: &str) -> PathBuf {
        use std::os::unix::fs::PermissionsExt;
        let path = self.directory.path().join(name);
        std::fs::write(&path, format!("#!/bin/sh\n{lines}")).unwrap();
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).unwrap();
        path
    }

    /// Runs `orbitra upgrade`; answers what it said, and whether another process has taken over.
    pub async fn upgrade(
        &mut self,
        binary: &std::path::Path,
        seconds: u32,
    ) -> Result<String, String> {
        let mut command = self.command();
        command.args(["upgrade", "--timeout", &seconds.to_string(), "--binary"]).arg(binary);
        let output = tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        if !output.status.success() {
            return Err(said);
        }
        let process = String::from_utf8(output.stdout).unwrap().trim().parse().unwrap();
        self.successor = Some(process);
        Ok(said)
    }

    /// The process that the data directory names is the one to look after now.
    pub fn adopt(&mut self) -> u32 {
        let text = std::fs::read_to_string(self.data().join("orbitra.lock")).unwrap();
        let process = text.trim().parse().unwrap();
        self.successor = Some(process);
        process
    }

    /// Waits until the process that was taken over from has ended.
    pub async fn relieved(&mut self) -> ExitStatus {
        self.ended().await
    }

    fn kill_successor(&mut self) {
        let Some(process) = self.successor.take() else { return };
        let pid = Pid::from_raw(i32::try_from(process).unwrap()).unwrap();
        let _ = kill_process(pid, Signal::KILL);
        // It is nobody's child here, and may be left as a zombie by whoever has it. Its first thread is one while others
        // are still on their way out and hold the lock.
        let runs = |task: std::fs::DirEntry| {
            std::fs::read_to_string(task.path().join("stat"))
                .is_ok_and(|stat| !stat.rsplit(") ").next().unwrap().starts_with('Z'))
        };
        while std::fs::read_dir(format!("/proc/{process}/task"))
            .is_ok_and(|mut tasks| tasks.any(|task| task.is_ok_and(runs)))
        {
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Ends the process as a power cut would.
    pub fn kill9(&mut self) {
        // First the one before, which would bring the other one back.
        if let Some(mut process) = self.process.take() {
            process.kill().unwrap();
            process.wait().unwrap();
        }
        self.kill_successor();
    }

    /// Sends SIGTERM.
    pub fn ask_to_stop(&self) {
        self.signal(Signal::TERM);
    }

    /// Sends a signal to the process.
    pub fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.pid()).unwrap()).unwrap();
        kill_process(pid, signal).unwrap();
    }

    /// The number of the process.
    pub fn pid(&self) -> u32 {
        if let Some(process) = self.successor {
            return process;
        }
        self.process.as_ref().unwrap().id()
    }

    /// Waits until the process was ended by SIGKILL, such as by itself at a failpoint.
    pub async fn killed(&mut self) {
        let status = self.ended().await;
        assert_eq!(status.signal(), Some(9), "{status}\n{}", self.log());
    }

    /// The data directory.
    pub fn data(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    /// The database, to be read only.
    pub fn database(&self) -> rusqlite::Connection {
        let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY;
        let database = self.data().join("orbitra.db");
        let database = rusqlite::Connection::open_with_flags(database, flags).unwrap();
        database.busy_timeout(Duration::from_secs(10)).unwrap();
        database
    }

    /// Waits until the process has ended by itself.
    pub async fn ended(&mut self) -> ExitStatus {
        let mut process = self.process.take().unwrap();
        within(Duration::from_secs(35), "Orbitra ends", async || process.try_wait().unwrap()).await
    }

    /// What the program wrote into its own log.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.log_file()).unwrap_or_default()
    }

    fn log_file(&self) -> PathBuf {
        self.directory.path().join("orbitra.log")
    }

    /// A visitor's request.
    pub async fn visit(&self, host: &str, path: &str) -> Answer {
        let answer = try_visit(self.port, host, path).await;
        answer.unwrap_or_else(|error| panic!("{host}{path}: {error}"))
    }

    /// The instance's name in the labels.
    pub fn name(&self) -> String {
        let file = self.directory.path().join("data/instance");
        std::fs::read_to_string(file).unwrap().trim().to_owned()
    }

    /// What the engine has of this instance, as ids: `container`, `network` or `image`.
    pub fn owned(&self, kind: &str) -> Vec<String> {
        let label = format!("label=orbitra.instance={}", self.name());
        let mut arguments = vec![kind, "ls", "-q", "--no-trunc", "--filter", &label];
        if kind == "container" {
            arguments.push("-a");
        }
        let mut ids: Vec<_> = docker(&arguments).lines().map(str::to_owned).collect();
        ids.sort();
        ids.dedup();
        ids
    }

    /// Everything the engine says of a deployment's container.
    pub fn container_of(&self, deployment: &str) -> Value {
        inspect("container", &format!("orbitra-{deployment}"))
    }

    /// Whether the engine has a container of this deployment.
    pub fn has_container(&self, deployment: &str) -> bool {
        let name = format!("name=^/?orbitra-{deployment}$");
        !docker(&["container", "ls", "-aq", "--filter", &name]).is_empty()
    }

    /// Every file of the data directory with its size, but for the database and its socket.
    pub fn files(&self) -> Vec<(PathBuf, u64)> {
        let (mut found, mut directories) = (Vec::new(), vec![self.data()]);
        while let Some(directory) = directories.pop() {
            for entry in std::fs::read_dir(&directory).unwrap() {
                let entry = entry.unwrap();
                let meta = entry.metadata().unwrap();
                // SQLite moves what is stored between its files.
                let name = entry.file_name().into_string().unwrap();
                if meta.is_dir() {
                    directories.push(entry.path());
                } else if meta.is_file() && !name.starts_with("orbitra.db") {
                    found.push((entry.path(), meta.len()));
                }
            }
        }
        found.sort();
        found
    }

    /// Files of the data directory that hold these bytes.
    pub fn files_with(&self, wanted: &[u8]) -> Vec<PathBuf> {
        let (mut found, mut directories) = (Vec::new(), vec![self.directory.path().to_owned()]);
        while let Some(directory) = directories.pop() {
            for entry in std::fs::read_dir(&directory).unwrap() {
                let entry = entry.unwrap();
                let (path, kind) = (entry.path(), entry.file_type().unwrap());
                if kind.is_dir() {
                    directories.push(path);
                } else if kind.is_file()
                    && memchr::memmem::find(&std::fs::read(&path).unwrap(), wanted).is_some()
                {
                    found.push(path);
                }
            }
        }
        found
    }

    /// What is on the engine and has no reason to be: it belongs to a deployment that failed, was
    /// canceled or whose project was deleted.
    fn leftovers(&self) -> Vec<String> {
        let database = self.database();
        let known = |sql: &str| -> Vec<String> {
            let mut statement = database.prepare(sql).unwrap();
            statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
        };
        let deployments = known(
            "SELECT d.id FROM deployments d JOIN projects p ON p.id = d.project_id
             WHERE p.deleted_at IS NULL AND d.state NOT IN ('failed', 'canceled', 'removed')",
        );
        let projects = known("SELECT id FROM projects WHERE deleted_at IS NULL");
        let mut leftovers = Vec::new();
        for (kind, label, known) in [
            ("container", "orbitra.deployment", &deployments),
            ("image", "orbitra.deployment", &deployments),
            ("network", "orbitra.project", &projects),
        ] {
            for id in self.owned(kind) {
                let object = inspect(kind, &id);
                let labels =
                    if kind == "network" { &object["Labels"] } else { &object["Config"]["Labels"] };
                let owner = labels[label].as_str().unwrap_or_default();
                if !known.iter().any(|known| known == owner) {
                    leftovers.push(format!("{kind} of {owner}"));
                }
            }
        }
        leftovers
    }

    fn remove_everything(&self) {
        for (kind, arguments) in
            [("container", &["rm", "-f", "-v"][..]), ("network", &["rm"]), ("image", &["rm", "-f"])]
        {
            let ids = self.owned(kind);
            if !ids.is_empty() {
                let ids = ids.iter().map(String::as_str);
                docker(&[&[kind], arguments].concat().into_iter().chain(ids).collect::<Vec<_>>());
            }
        }
    }
}

impl Drop for Orbitra {
    fn drop(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _ = process.kill();
            let _ = process.wait();
        }
        self.kill_successor();
        if !self.shared_engine {
            if std::thread::panicking() {
                eprintln!("--- Orbitra's own log\n{}", self.log());
            }
            return;
        }
        if std::thread::panicking() {
            eprintln!("--- Orbitra's own log\n{}", self.log());
            self.remove_everything();
            return;
        }
        let leftovers = self.leftovers();
        self.remove_everything();
        assert!(leftovers.is_empty(), "left on the engine: {leftovers:?}");
    }
}

/// Runs the engine's own client.
pub fn docker(arguments: &[&str]) -> String {
    let output =
        Command::new("docker").args(arguments).output().expect("the docker client is needed");
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "docker {arguments:?}: {error}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// What the engine says of one object.
pub fn inspect(kind: &str, id: &str) -> Value {
    let mut list: Value = serde_json::from_str(&docker(&[kind, "inspect", id])).unwrap();
    list[0].take()
}

fn need_docker() {
    need_image("node:22-slim");
}

/// Fails with what to do when the machine has no such image.
pub fn need_image(image: &str) {
    let output = Command::new("docker").args(["image", "inspect", image]).output();
    let ready = output.is_ok_and(|output| output.status.success());
    assert!(
        ready,
        "these tests need a running Docker engine with the base images: run ./test.sh, or \
         tools/start-dockerd.sh and tests/base-images.sh"
    );
}

/// A number that no other instance of the tests that run now has.
fn number() -> u32 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    std::process::id() * 4 + NEXT.fetch_add(1, Ordering::Relaxed) % 4
}

/// A port below those the system hands out, so that no connection takes it in between.
pub fn free_port(number: u32) -> u16 {
    let candidates = (0..2000).map(|step| 10_000 + (number * 7 + step) % 20_000);
    candidates
        .filter_map(|port| u16::try_from(port).ok())
        .find(|port| std::net::TcpListener::bind(("127.0.0.1", *port)).is_ok())
        .unwrap()
}

/// Sixteen networks out of 10.64.0.0/10.
fn pool(number: u32) -> String {
    let base = u32::from(Ipv4Addr::new(10, 64, 0, 0)) + (number % 4096) * 1024;
    format!("{}/22", Ipv4Addr::from(base))
}
