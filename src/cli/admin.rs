//! `orbitra admin`: accounts, keys and the set-up link, straight on the data directory.

use std::io::Read;
use std::path::PathBuf;

use clap::Subcommand;

use super::CliError;
use crate::app::users::NewUser;
use crate::boot;
use crate::clock::Clock;
use crate::config::Config;
use crate::model::user::{PASSWORD_MAX, Plan};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Make an account. Prints its id.
    CreateUser {
        #[arg(long)]
        email: String,
        #[arg(long)]
        name: String,
        /// free, professional or enterprise.
        #[arg(long, default_value = "free")]
        plan: String,
        #[arg(long)]
        instance_admin: bool,
        /// Read the password from standard input.
        #[arg(long)]
        password_stdin: bool,
        /// Print the account as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Make an API key. Prints it; it is not shown again.
    CreateKey {
        /// Id or e-mail address of the account.
        #[arg(long)]
        user: String,
        #[arg(long)]
        name: String,
        /// Scopes or presets (read, deploy, full), with commas between.
        #[arg(long, value_delimiter = ',')]
        scopes: Vec<String>,
        /// Print the key with its record as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Set a new password, read from standard input, and end every session of the account.
    ResetPassword {
        /// Id or e-mail address of the account.
        #[arg(long)]
        user: String,
    },
    /// Serve a certificate for those of its names that are the base domain, the dashboard or below the base domain.
    /// Prints them, a line each. A server that runs takes it up within a minute.
    SetCertificate {
        /// File with the chain in PEM, the host's own certificate first.
        #[arg(long)]
        chain: PathBuf,
        /// File with the private key in PEM.
        #[arg(long)]
        key: PathBuf,
    },
    /// Have the authority revoke the certificate that it signed for a host name, such as when its key is known to others. A
    /// server that runs orders another within a minute.
    RevokeCertificate {
        /// The host name, which may start with `*.`.
        host: String,
    },
    /// Print a link that makes the first admin. It works once, for one hour; an older one stops working.
    SetupLink,
}

pub(super) fn run(config: Config, command: Command) -> Result<(), CliError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(execute(config, command))
}

async fn execute(config: Config, command: Command) -> Result<(), CliError> {
    let app = boot::open(&config, Clock::System).await?.app;
    match command {
        Command::CreateUser { email, name, plan, instance_admin, password_stdin, json } => {
            let plan = Plan::parse(&plan).ok_or_else(|| {
                CliError::Usage("--plan must be free, professional or enterprise".to_owned())
            })?;
            let password = if password_stdin { Some(read_password()?) } else { None };
            let user =
                app.create_user(NewUser { email, name, plan, instance_admin, password }).await?;
            if json {
                let value = serde_json::json!({
                    "id": user.id, "email": user.email, "name": user.name, "plan": user.plan,
                    "instance_admin": user.instance_admin, "created_at": user.created_at,
                });
                println!("{value}");
            } else {
                println!("{}", user.id);
            }
        }
        Command::CreateKey { user, name, scopes, json } => {
            let (key, secret) = app.create_key_for(&user, &name, &scopes).await?;
            if json {
                let value = serde_json::json!({
                    "id": key.id, "name": key.name, "prefix": key.prefix, "last4": key.last4,
                    "scopes": key.scopes, "created_at": key.created_at, "key": secret,
                });
                println!("{value}");
            } else {
                println!("{secret}");
            }
        }
        Command::ResetPassword { user } => {
            let user = app.reset_password(&user, read_password()?).await?;
            println!("{}", user.id);
        }
        Command::SetCertificate { chain, key } => {
            let (chain, key) = (std::fs::read_to_string(chain)?, std::fs::read_to_string(key)?);
            for name in app.set_certificate(&chain, &key).await? {
                println!("{name}");
            }
        }
        Command::RevokeCertificate { host } => boot::revoke_certificate(&app, &host).await?,
        Command::SetupLink => {
            let code = app.new_setup_code().await?;
            // Behind the #: a browser does not send it, so that it stands in no log.
            println!("{}/setup#{code}", config.hosts.dashboard_url());
        }
    }
    Ok(())
}

/// One line from standard input, without its line end.
fn read_password() -> Result<String, CliError> {
    let mut text = String::new();
    std::io::stdin().take(4 * PASSWORD_MAX as u64 + 2).read_to_string(&mut text)?;
    Ok(text.lines().next().unwrap_or_default().to_owned())
}
