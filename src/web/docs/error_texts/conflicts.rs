//! Why something contradicts how things are now.

use super::{Reason, reason};

/// The reasons of `conflict`.
pub(super) const REASONS: &[Reason] = &[
    reason("name_taken", "Another project of this server has the name.", "Choose another name."),
    reason(
        "email_taken",
        "Another account has the e-mail address.",
        "Use another address, or change that account.",
    ),
    reason(
        "hostname_taken",
        "The host name belongs to something else already, or overlaps with a wildcard of another team.",
        "Remove it there first. Where nobody has shown whose it is, `required` has the record that shows that it is yours: set it at your DNS provider and send the request again.",
    ),
    reason(
        "domain_managed",
        "The host name is the one that the project has under the base domain.",
        "Rename the project, or add a domain of your own.",
    ),
    reason(
        "key_exists",
        "The variable is there already for this target, or the team has credentials for this registry.",
        "Set the variable with `PUT /projects/{project}/env/{key}`; delete the registry first.",
    ),
    reason(
        "key_not_active",
        "The API key is revoked, expired or rotated already.",
        "Make a new key.",
    ),
    reason(
        "member_exists",
        "The person is a member of the team already.",
        "Change the role instead.",
    ),
    reason(
        "deployment_not_cancelable",
        "The deployment is not being built, or it must be canceled before it can be deleted.",
        "Look at `details.status`: one that is built can be canceled, one that has ended can be deleted.",
    ),
    reason(
        "deployment_is_live",
        "Visitors get this deployment, or are about to.",
        "Promote another one first, then delete this one.",
    ),
    reason(
        "deployment_not_promotable",
        "Only a deployment that is `staged` or `superseded` can get the traffic, and only a `superseded` one can get it back.",
        "Deploy the commit again.",
    ),
    reason(
        "no_rollback_target",
        "No earlier deployment is left to go back to.",
        "Deploy an earlier commit with `commit_sha`.",
    ),
    reason(
        "image_removed",
        "The image of the deployment was removed.",
        "Deploy it again with `POST /deployments/{id}/redeploy`.",
    ),
    reason("project_deleting", "The project is being deleted.", "Nothing; it will be gone."),
    reason(
        "project_paused",
        "The project is paused; it deploys and releases nothing.",
        "Resume it with `POST /projects/{project}/resume`.",
    ),
    reason(
        "upload_consumed",
        "The upload was deployed already.",
        "Redeploy that deployment, or upload the files again.",
    ),
    reason(
        "ref_moved",
        "Another push has moved the branch or the tag in the meantime.",
        "Fetch it, and push again.",
    ),
    reason("too_many_hooks", "The project has as many hooks as it may.", "Delete one first."),
    reason(
        "last_owner",
        "Nobody would be left who may do this.",
        "Give somebody else the role first.",
    ),
    reason("volume_in_use", "A project uses the volume.", "Detach it first."),
    reason("database_in_use", "A project uses the database.", "Detach it first."),
    reason("backup_running", "A backup is being made or restored.", "Wait for its end."),
    reason("too_many_webhooks", "The team has as many webhooks as it may.", "Delete one first."),
    reason(
        "mail_not_configured",
        "This server sends no mail yet.",
        "An instance admin sets `mail` with `PATCH /system/settings` or under System.",
    ),
    reason("webhook_disabled", "The webhook is switched off.", "Enable it first."),
    reason(
        "recipient_pending",
        "The webhook's address of mail has not agreed to get any.",
        "Whoever reads it answers the mail that asks; `POST /webhooks/{id}/confirmation` sends one more.",
    ),
    reason(
        "recipient_declined",
        "Whoever reads this address of mail wants none of this team.",
        "Choose another address.",
    ),
    reason("recipient_confirmed", "The address of mail has agreed already.", "Nothing."),
    reason("no_recipient", "Only an address of mail is asked.", "Nothing."),
    reason(
        "not_an_event",
        "The mail that asks an address is no event and is not redelivered.",
        "Send another with `POST /webhooks/{id}/confirmation`.",
    ),
    reason(
        "idempotency_key_in_use",
        "The first request with this `Idempotency-Key` is still being answered.",
        "Send it again after `Retry-After`.",
    ),
    reason("nothing_to_invoice", "There is nothing the invoice could list.", "Nothing."),
    reason("invoice_not_open", "The invoice is paid or void already.", "Nothing."),
    reason("team_not_empty", "Projects still belong to it.", "Delete or transfer them first."),
];
