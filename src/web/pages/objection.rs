//! What speaks against an action, in words for the page it was asked for on.

use super::PageError;
use crate::app::AppError;

/// The sentence of a refusal that the person who asked can do something about.
///
/// # Errors
/// Everything else is a page of its own: no such thing, no right, a defect.
pub fn objection(error: AppError) -> Result<String, PageError> {
    match error {
        AppError::Conflict { message, .. } => Ok(message),
        AppError::Invalid(problems) => Ok(problems.summary()),
        AppError::Unavailable { message, .. } => Ok(message.to_owned()),
        other => Err(other.into()),
    }
}
