//! `/dashboard/account/keys`: keys for programs.

use std::time::Duration;

use axum::extract::{Path, State};
use http::StatusCode;

use super::params::Params;
use super::respond::{self, Answer, see_other};
use super::show::{form_errors, moment};
use super::{PageError, Pages, Visitor};
use crate::app::AppError;
use crate::app::api_keys::NewKey;
use crate::app::terms::Terms;
use crate::db::api_keys::KeyFilter;
use crate::db::page::PageRequest;
use crate::model::api_key::ApiKey;
use crate::model::ids::KeyId;
use crate::model::problems::Problems;
use crate::model::scope::Scopes;
use crate::model::timestamp::Timestamp;
use crate::web::csrf::Fields;
use crate::web::view::form::Errors;
use crate::web::view::keys::{CreatedKey, KeyRow, KeysPage, NewKeyForm, Preset};
use crate::web::view::shell::{Notice, Shell};

/// The list and the form; after the form, once, the new key.
pub async fn show(State(pages): State<Pages>, visitor: Visitor, params: Params) -> Answer {
    let mut page = page(&pages, &visitor, visitor.shell().await?).await?;
    if let Some(id) = KeyId::parse(params.get("created"))
        && let Some(secret) = pages.new_keys.take(&visitor.signed_in.user.id, id.as_str())
    {
        let name = page.keys.iter().find(|key| key.id == id.as_str()).map(|key| key.name.clone());
        page.created = Some(CreatedKey {
            name: name.unwrap_or_default(),
            secret,
            api_url: format!("{}/api/v1", pages.app.hosts.dashboard_url()),
        });
    }
    respond::html(&page)
}

async fn page(pages: &Pages, visitor: &Visitor, shell: Shell) -> Result<KeysPage, PageError> {
    let filter = KeyFilter {
        statuses: ["active", "expired"].map(str::to_owned).to_vec(),
        ..KeyFilter::default()
    };
    let request = PageRequest { page: 1, limit: 100 };
    let found = pages.app.keys(&visitor.signed_in.actor, filter, request).await?;
    let now = pages.app.clock.now();
    Ok(KeysPage {
        shell,
        keys: found.items.iter().map(|key| row(key, now)).collect(),
        form: NewKeyForm::default(),
        errors: Errors::none(),
        created: None,
    })
}

fn row(key: &ApiKey, now: Timestamp) -> KeyRow {
    KeyRow {
        id: key.id.to_string(),
        name: key.name.clone(),
        prefix: key.prefix.clone(),
        last4: key.last4.clone(),
        scopes: scopes(&key.scopes),
        created_at: moment(key.created_at),
        expires_at: key.expires_at.map(moment),
        last_used_at: key.last_used_at.map(moment),
        expired: key.status(now) == "expired",
    }
}

/// The name of the preset, or the scopes themselves.
fn scopes(scopes: &Scopes) -> String {
    let preset = Preset::ALL
        .into_iter()
        .find(|preset| Scopes::expand(&[preset.value()]).is_ok_and(|expanded| expanded == *scopes));
    preset.map_or_else(
        || scopes.iter().collect::<Vec<_>>().join(", "),
        |preset| preset.word().to_owned(),
    )
}

/// Makes a key. It waits in memory for the page that shows it.
pub async fn create(State(pages): State<Pages>, visitor: Visitor, fields: Fields) -> Answer {
    let mut form = NewKeyForm {
        name: fields.trimmed("name").to_owned(),
        expires_days: fields.get("expires_days").to_owned(),
        ..NewKeyForm::default()
    };
    let mut errors = Errors::none();
    match Preset::ALL.into_iter().find(|preset| preset.value() == fields.get("preset")) {
        Some(preset) => form.preset = preset,
        None => errors.add("preset", "Choose what the key may do."),
    }
    let expires_at =
        match form.expires_days.as_str() {
            "" => None,
            "30" | "90" | "365" => form.expires_days.parse::<u64>().ok().map(|days| {
                pages.app.clock.now().plus(Duration::from_secs(days * 86_400)).to_string()
            }),
            _ => {
                errors.add("expires_days", "Choose one of these.");
                None
            }
        };
    if errors.is_empty() {
        let new = NewKey {
            name: Some(form.name.clone()),
            scopes: Some(vec![form.preset.value().to_owned()]),
            expires_at,
            ..NewKey::default()
        };
        let made = pages
            .app
            .create_key(&visitor.signed_in.actor, new, Problems::default(), &Terms::none())
            .await;
        match made {
            Ok((key, secret)) => {
                let address = format!("/dashboard/account/keys?created={}", key.id);
                pages.new_keys.put(visitor.signed_in.user.id.clone(), key.id.to_string(), secret);
                return Ok(see_other(&address));
            }
            Err(AppError::Invalid(problems)) => {
                let fields =
                    [("name", "name"), ("scopes", "preset"), ("expires_at", "expires_days")];
                errors = form_errors(&problems, &fields);
            }
            Err(other) => return Err(other.into()),
        }
    }
    let page = KeysPage { form, errors, ..page(&pages, &visitor, visitor.bare_shell()).await? };
    respond::html_with(StatusCode::UNPROCESSABLE_ENTITY, &page)
}

/// `POST …/{id}/revoke`.
pub async fn revoke(
    State(pages): State<Pages>,
    visitor: Visitor,
    Path(id): Path<String>,
) -> Answer {
    let actor = &visitor.signed_in.actor;
    let name = pages.app.key(actor, &id).await?.name;
    pages.app.revoke_key(actor, &id, &Terms::none()).await?;
    visitor.tell(Notice::good(format!("Key `{name}` is revoked."))).await?;
    Ok(see_other("/dashboard/account/keys"))
}
