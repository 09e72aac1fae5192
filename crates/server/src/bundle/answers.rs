//! Compiles `protect.answers`.

use probity_model::bundle::answers::AnswerPolicy;

use super::Context;
use crate::config::answers::AnswersConfig;

pub(super) fn compile(context: &Context<'_>, config: &AnswersConfig) -> Result<Option<AnswerPolicy>, String> {
    Ok(context.mode(config.mode).map(|mode| AnswerPolicy { mode }))
}
